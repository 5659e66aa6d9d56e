"""Random files: an import stores all of it, or up to a batch; never a fork without its parent."""

from collections.abc import Callable
from contextlib import suppress
from itertools import accumulate, count
from typing import Any

import msgspec
import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from ledger import ImportReport, InvalidImport
from tests.properties.profile import SEED, examples
from tests.support.builders import note, texts
from tests.support.exports import forged, hash_of, in_export_order, sealed

EXAMPLES = {"memory": 300, "sqlite": 40, "postgresql": 25}


class Drawn(msgspec.Struct, frozen=True):
    """A session: its times, where it was forked from, and what is wrong with it."""

    start_us: int
    steps_us: tuple[int, ...]
    parent: int | None
    at: int
    fault: str


sessions = st.builds(
    Drawn,
    st.integers(0, 20),
    st.lists(st.integers(0, 5), min_size=0, max_size=5).map(tuple),
    st.sampled_from([None, 0, 1, 2, 3]),
    st.integers(1, 6),
    st.sampled_from([""] * 9 + ["left out"] * 3 + ["begun here", "an id again"]),
)


def test_an_import_is_whole_or_ends_before_a_batch(
    url: str, open_ledger: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.transfer.importing.IMPORT_BATCH_EVENTS", 3)
    ledger = open_ledger(buckets=3)
    prefixes = (f"{number}:" for number in count())

    @seed(SEED)
    @examples(EXAMPLES[url.partition(":")[0]])
    @given(st.lists(sessions, min_size=3, max_size=6), st.none() | st.integers(0, 15))
    def check(drawn: list[Drawn], early: int | None) -> None:
        prefix = next(prefixes)
        names = [f"{prefix}{number}" for number in range(len(drawn))]
        lines = lines_of(drawn, names)
        kept = [number for number, one in enumerate(drawn) if one.fault != "left out"]
        file = in_export_order([line for number in kept for line in lines[number]])
        for number, one in enumerate(drawn):
            if one.fault == "begun here":
                ledger.append(names[number], note("mine"))
        good = all(one.fault in ("", "left out") for one in drawn) and all(
            parent_of(drawn, number) in (None, *kept) for number in kept
        )
        if early is not None:
            with suppress(InvalidImport):
                ledger.import_lines(sealed(file[:early]))
        before = sum(ledger.head(name) for name in names)
        reports = [ImportReport()]
        try:
            ledger.import_lines(sealed(file), progress=reports.append)
            assert good
        except InvalidImport:
            assert not good
        after = sum(ledger.head(name) for name in names)
        assert after - before == reports[-1].stored
        for number, one in enumerate(drawn):
            read = ledger.read(names[number])
            if one.fault == "begun here":
                assert texts(read) == ["mine"]
                continue
            hashes = [hash_of(line) for line in lines[number]]
            assert [event.event_hash for event in read] == hashes[: len(read)]
            parent = parent_of(drawn, number)
            if read and parent is not None:
                assert ledger.head(names[parent]) >= read[0].data["at"]
            assert ledger.verify(names[number]).findings == ()
        if good:
            assert after == len(file)
            assert ledger.import_lines(sealed(file)) == ImportReport(already_stored=len(file))

    check()
    assert ledger.verify().findings == ()
    assert list(ledger.export_lines())


def parent_of(drawn: list[Drawn], number: int) -> int | None:
    """Return which session a session was forked from: one of those before it."""
    parent = drawn[number].parent
    return parent % number if parent is not None and number else None


def lines_of(drawn: list[Drawn], names: list[str]) -> list[list[bytes]]:
    """Return the lines of each session, which has its fault."""
    lines: list[list[bytes]] = []
    for number, one in enumerate(drawn):
        times = accumulate(one.steps_us, initial=one.start_us)
        events: list[dict[str, Any]] = [{"recorded_us": time_us} for time_us in times]
        if one.fault == "an id again":
            events += [{"recorded_us": 40, "event_id": "e1"}]
        parent = parent_of(drawn, number)
        start = None
        if parent is not None:
            at = 1 + one.at % len(lines[parent])
            start = hash_of(lines[parent][at - 1])
            place = {"at": at, "parent": names[parent]}
            payload = msgspec.json.encode(place)
            events[0] |= {"type": "session.forked", "payload": payload}
        lines.append(forged(names[number], *events, start=start))
    return lines
