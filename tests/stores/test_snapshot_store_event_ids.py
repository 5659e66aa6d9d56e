"""Ids that callers give to events, in one life of a session and in the next; names carry agent-base's ids."""

from hashlib import sha256
from typing import Any

import pytest

from ledger import EventIdReused, InvalidEvent, NewEvent
from projections.session_stores.snapshot import SnapshotStore
from tests.support.agent_sessions import runtime_event, session_of, store_of
from tests.support.builders import on_memory, only_sync
from tests.support.views import views_of

DELTA = runtime_event("textDelta", text="a")
STARTED = runtime_event("toolCallStarted", tool_name="t", args_json="{}")
ENDED = runtime_event("toolCallFinished", tool_name="t", summary="ok")
# As long as an id may be, or nearly, in characters of one byte and of more.
LONG = ("e" * 512, "e" * 511, "é" * 256, "e" * 508)


def ids(store: Any, key: str = "s") -> list[str]:
    """Return the ids of a session's events, but for those of its saves."""
    saves = ("session.created", "message.appended", "snapshot.saved")
    return [one.event_id for one in store.events(key) if one.type not in saves]


@pytest.mark.parametrize("saved", [True, False], ids=["saved anew", "begun by the event"])
def test_c_09_u_12_an_id_of_a_deleted_session_is_new_in_the_next(ledger: Any, saved: bool) -> None:
    store = store_of(ledger)
    for _ in range(3):
        if saved:
            store.save(session_of(turns=0))
        head = ledger.head("s")
        told = [store.append_event("s", DELTA, event_id="e1") for _ in range(2)]
        assert told == [head + 1, head + 1]
        [event] = store.events("s", types=["message.streamed"])
        assert (event.sequence, event.event_id, event.metadata) == (head + 1, "e1", {})
        assert event.data == {"delta": "a"}
        with pytest.raises(EventIdReused):
            store.append_event("s", runtime_event("textDelta", text="b"), event_id="e1")
        assert store.append_event("s", DELTA, event_id="e2") == head + 2
        assert ids(store) == ["e1", "e2"]
        assert store.delete("s") is True


def test_c_09_an_event_with_an_id_of_its_own_is_new_in_the_next_session_too(ledger: Any) -> None:
    store = store_of(ledger)
    metadata = {"id": 7, "metadata": {"id": "e1"}}
    one = NewEvent({"n": 1}, "note", event_id="e1", metadata=metadata)
    other = NewEvent({"n": 2}, "note", event_id="e2")
    for _ in range(3):
        saved = store.save(session_of(turns=0), events=[one])
        at = store.append_event("s", other)
        assert [store.append_event("s", told) for told in (one, other)] == [at - 2, at]
        assert store.save(store.load("s"), events=[one, other]).version == at == saved.version + 1
        found = store.events("s", types=["note"])
        assert [(event.event_id, event.metadata) for event in found] == [
            ("e1", metadata),
            ("e2", {}),
        ]
        store.delete("s")


def test_c_09_the_end_of_a_call_is_repeated_in_every_life(ledger: Any) -> None:
    store = store_of(ledger)
    for _ in range(2):
        store.save(session_of(turns=0))
        head = ledger.head("s")
        for call in ("c1", "c2"):
            store.append_event("s", STARTED, event_id=call)
        ends = [store.append_event("s", ENDED, event_id=one) for one in ("d1", "d1", "d2", "d1")]
        assert ends == [head + 3, head + 3, head + 4, head + 3]
        calls = [event.data["call_id"] for event in store.events("s", after=head)]
        assert calls == ["c1", "c2", "c1", "c2"]
        store.delete("s")


@pytest.mark.parametrize("event_id", LONG, ids=["512", "511", "256 x 2", "508"])
def test_u_17_ids_of_any_length_are_new_in_the_next_session(ledger: Any, event_id: str) -> None:
    store = store_of(ledger)
    for _ in range(3):
        store.save(session_of(turns=0))
        told = [store.append_event("s", DELTA, event_id=event_id) for _ in range(2)]
        assert told == [ledger.head("s")] * 2
        assert ids(store) == [event_id]
        for wrong in (event_id + "xxxxx", event_id + "@1@22"):
            with pytest.raises(InvalidEvent, match="512 bytes"):
                store.append_event("s", DELTA, event_id=wrong)
        store.delete("s")


def test_c_09_ids_that_look_like_ids_of_another_life_are_ids_of_their_own(ledger: Any) -> None:
    store, long = store_of(ledger), "e" * 512
    before = ["e@5", "e", "e@4", long]
    numbers = [store.append_event("s", DELTA, event_id=one) for one in [*before, *before]]
    assert numbers == [1, 2, 3, 4] * 2
    assert ids(store) == before
    assert [store.delete("s") for _ in range(2)] == [True, False]
    assert ledger.head("s") == 5
    digest = sha256(long.encode()).hexdigest()
    given = ["e", "e@5", "e@5@5", "e@4", "e@0", "@5", "e@٥", "e@05"]
    given += [long, digest, f"{digest}@5", f"{digest}@05", f"{long[2:]}@5"]
    numbers = [store.append_event("s", DELTA, event_id=one) for one in [*given, *given]]
    assert numbers == [*range(6, 6 + len(given))] * 2
    assert ids(store) == given


@on_memory
@only_sync
def test_c_09_events_that_older_programs_stored_are_repeated_and_read_as_they_are(
    ledger: Any,
) -> None:
    store: SnapshotStore = store_of(ledger)
    payload = {"delta": "a"}
    for event_id in ("e1", "e2@0", "e3@7"):
        ledger.append("s", NewEvent(payload, "message.streamed", event_id=event_id))
        assert store.append_event("s", DELTA, event_id=event_id) == ledger.head("s")
    store.delete("s")
    # Who stored ids as they were given in a later life could do so with those that were new.
    odd = {"id": "e4", "metadata": {}}
    for event_id, metadata in (("e4", None), ("e5@4", None), ("e6", odd), ("e4@05", odd)):
        told = NewEvent(payload, "message.streamed", event_id=event_id, metadata=metadata)
        ledger.append("s", told)
        assert store.append_event("s", told) == ledger.head("s")
        assert (store.events("s")[-1].event_id, store.events("s")[-1].metadata) == (
            event_id,
            metadata or {},
        )


@on_memory
@only_sync
def test_u_18_metadata_is_checked_in_every_life(ledger: Any) -> None:
    store = store_of(ledger)
    store.append_event("s", DELTA, event_id="e")
    store.delete("s")
    wrong: Any = [7]
    for metadata in (wrong, {"a": float("nan")}):
        with pytest.raises(InvalidEvent, match="metadata"):
            store.append_event("s", NewEvent({}, "note", event_id="e", metadata=metadata))
    with pytest.raises(InvalidEvent, match="event_id"):
        store.append_event("s", DELTA, event_id=wrong)
    assert store.events("s") == []


@on_memory
@only_sync
def test_c_09_what_was_noted_with_a_marked_event_is_where_views_look_for_it(ledger: Any) -> None:
    store, views = store_of(ledger), views_of(ledger)
    said = {"message_id": "m", "role": "user", "content": "x"}
    told = NewEvent(said, "message.appended", event_id="e@1", metadata={"a": 1})
    for _ in range(2):
        store.append_event("s", told)
        [message] = views.messages("s")
        assert message.metadata["a"] == 1
        [event] = store.events("s")
        assert (event.event_id, event.metadata) == ("e@1", {"a": 1})
        store.delete("s")
