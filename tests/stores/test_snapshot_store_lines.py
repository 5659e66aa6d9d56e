"""Every line about agent-base's store is a test of ours or a deviation with its reason."""

import re
from pathlib import Path

import pytest

from tests.stores.agent_base_deviations import DEVIATIONS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
#: The behaviours, the weaknesses, and the rules for every store.
LINES = [
    *(f"C-{number:02}" for number in range(1, 19)),
    *(f"C-W{number}" for number in range(1, 8)),
    *(f"U-{number:02}" for number in range(1, 26)),
]


def ids_of_tests() -> set[str]:
    """Return the ids that names of tests begin with."""
    names = [
        name
        for path in HERE.glob("test_snapshot_store_*.py")
        for name in re.findall(r"^def test_([cu]_w?\d+)_", path.read_text(), re.MULTILINE)
    ]
    return {name.upper().replace("_", "-") for name in names}


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_a_test_or_a_deviation(line: str) -> None:
    assert (line in ids_of_tests()) != (line in DEVIATIONS)


def test_no_test_and_no_deviation_is_of_a_line_that_is_not_there() -> None:
    assert ids_of_tests() | set(DEVIATIONS) == set(LINES)


@pytest.mark.parametrize("line", DEVIATIONS)
def test_a_deviation_says_why_and_who_holds_it_instead(line: str) -> None:
    deviation = DEVIATIONS[line]
    assert len(deviation.reason) > 20
    if deviation.held_by is not None:
        file, test = deviation.held_by
        assert f"def {test}" in (ROOT / file).read_text()
