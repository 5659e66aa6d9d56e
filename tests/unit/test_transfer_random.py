"""Random histories survive export and import, and an export's memory does not grow with them."""

import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import Append, InvalidArgument, Ledger, NewEvent, SequenceConflict

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
IDS = st.sampled_from(["a", "b", "../c", "ü:会", " x\n"])
TENANTS = st.sampled_from(["", "t"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
EVENTS = st.builds(NewEvent, OBJECTS, type=st.just("x"), metadata=OBJECTS) | st.builds(
    NewEvent, st.binary(max_size=20), type=st.just("x"), content_type=st.just("x/y")
)
APPENDS = st.builds(Append, IDS, st.lists(EVENTS, min_size=1, max_size=3), TENANTS)
STEPS = st.lists(
    st.tuples(st.just("append"), st.lists(APPENDS, min_size=1, max_size=3))
    | st.tuples(st.just("fork"), st.tuples(IDS, st.integers(1, 4), TEXT, TENANTS))
    | st.tuples(st.just("delete"), st.tuples(IDS, TENANTS)),
    max_size=12,
)


def play(ledger: Ledger, steps: list[tuple[str, Any]]) -> None:
    for verb, arguments in steps:
        if verb == "append":
            ledger.append_many(arguments)
        elif verb == "delete":
            ledger.delete(arguments[0], tenant=arguments[1])
        else:
            parent, at, into, tenant = arguments
            # There may be no such event to fork from, or the fork may exist already.
            with suppress(InvalidArgument, SequenceConflict):
                ledger.fork(parent, at, f"fork {into}", tenant=tenant)


@given(STEPS, st.integers(1, 9), st.integers(1, 9), st.data())
@settings(max_examples=150, deadline=None)
def test_random_histories_arrive_to_the_byte(
    steps: list[tuple[str, Any]], from_buckets: int, to_buckets: int, data: st.DataObject
) -> None:
    with (
        Ledger.open("memory:", buckets=from_buckets) as source,
        Ledger.open("memory:", buckets=to_buckets) as target,
    ):
        pause = data.draw(st.integers(0, len(steps)))
        play(source, steps[:pause])
        early = list(source.export_lines())
        play(source, steps[pause:])
        lines = list(source.export_lines())
        target.import_lines(early)
        report = target.import_lines(lines)
        assert (report.events, report.already_stored) == (len(lines) - 2, len(early) - 2)
        assert list(target.export_lines()) == lines
        assert target.verify().findings == ()


def peak_of_an_export(ledger: Ledger) -> int:
    tracemalloc.start()
    for _ in ledger.export_lines():
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def peak_of_an_import(ledger: Ledger, path: Path) -> int:
    tracemalloc.start()
    with path.open("rb") as lines:
        ledger.import_lines(lines)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def fill(ledger: Ledger, count: int) -> None:
    for first in range(0, count, 100):
        events = [NewEvent({"n": n, "text": "x" * 50}, "x") for n in range(100)]
        ledger.append(f"s{first // 100 % 40}", events)


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    with Ledger.open(f"sqlite:///{tmp_path}/source.db", buckets=8) as ledger:
        fill(ledger, 3_000)
        small = peak_of_an_export(ledger)
        fill(ledger, 9_000)
        large = peak_of_an_export(ledger)
        with path.open("wb") as file:
            file.writelines(ledger.export_lines())
    assert large < 1.2 * small, (small, large)
    with Ledger.open(f"sqlite:///{tmp_path}/target.db", buckets=8) as ledger:
        importing = peak_of_an_import(ledger, path)
    # A batch of 500 lines with everything that is made of them, not 12,000.
    assert importing < 8_000_000
