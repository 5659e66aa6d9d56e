"""What the recorders promise beyond the wheel's test cases."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4

import pytest
from eventsourcing.persistence import DataError, IntegrityError, InterfaceError, StoredEvent

from ledger.backends.base import SessionQuery
from ledger.limits import TYPE_BYTES_MAX
from projections.eventsourcing import (
    LedgerApplicationRecorder,
    LedgerFactory,
    LedgerSnapshotRecorder,
)
from tests.support.builders import background, note


def stored(
    originator_id: UUID | str,
    versions: Sequence[int],
    *,
    topic: str = "topic",
    state: bytes = b"{}",
) -> list[StoredEvent]:
    return [StoredEvent(originator_id, version, topic, state) for version in versions]


@pytest.fixture
def factory(url: str) -> Iterator[LedgerFactory]:
    factory = LedgerFactory({"LEDGER_URL": url})
    yield factory
    factory.close()


@pytest.fixture
def recorder(factory: LedgerFactory) -> LedgerApplicationRecorder:
    recorder = factory.application_recorder()
    assert isinstance(recorder, LedgerApplicationRecorder)
    return recorder


def versions_of(events: Sequence[StoredEvent]) -> list[int]:
    return [event.originator_version for event in events]


@pytest.mark.parametrize("first", [0, 1])
def test_versions_go_on_wherever_they_began(
    recorder: LedgerApplicationRecorder, first: int
) -> None:
    one = uuid4()
    for version in range(first, first + 4):
        recorder.insert_events(stored(one, [version]))
    recorder.insert_events(stored(one, [first + 4, first + 5]))
    assert versions_of(recorder.select_events(one)) == list(range(first, first + 6))
    for version in (first, first + 5, first + 8):
        with pytest.raises(IntegrityError):
            recorder.insert_events(stored(one, [version]))
    assert [e.sequence for e in recorder.ledger.read(str(one))] == list(range(1, 7))


@pytest.mark.parametrize("versions", [[2], [-1], [1, 3], [2, 1], [1, 1]])
def test_versions_leave_no_gap(recorder: LedgerApplicationRecorder, versions: list[int]) -> None:
    with pytest.raises(IntegrityError):
        recorder.insert_events(stored(uuid4(), versions))
    assert recorder.max_notification_id() is None


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("desc", [False, True])
@pytest.mark.parametrize("limit", [None, 0, 1, 3, 20])
def test_a_selection_is_that_of_the_versions(
    recorder: LedgerApplicationRecorder, first: int, desc: bool, limit: int | None
) -> None:
    one = uuid4()
    everything = list(range(first, first + 10))
    recorder.insert_events(stored(one, everything[:5]))
    recorder.ledger.append(str(one), note("in between"))
    recorder.insert_events(stored(one, everything[5:]))
    for gt in (None, -1, 0, 1, 4, 9, 20):
        for lte in (None, -1, 0, 1, 5, 9, 20):
            wanted = [v for v in everything if gt is None or v > gt]
            wanted = [v for v in wanted if lte is None or v <= lte]
            wanted = (wanted[::-1] if desc else wanted)[:limit]
            found = recorder.select_events(one, gt=gt, lte=lte, desc=desc, limit=limit)
            assert versions_of(found) == wanted, (gt, lte)


@pytest.mark.parametrize("desc", [False, True])
@pytest.mark.parametrize("again", [0, 2, 7])
def test_a_selection_never_mixes_what_was_deleted_with_what_came_after(
    recorder: LedgerApplicationRecorder, monkeypatch: pytest.MonkeyPatch, desc: bool, again: int
) -> None:
    monkeypatch.setattr("projections.eventsourcing.recording.PAGE_EVENTS", 3)
    read = recorder.ledger.backend.read
    for number, after_read in enumerate((1, 2, 3)):
        one, reads = f"one{number}", 0

        def deleted_meanwhile(query: SessionQuery, one: str = one, at: int = after_read) -> Any:
            nonlocal reads
            page, reads = read(query), reads + 1
            if reads == at:
                assert recorder.ledger.delete(one, tenant=recorder.tenant)
                monkeypatch.setattr(recorder.ledger.backend, "read", read)
                recorder.insert_events(stored(one, range(1, again + 1), state=b"2"))
                monkeypatch.setattr(recorder.ledger.backend, "read", deleted_meanwhile)
            return page

        recorder.insert_events(stored(one, range(1, 4), state=b"0"))
        assert recorder.ledger.delete(one, tenant=recorder.tenant)
        recorder.insert_events(stored(one, range(1, 8), state=b"1"))
        monkeypatch.setattr(recorder.ledger.backend, "read", deleted_meanwhile)
        found = recorder.select_events(one, desc=desc)
        monkeypatch.setattr(recorder.ledger.backend, "read", read)
        assert reads >= after_read
        everything = stored(one, range(1, 8), state=b"1")
        assert found == (everything[::-1] if desc else everything)
        after = recorder.select_events(one)
        assert after == stored(one, range(1, again + 1), state=b"2")


def test_an_equal_event_of_another_writer_is_a_conflict(
    recorder: LedgerApplicationRecorder,
) -> None:
    event = stored(uuid4(), [1])
    recorder.insert_events(event)
    with pytest.raises(IntegrityError):
        recorder.insert_events(event)


def test_of_writers_of_the_same_version_one_wins(recorder: LedgerApplicationRecorder) -> None:
    one = uuid4()

    def write(writer: int) -> int:
        wins = 0
        for version in range(1, 21):
            try:
                recorder.insert_events(stored(one, [version], state=str(writer).encode()))
                wins += 1
            except IntegrityError:
                pass
        return wins

    writers = [background(lambda writer=writer: write(writer)) for writer in range(4)]
    assert sum(writer.result() for writer in writers) == 20
    assert versions_of(recorder.select_events(one)) == list(range(1, 21))


def test_aggregates_that_take_turns_keep_their_order(recorder: LedgerApplicationRecorder) -> None:
    one, two = uuid4(), uuid4()
    given = [*stored(one, [1]), *stored(two, [0]), *stored(one, [2, 3]), *stored(two, [1])]
    assert recorder.insert_events(given) == [1, 2, 3, 4, 5]
    found = [(n.originator_id, n.originator_version) for n in _all(recorder)]
    assert found == [(e.originator_id, e.originator_version) for e in given]
    more = [*stored(one, [4]), *stored(two, [2]), *stored(one, [5])]
    assert recorder.insert_events(more) == [6, 7, 8]
    with pytest.raises(IntegrityError):
        recorder.insert_events([*stored(one, [6]), *stored(two, [2]), *stored(one, [7])])
    assert recorder.max_notification_id() == 8
    assert recorder.ledger.verify().ok


@pytest.mark.parametrize("originator_id", [NAMESPACE_URL, str(NAMESPACE_URL), "../a:b ü"])
def test_ids_come_back_as_what_they_were(
    recorder: LedgerApplicationRecorder, originator_id: UUID | str
) -> None:
    given = stored(originator_id, [1], state=b"\x00\xff")
    recorder.insert_events(given)
    assert recorder.select_events(originator_id) == given
    assert [n.originator_id for n in _all(recorder)] == [originator_id]


def test_a_topic_may_be_longer_than_a_type(recorder: LedgerApplicationRecorder) -> None:
    topic = f"{'package.' * TYPE_BYTES_MAX}module:Aggregate.Event"
    recorder.insert_events(stored("one", [1], topic=topic))
    recorder.insert_events(stored("one", [2]))
    assert [n.topic for n in recorder.select_notifications(1, 10, topics=[topic])] == [topic]
    assert recorder.select_events("one")[0].topic == topic


def test_the_last_id_is_found_behind_many_others(recorder: LedgerApplicationRecorder) -> None:
    assert recorder.max_notification_id() is None
    recorder.insert_events(stored("one", [1]))
    for tenant in ("", "others"):
        recorder.ledger.append("noise", [note(str(n)) for n in range(100)], tenant=tenant)
    assert recorder.max_notification_id() == 1
    assert [n.id for n in recorder.select_notifications(1, 3)] == [1]


def test_what_the_ledger_refuses_is_one_of_the_librarys_errors(
    factory: LedgerFactory, recorder: LedgerApplicationRecorder
) -> None:
    with pytest.raises(DataError):
        recorder.insert_events(stored("one", [1], topic="a\x00b"))
    factory.close()
    with pytest.raises(InterfaceError):
        recorder.insert_events(stored("one", [1]))


def test_snapshots_come_in_any_order_and_with_gaps(factory: LedgerFactory) -> None:
    recorder = factory.aggregate_recorder("snapshots")
    assert isinstance(recorder, LedgerSnapshotRecorder)
    for version in (12, 4, 9):
        recorder.insert_events(stored("one", [version]))
    assert versions_of(recorder.select_events("one")) == [4, 9, 12]
    assert versions_of(recorder.select_events("one", lte=11, desc=True, limit=1)) == [9]
    assert versions_of(recorder.select_events("one", gt=4, lte=12, limit=1)) == [9]
    assert versions_of(recorder.select_events("one", gt=4, desc=True, limit=1)) == [12]
    assert factory.ledger.verify().events == 0


def _all(recorder: LedgerApplicationRecorder) -> Sequence:
    return recorder.select_notifications(None, 1_000)
