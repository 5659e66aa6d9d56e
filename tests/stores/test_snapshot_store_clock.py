"""The snapshot store with a clock of its own: when what it is told happened."""

from typing import Any

import pytest

from ledger import EventIdReused, InvalidArgument, InvalidEvent, NewEvent
from ledger.catalogue import ProgressReported
from tests.support.agent_sessions import runtime_event, session_of, store_of, turn
from tests.support.builders import only_sync
from tests.support.cognee import START, Clock
from tests.support.views import views_of


def times(ledger: Any, key: str = "s") -> set[Any]:
    """Return when the facts of a session happened."""
    return {one.occurred_at for one in ledger.read(key)}


def test_what_is_saved_happens_when_the_clock_says(ledger: Any) -> None:
    clock, views = Clock(), views_of(ledger)
    store = store_of(ledger, clock=clock)
    saved = store.save(session_of(1).allowing("search"))
    assert times(ledger) == {START}
    clock.forward(60)
    # Of itself another store's object knows nothing of when it was stored.
    store.save(saved.with_message(*turn(2)), events=[runtime_event("textDelta", text="a")])
    row = views.session("s")
    assert (row.created_at, row.last_activity_at) == (START, clock.now)
    assert times(ledger) == {START, clock.now}
    assert [one.created_at for one in views.messages("s")][-1] == clock.now
    clock.forward(-30)  # a session that is brought in later may be older
    store.save(session_of(1, key="older"))
    assert [one.id for one in store.list()] == ["s", "older"]


def test_events_happen_when_they_say_or_the_clock_says(ledger: Any) -> None:
    clock = Clock()
    store = store_of(ledger, clock=clock)
    store.append_event("s", runtime_event("textDelta", text="a"))
    told = NewEvent(ProgressReported(text="b"), occurred_at=START.replace(year=2020))
    store.append_event("s", told)
    store.save(session_of(1, key="t"), events=[told])
    assert [one.occurred_at for one in store.events("s")] == [START, told.occurred_at]
    assert told.occurred_at in times(ledger, "t")


def test_an_event_that_is_repeated_later_is_stored_once(ledger: Any) -> None:
    clock = Clock()
    store, again = store_of(ledger, clock=clock), store_of(ledger)
    delta, progress = runtime_event("textDelta", text="a"), NewEvent(ProgressReported(text="b"))
    saved = store.save(session_of(1), events=[progress])
    first = store.append_event("s", delta, event_id="e")
    count = len(store.events("s"))
    clock.forward(5)
    for one in (store, again):
        assert one.append_event("s", delta, event_id="e") == first
    store.save(saved, events=[progress])
    assert len(store.events("s")) == count
    with pytest.raises(EventIdReused):
        store.append_event("s", runtime_event("textDelta", text="other"), event_id="e")
    store.delete("s")
    store.append_event("s", delta, event_id="e")  # in its next life it is a new one
    assert times(ledger) == {clock.now}


def test_a_save_happens_at_one_time_and_an_event_that_is_in_it_twice_is_one(ledger: Any) -> None:
    clock, progress = Clock(), NewEvent(ProgressReported(text="b"))

    def passing() -> Any:
        clock.forward(1)
        return clock.now

    events = [progress, runtime_event("textDelta", text="a"), progress]
    store_of(ledger, clock=passing).save(session_of(1), events=events)
    assert len(times(ledger)) == 1
    assert [one.event_id for one in ledger.read("s")].count(progress.event_id) == 1


@only_sync
def test_of_two_who_tell_one_event_at_once_both_have_told_it(ledger: Any) -> None:
    clock, progress = Clock(), NewEvent(ProgressReported(text="b"), event_id="e")
    first = store_of(ledger, clock=clock)
    first.save(session_of(1))

    def beaten() -> Any:
        told.append(first.append_event("s", progress))
        return START.replace(year=2020)

    told: list[int] = []
    second = store_of(ledger, clock=beaten)
    assert [second.append_event("s", progress)] == told
    first.delete("s")
    told.clear()
    saved = store_of(ledger, clock=lambda: beaten() if not told else clock.now)
    saved.save(session_of(1), events=[progress])
    assert [one.sequence for one in ledger.read("s") if one.event_id.startswith("e")] == told


def test_a_clock_that_tells_no_time_is_refused(ledger: Any) -> None:
    with pytest.raises(InvalidArgument, match="clock"):
        store_of(ledger, clock=START)
    with pytest.raises(InvalidArgument, match="clock"):
        store_of(ledger, clock=lambda: START.replace(tzinfo=None)).save(session_of(1))
    early = store_of(ledger, clock=lambda: START.replace(year=1969))
    with pytest.raises(InvalidEvent, match="occurred_at"):
        early.save(session_of(1))
    assert early.list() == []
