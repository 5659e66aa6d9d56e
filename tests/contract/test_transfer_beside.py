"""Imports beside live writers: what they began meanwhile is left alone, and so is the batch."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger import ImportReport, InvalidImport, NewEvent
from ledger.moments import from_microseconds
from ledger.transfer.importing import Importer
from tests.support.builders import note, only_sync, texts, together
from tests.support.exports import forged, in_export_order, sealed
from tests.support.interrupting import interrupted
from tests.support.rebuilds import sync_twin

BATCH_EVENTS = 4


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.transfer.importing.IMPORT_BATCH_EVENTS", BATCH_EVENTS)


def in_turns(*sessions: str, rounds: int) -> list[bytes]:
    """Return the lines of sessions that take turns, an event each."""
    return in_export_order(
        line
        for place, session in enumerate(sessions)
        for line in forged(session, *({"recorded_us": 100 * n + place} for n in range(rounds)))
    )


def after_the_first_batch(act: Callable[[], Any]) -> Callable[[ImportReport], None]:
    """Return a progress that does something once, between two batches."""
    left = [act]

    def progress(_: ImportReport) -> None:
        if left:
            left.pop()()

    return progress


def heads_of(ledger: Any, *sessions: str) -> list[int]:
    return [ledger.head(session) for session in sessions]


def test_who_goes_on_with_one_session_keeps_the_whole_batch_out(ledger: Any, url: str) -> None:
    lines = sealed(in_turns("s", "t", rounds=4))
    with sync_twin(ledger, url) as other:
        interfere = after_the_first_batch(lambda: other.append("s", note("mine")))
        with pytest.raises(InvalidImport) as caught:
            ledger.import_lines(lines, progress=interfere)
    assert heads_of(ledger, "s", "t") == [3, 2]
    assert texts(ledger.read("s", after=2)) == ["mine"]
    assert ledger.verify().findings == ()
    assert caught.value.line == 6
    assert caught.value.reason == "session 's' has another event 3 here"


def test_what_came_before_ones_own_event_is_no_way_around_it(ledger: Any, url: str) -> None:
    """The batch's first event of `s` is here, its second is not, and between them is another's."""
    lines = sealed(in_turns("s", "t", rounds=4))
    known = sealed(in_turns("s", rounds=3))

    def act() -> None:
        other.import_lines(known)
        other.append("s", note("mine"))

    with sync_twin(ledger, url) as other, pytest.raises(InvalidImport) as caught:
        ledger.import_lines(lines, progress=after_the_first_batch(act))
    assert heads_of(ledger, "s", "t") == [4, 2]
    assert texts(ledger.read("s", after=3)) == ["mine"]
    assert caught.value.line == 8


@only_sync
def test_who_begins_a_session_at_any_moment_keeps_the_whole_batch_out(ledger: Any) -> None:
    refused = 0
    for after in range(1, 50):
        sessions = [f"{name}{after}" for name in "abc"]
        importer = Importer(ledger.backend, ledger.door, lambda _: None, None, False)
        for line in sealed(in_turns(*sessions, rounds=5)):
            importer.add(line)
        begun: list[Any] = []

        def begin(begun: list[Any] = begun, session: str = sessions[1]) -> None:
            begun.append(ledger.append(session, note("mine")))

        try:
            interrupted(importer.finish(), after, begin)
            # If it was appended at all, then behind what was imported.
            heads = [5, 5 + len(begun), 5]
        except InvalidImport:
            refused += 1
            heads = [0, 1, 0]
        assert heads_of(ledger, *sessions) == heads
        if not begun:
            break
    assert (refused > 1, begun) == (True, [])
    assert ledger.verify().findings == ()


def test_imports_of_one_file_at_once_agree(ledger: Any) -> None:
    lines = sealed(in_turns("s", "t", "u", rounds=15))
    reports = together([lambda: ledger.import_lines(lines)] * 3)
    assert [getattr(report, "events", report) for report in reports] == [45, 45, 45]
    assert list(ledger.export_lines()) == lines


def test_an_import_goes_on_where_another_of_it_is(ledger: Any, url: str) -> None:
    lines = sealed(in_turns("s", "t", rounds=8))
    ahead = sealed(in_turns("s", "t", rounds=7)[:-1])
    with sync_twin(ledger, url) as other:
        interfere = after_the_first_batch(lambda: other.import_lines(ahead))
        assert ledger.import_lines(lines, progress=interfere).events == 16
    assert list(ledger.export_lines()) == lines


def test_who_goes_on_behind_the_files_end_is_no_obstacle(ledger: Any, url: str) -> None:
    lines = sealed(in_turns("s", "t", rounds=4))

    def act() -> None:
        other.import_lines(lines)
        other.append("s", note("mine"))

    with sync_twin(ledger, url) as other:
        assert ledger.import_lines(lines, progress=after_the_first_batch(act)).events == 8
    assert heads_of(ledger, "s", "t") == [5, 4]


def test_who_appends_the_same_facts_meanwhile_is_named(ledger: Any, url: str) -> None:
    """The same ids and contents, not the same events: the store takes them for repeats."""
    lines = sealed(in_turns("s", rounds=8))
    mine = [
        NewEvent({}, "note", event_id=f"e{n}", occurred_at=from_microseconds(occurred_us))
        for n, occurred_us in ((n, 1_700_000_000_000_000 + n) for n in range(5, 9))
    ]
    with sync_twin(ledger, url) as other:
        interfere = after_the_first_batch(lambda: other.append("s", mine))
        with pytest.raises(InvalidImport, match="'s' has another event 5 here"):
            ledger.import_lines(lines, progress=interfere)
    assert heads_of(ledger, "s") == [8]
    assert ledger.verify().findings == ()
