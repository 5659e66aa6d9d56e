"""What the tables of deviations are made of: why a line about a store has no test in its suite."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
REASON_CHARS_MIN = 20


class Deviation(NamedTuple):
    """Why no test here bears a line's id; `held_by` is the file and test that do, if any."""

    reason: str
    held_by: tuple[str, str] | None = None


def by_contract(reason: str, file: str, test: str) -> Deviation:
    """Return the deviation that a test of the contract holds, for every store."""
    return Deviation(reason, (f"tests/contract/{file}.py", test))


#: What no store has to see to, as it is on a ledger.
OF_EVERY_STORE = {
    "U-01": by_contract(
        "the ledger numbers events, for every store",
        "test_concurrency",
        "test_u_01_50_writers_of_20_appends_each_give_exactly_1",
    ),
    "U-04": by_contract(
        "a write is one append, which is all or nothing", "test_append_many", "test_u_04"
    ),
    "U-05": by_contract(
        "the store keeps nothing besides the views, which rebuild equal",
        "test_views_rebuild_equal",
        "test_a_rebuild_equals_what_incremental_folding_made",
    ),
    "U-19": by_contract("processes share a file through the ledger", "test_processes", "test_u_19"),
}


def misplaced(lines: Set[str], tested: Set[str], deviations: Mapping[str, Deviation]) -> list[str]:
    """Return what is not exactly one of a test and a deviation, and what is no line."""
    return sorted(
        line
        for line in lines | tested | deviations.keys()
        if line not in lines or (line in tested) == (line in deviations)
    )


def unexplained(deviations: Mapping[str, Deviation]) -> list[str]:
    """Return the lines whose deviation says too little, or whose test is not where it is said."""
    return sorted(
        line
        for line, (reason, held_by) in deviations.items()
        if len(reason) <= REASON_CHARS_MIN or not (held_by is None or _is_there(*held_by))
    )


def _is_there(file: str, test: str) -> bool:
    return f"def {test}" in (ROOT / file).read_text()
