"""Every line about agent-base's store is a test of ours or a deviation with its reason."""

import re
from pathlib import Path

from tests.stores.agent_base_deviations import DEVIATIONS
from tests.stores.deviations import misplaced, unexplained

HERE = Path(__file__).parent
#: The behaviours, the weaknesses, and the rules for every store.
LINES = {
    *(f"C-{number:02}" for number in range(1, 19)),
    *(f"C-W{number}" for number in range(1, 8)),
    *(f"U-{number:02}" for number in range(1, 26)),
}


def ids_of_tests() -> set[str]:
    """Return the ids that names of tests begin with."""
    names = [
        name
        for path in HERE.glob("test_snapshot_store_*.py")
        for name in re.findall(r"^def test_([cu]_w?\d+)_", path.read_text(), re.MULTILINE)
    ]
    return {name.upper().replace("_", "-") for name in names}


def test_every_line_is_a_test_or_a_deviation_and_not_both() -> None:
    assert misplaced(LINES, ids_of_tests(), DEVIATIONS) == []


def test_a_deviation_says_why_and_who_holds_it_instead() -> None:
    assert unexplained(DEVIATIONS) == []
