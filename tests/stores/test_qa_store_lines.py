"""Every line about cognee's stores is a test of ours or a deviation with its reason."""

import re
from pathlib import Path

from tests.stores.cognee_deviations import DEVIATIONS, REPORTS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
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
    tested = ids_of_tests()
    assert sorted(LINES - tested - set(DEVIATIONS)) == []
    assert sorted(tested & set(DEVIATIONS)) == []
    assert sorted((tested | set(DEVIATIONS)) - LINES) == []


def test_every_deviation_says_why_and_who_holds_it_instead() -> None:
    for line, deviation in DEVIATIONS.items():
        assert len(deviation.reason) > 20, line
        if deviation.held_by is not None:
            file, test = deviation.held_by
            assert f"def {test}" in (ROOT / file).read_text(), line


def test_what_users_reported_is_held_by_tests() -> None:
    for report, lines in REPORTS.items():
        assert set(lines) <= ids_of_tests(), report
