"""Every line about cognee's stores is a test of ours or a deviation with its reason."""

import re
from pathlib import Path

from tests.stores.cognee_deviations import DEVIATIONS, REPORTS
from tests.stores.deviations import misplaced, unexplained

HERE = Path(__file__).parent
#: The Rust store, the Python caches, their manager, the lifecycle, and the rules for every store.
COUNTS = {"BR": 35, "BP": 47, "M": 25, "L": 11, "U": 25}
LINES = {f"{part}-{number:02}" for part, count in COUNTS.items() for number in range(1, count + 1)}
IDS = re.compile(r"^def test_((?:(?:br|bp|m|l|u)_\d\d_)+)", re.MULTILINE)


def ids_of_tests() -> set[str]:
    """Return the ids that names of tests begin with; a test may bear several."""
    return {
        f"{part}-{number}".upper()
        for path in HERE.glob("test_qa_store_*.py")
        for names in IDS.findall(path.read_text())
        for part, number in re.findall(r"([a-z]+)_(\d\d)_", names)
    }


def test_every_line_is_a_test_or_a_deviation_and_not_both() -> None:
    assert misplaced(LINES, ids_of_tests(), DEVIATIONS) == []


def test_every_deviation_says_why_and_who_holds_it_instead() -> None:
    assert unexplained(DEVIATIONS) == []


def test_what_users_reported_is_held_by_tests() -> None:
    for report, lines in REPORTS.items():
        assert set(lines) <= ids_of_tests(), report
