"""The checks of the tables of deviations find what they look for."""

from tests.stores.deviations import Deviation, by_contract, misplaced, unexplained

REASON = "this is a reason that is long enough"


def test_a_line_is_either_a_tests_or_a_deviation() -> None:
    deviations = {name: Deviation(REASON) for name in ("left out", "both", "no line")}
    lines, tested = {"tested", "left out", "both", "forgotten"}, {"tested", "both", "unknown"}
    assert misplaced(lines, tested, deviations) == ["both", "forgotten", "no line", "unknown"]


def test_a_deviation_needs_a_reason_and_the_test_that_it_names() -> None:
    deviations = {
        "fine": Deviation(REASON),
        "held": by_contract(REASON, "test_append", "test_the_first_event"),
        "short": Deviation("because"),
        "lost": by_contract(REASON, "test_append", "test_that_nobody_wrote"),
    }
    assert unexplained(deviations) == ["lost", "short"]
