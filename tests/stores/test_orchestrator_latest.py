"""The number of the newest event is that of the last one that is shown."""

from typing import Any

import pytest

from ledger import NewEvent
from projections.session_stores.orchestrator import OrchestratorStore as Store
from projections.session_stores.orchestrator import RetentionPolicy
from tests.stores.orchestrator_cases import event, events, numbers, session, upkeep_of
from tests.support.cognee import START

#: Facts that the store reads and has no word for, or hides.
UNSHOWN = {
    "thought": NewEvent({"delta": "hmm", "kind": "thought"}, "message.streamed"),
    "bytes": NewEvent(b"?", "message.appended", content_type="application/octet-stream"),
    "another store's": NewEvent({}, "note"),
}


def last_shown(store: Any) -> int:
    """Return the number of the last event of all that are shown, read in pages as a consumer does."""
    cursor = 0
    while cursor < store.get_latest_sequence("s"):
        page = store.get_events("s", after=cursor, limit=2)
        assert page, "the number is of an event that is never shown"
        cursor = numbers(page)[-1] or 0
    assert store.get_events("s", after=cursor) == []
    return cursor


@pytest.mark.parametrize("name", UNSHOWN)
def test_what_is_not_shown_is_no_newest_event(store: Store, name: str) -> None:
    store.ledger.append("s", UNSHOWN[name])
    assert last_shown(store) == 0
    store.append_event(event("e"))
    store.ledger.append("s", [UNSHOWN[name]] * 5)
    assert last_shown(store) == 2


def test_what_was_pruned_is_no_newest_event(store: Store) -> None:
    store.save_session(session())
    message = event("message", "message_sent", data={"role": "user", "content": "a"})
    pieces = events("p", "q", type="message_streamed", data={"content": "b"})
    store.append_events([message, *pieces])
    upkeep = upkeep_of(store, lambda: START)
    assert upkeep.prune_session_events("s", RetentionPolicy(max_events_per_session=1)) == 2
    assert last_shown(store) == 2
    # A message goes as it was then; what is said of it later is shown.
    for named in ({"sequences": [2]}, {"message_ids": ["message"]}):
        store.ledger.append("s", NewEvent({"reason": "x"} | named, "content.redacted"))
        assert last_shown(store) == 0
    again = {"message_id": "message", "role": "user", "content": "again"}
    store.ledger.append("s", NewEvent(again, "message.appended"))
    assert last_shown(store) == 8
    store.ledger.append("s", NewEvent({"reason": "x"} | named, "content.redacted"))
    assert last_shown(store) == 0


def test_long_hidden_ends_are_walked_through(store: Store) -> None:
    store.append_events(events("first", *(f"e{n}" for n in range(3_000))))
    for start in range(2, 3_002, 1_000):
        hidden = {"reason": "x", "sequences": list(range(start, start + 1_000))}
        store.ledger.append("s", NewEvent(hidden, "content.redacted"))
    assert last_shown(store) == 1


def test_behind_a_deletion_only_what_came_later_counts(store: Store) -> None:
    store.append_events(events("e", "f"))
    store.delete_session("s")
    assert last_shown(store) == 0
    store.ledger.append("s", UNSHOWN["thought"])
    assert last_shown(store) == 0
    store.append_event(event("e"))
    assert last_shown(store) == 5
    store.ledger.append("s", UNSHOWN["thought"])
    assert last_shown(store) == 5
