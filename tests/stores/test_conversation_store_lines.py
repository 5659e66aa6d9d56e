"""Every line about soldier's store is a test of ours or a deviation with its reason."""

import re
from pathlib import Path

from tests.stores.deviations import misplaced, unexplained
from tests.stores.soldier_deviations import DEVIATIONS

HERE = Path(__file__).parent
#: The behaviours, the weaknesses, and the rules for every store.
LINES = {
    *(f"A-{number:02}" for number in range(1, 58)),
    *(f"A-W{number}" for number in range(1, 9)),
    *(f"U-{number:02}" for number in range(1, 26)),
}
# One id or several, a letter before each or only before the first; "a_29_to_a_34" is a range.
NAMED = re.compile(r"^def test_((?:[au]_w?\d+|\d+|to)(?:_(?:[au]_w?\d+|\d+|to))*)_", re.MULTILINE)


def ids_of(name: str) -> set[str]:
    """Return the ids in the beginning of a test's name."""
    found: list[tuple[str, int]] = []
    letter, spans = "", False
    for part in name.split("_"):
        if part in ("a", "u"):
            letter = f"{part.upper()}-"
        elif part == "to":
            spans = True
        else:
            kind = letter + ("W" if part[0] == "w" else "")
            number = int(part.lstrip("w"))
            first = found[-1][1] + 1 if spans else number
            found += [(kind, one) for one in range(first, number + 1)]
            spans = False
    return {
        f"{kind}{number}" if kind.endswith("W") else f"{kind}{number:02}" for kind, number in found
    }


def ids_of_tests() -> set[str]:
    """Return the ids that names of tests begin with."""
    names = [
        name
        for path in HERE.glob("test_conversation_store_*.py")
        for name in NAMED.findall(path.read_text())
    ]
    return {one for name in names for one in ids_of(name)}


def test_ids_are_read_out_of_names() -> None:
    assert ids_of("a_01") == {"A-01"}
    assert ids_of("a_w2_u_12") == {"A-W2", "U-12"}
    assert ids_of("a_14_15_16") == {"A-14", "A-15", "A-16"}
    assert ids_of("a_29_to_a_31") == {"A-29", "A-30", "A-31"}


def test_every_line_is_a_test_or_a_deviation_and_not_both() -> None:
    assert misplaced(LINES, ids_of_tests(), DEVIATIONS) == []


def test_a_deviation_says_why_and_who_holds_it_instead() -> None:
    assert unexplained(DEVIATIONS) == []
