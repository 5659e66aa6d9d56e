"""Flushing an execution: all of it or nothing."""

from collections import UserList, deque
from typing import Any

import pytest
from msgspec.structs import replace

from projections.session_stores.orchestrator import ExecutionResult, StoreRefused
from projections.session_stores.orchestrator import OrchestratorStore as Store
from tests.stores.orchestrator_cases import (
    another,
    at,
    event,
    events,
    ids,
    refused,
    run_of,
    session,
)
from tests.support.builders import on_memory

SESSION = session(status="completed", created_at=at(0), updated_at=at(5))
RUN = run_of(status="completed", output={"o": 1}, started_at=at(1), ended_at=at(4))
EVENTS = [
    event("e1", "run_started", run_id="r"),
    event("e2", "message_received", run_id="r", data={"role": "assistant", "content": "x"}),
    event("e3", "run_completed", run_id="r"),
]
WHOLE = ExecutionResult(session=SESSION, run=RUN, events=EVENTS)


def nothing_stored(store: Store) -> bool:
    return store.ledger.list_session_ids().session_ids == []


def test_asm_72_73_u23_everything_of_an_execution_is_one_stretch_of_the_log(store: Store) -> None:
    store.flush(WHOLE)
    assert (store.get_session("s"), store.get_run("r")) == (SESSION, RUN)
    assert store.views.anomalies("s") == []
    found = store.get_events("s")
    assert [(one.id, one.type) for one in found] == [(one.id, one.type) for one in EVENTS]
    assert [one.type for one in store.ledger.read("s")] == [
        *("session.created", "run.started", "run_started", "message.appended"),
        *("run_completed", "run.finished", "session.status_changed"),
    ]


def test_asm_72_a_flush_ends_what_was_saved_before(store: Store) -> None:
    store.save_session(session(status="active", created_at=at(0)))
    store.save_run(run_of(status="running", started_at=at(1)))
    store.flush(WHOLE)
    assert (store.get_session("s"), store.get_run("r")) == (SESSION, RUN)
    assert store.views.anomalies("s") == []


def test_the_metadata_of_the_provider_is_kept_with_the_run(store: Store) -> None:
    run = replace(RUN, provider_metadata={"a": 1, "b": 1})
    told = {"b": 2, "c": 3}
    store.flush(ExecutionResult(session=SESSION, run=run, events=[], provider_metadata=told))
    assert store.get_run("r").provider_metadata == {"a": 1, "b": 2, "c": 3}


def test_asm_74_u21_a_flush_with_anything_bad_leaves_nothing(store: Store) -> None:
    bad: Any
    for bad in ({"id": "x"}, None, event(data={"x": float("inf")})):
        with refused("validation_error"):
            store.flush(replace(WHOLE, events=[EVENTS[0], bad]))
    for bad in (
        None,
        {},
        replace(WHOLE, run=None),
        replace(WHOLE, events=None),
        replace(WHOLE, provider_metadata=None),
        replace(WHOLE, provider_metadata=5),
    ):
        with refused("validation_error"):
            store.flush(bad)
    for bad in ({"run": run_of("t")}, {"events": [*EVENTS, event(session_id="t")]}):
        with refused("session_mismatch"):
            store.flush(replace(WHOLE, **bad))
    with refused("session_not_found"):
        store.get_session("s")
    with refused("run_not_found"):
        store.get_run("r")
    assert nothing_stored(store)


def test_asm_74_a_flush_with_a_reused_id_leaves_nothing(store: Store) -> None:
    store.append_event(event("e2"))
    with refused("already_exists"):
        store.flush(WHOLE)
    with refused("session_not_found"):
        store.get_session("s")
    assert ids(store.get_events("s")) == ["e2"]


def test_asm_u22_a_repeated_flush_changes_nothing_and_a_stale_one_undoes_no_end(
    store: Store,
) -> None:
    store.flush(WHOLE)
    head = store.ledger.head("s")
    store.flush(WHOLE)
    assert store.ledger.head("s") == head
    stale = replace(WHOLE, session=session(status="active"), events=events("late"))
    with refused("invalid_transition"):
        store.flush(stale)
    assert store.get_session("s").status == "completed"
    assert ids(store.get_events("s")) == ["e1", "e2", "e3"]


def test_a_flush_reopens_before_it_works_and_is_changed_when_it_says(store: Store) -> None:
    free = another(store, enforce_transitions=False)
    free.flush(WHOLE)
    session_again = replace(SESSION, status="active", updated_at=at(9))
    run_again = replace(RUN, status="running", ended_at=None)
    message = event("e4", data={"role": "user", "content": "more"}, run_id="r", timestamp=at(8))
    again = ExecutionResult(session=session_again, run=run_again, events=[message])
    for _ in range(2):
        free.flush(again)
        assert (store.get_session("s"), store.get_run("r")) == (session_again, run_again)
    reasons = [one.reason for one in store.views.anomalies("s")]
    assert reasons == ["applied, active does not follow completed"]
    assert ids(store.get_events("s")) == ["e1", "e2", "e3", "e4"]


@on_memory
def test_asm_72_events_are_any_sequence_but_text(store: Store) -> None:
    assert ids(store.append_events(deque([event("e1"), event("e2")]))) == ["e1", "e2"]
    store.flush(replace(WHOLE, events=UserList([event("e3")])))
    assert ids(store.get_events("s")) == ["e1", "e2", "e3"]
    wrong: list[Any] = ["text", b"x", {}, {"e4"}, iter([event("e4")]), 7, None]
    for events_ in wrong:
        for tell in (store.append_events, lambda one: store.flush(replace(WHOLE, events=one))):
            with pytest.raises(StoreRefused, match="expected a list of events"):
                tell(events_)
    assert len(store.get_events("s")) == 3
