"""Every line of the specification is a test named after it, or a row in the table of deviations."""

import re
from pathlib import Path

from tests.stores.orchestrator_deviations import DEVIATIONS, FAULTS, PORTS

TESTS = Path(__file__).resolve().parents[1]
LINES = {*map(str, range(1, 107)), *(f"u{number}" for number in range(1, 36)), "u13b"}
NAMED = re.compile(r"def test_asm_((?:(?:u?\d+b?|to)_)+)")

TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)


def lines_of_tests() -> set[str]:
    """The numbers in the names of tests; `51_to_60` is all of them."""
    found: set[str] = set()
    files = [*TESTS.glob("stores/test_orchestrator_*.py"), *TESTS.glob("contract/test_*.py")]
    for name in NAMED.findall("\n".join(path.read_text() for path in files)):
        parts = name.strip("_").split("_")
        found |= set(parts) - {"to"}
        for at in (at for at, part in enumerate(parts) if part == "to"):
            found |= set(map(str, range(int(parts[at - 1]), int(parts[at + 1]))))
    return found


def test_every_line_is_a_test_or_a_deviation() -> None:
    assert sorted(LINES - lines_of_tests() - DEVIATIONS.keys()) == []


def test_names_and_rows_are_of_lines_that_exist() -> None:
    assert sorted((lines_of_tests() | DEVIATIONS.keys()) - LINES) == []


def test_every_deviation_has_its_reason() -> None:
    reasons = {**DEVIATIONS, **PORTS}
    assert [name for name, reason in reasons.items() if len(reason) < 20] == []


def test_every_fault_of_the_original_has_its_test() -> None:
    files = TESTS.glob("stores/test_orchestrator_*.py")
    written = {name for path in files for name in TEST.findall(path.read_text())}
    assert sorted(set(FAULTS.values()) - written) == []
