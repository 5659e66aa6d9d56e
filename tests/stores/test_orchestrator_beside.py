"""One ledger, several stores: what an orchestrator saves is seen by all, and what others say by it."""

from typing import Any

import pytest
from msgspec.structs import replace

from ledger import NewEvent
from projections.session_stores.orchestrator import EventRecord, ExecutionResult
from projections.session_stores.orchestrator import OrchestratorStore as Store
from projections.session_stores.qa import QAStore
from projections.session_stores.snapshot import (
    AgentSession,
    ChatMessage,
    SessionId,
    SnapshotStore,
)
from tests.stores.orchestrator_cases import (
    another,
    at,
    event,
    events,
    ids,
    queries_of,
    refused,
    run_of,
    session,
)
from tests.support.agent_sessions import store_of as snapshots_of
from tests.support.builders import DEADLINE_S, FOREVER_S, background, on_memory
from tests.support.cognee import store_of as answers_of


@pytest.fixture
def snapshots(store: Any) -> Any:
    """A snapshot store on the ledger of the orchestrator's."""
    return snapshots_of(store.ledger)


def test_a_session_that_others_began_without_an_agent_can_be_changed(
    store: Store, snapshots: SnapshotStore
) -> None:
    snapshots.save(AgentSession(id=SessionId("s")))
    found = store.get_session("s")
    assert found.agent_id == ""
    head = store.ledger.head("s")
    store.save_session(found)
    assert store.update_session("s", lambda one: one) == found
    store.flush(ExecutionResult(session=found, run=run_of()))
    assert store.ledger.head("s") == head + 2  # the run, and when the session was touched
    store.update_session("s", lambda one: replace(one, tags=["vip"], deleted_at=at(0)))
    assert store.get_session("s").tags == ["vip"]
    assert store.update_session("s", lambda one: replace(one, agent_id="a")).agent_id == "a"
    with refused("validation_error"):
        store.save_session(found)
    with refused("validation_error"):
        store.save_session(replace(found, id="new"))
    with refused("session_not_found"):
        store.get_session("new")


def test_what_was_said_and_done_is_in_every_view(store: Store, snapshots: SnapshotStore) -> None:
    store.save_session(session(status="active"))
    store.save_run(run_of(status="running", token_usage={"total_tokens": 7}, cost_usd=0.5))
    call = {"tool_call_id": "1", "tool_name": "t", "tool_input": {"a": 1}}
    store.append_events(
        [
            event(type="message_sent", data={"role": "user", "content": "hi"}, run_id="r"),
            event(type="tool_call_started", data=call, run_id="r"),
            event(type="message_received", data={"role": "assistant", "content": "ho"}),
        ]
    )
    run = store.views.run("s", "r")
    assert run is not None
    assert (run.status, run.message_count, run.tool_call_count) == ("running", 1, 1)
    assert (run.token_usage, run.cost_usd, run.anomalies) == ({"total_tokens": 7}, 0.5, [])
    assert [one.content for one in store.views.messages("s")] == ["hi", "ho"]
    loaded = snapshots.load("s")
    assert loaded is not None
    assert [(one.role, one.content) for one in loaded.chat_messages] == [
        ("user", "hi"),
        ("assistant", "ho"),
    ]
    assert [one.id for one in snapshots.list()] == ["s"]
    store.delete_session("s")
    assert (snapshots.load("s"), snapshots.list()) == (None, [])


def told_by_claude() -> list[EventRecord]:
    """Return what the adapters of the original append, each with fields of its provider's."""
    call = {"tool_call_id": "c1", "tool_name": "t", "tool_input": {"a": 1}}
    return [
        event("b1", "tool_call_started", data=call),
        event("b2", "tool_call_completed", data=call),
    ]


def told_by_amp() -> list[EventRecord]:
    """As `told_by_claude`; what was started repeats its input in the end."""
    call = {"tool_call_id": "c2", "tool_name": "t", "tool_input": {"text": "x" * 20_000}}
    failed = call | {"tool_output": "no", "is_error": True}
    error = {"provider": "amp", "kind": "unknown", "truncated?": None}
    said = {"error_code": "provider_error", "error_message": "m", "provider_error": error}
    return [
        event("a1", "tool_call_started", data=call),
        event("a2", "tool_call_failed", data=failed),
        event("a3", "error_occurred", data=said | {"permission_denials": []}),
    ]


def told_by_codex() -> list[EventRecord]:
    """As `told_by_claude`, of a thread and a turn of the provider's."""
    of = {"thread_id": "th", "turn_id": "1"}
    call = {"tool_call_id": "c3", "tool_name": "t"} | of
    return [
        event("x1", "tool_call_started", data=call | {"tool_input": {}}),
        event("x2", "tool_call_completed", data=call | {"tool_output": "out"}),
        event("x3", "message_received", data={"role": "assistant", "content": "ho"} | of),
    ]


def test_what_a_provider_says_besides_keeps_nothing_out_of_the_views(
    store: Store, snapshots: SnapshotStore
) -> None:
    store.save_session(session(status="active"))
    store.save_run(run_of(status="running"))
    given = [replace(one, run_id="r") for one in told_by_claude() + told_by_amp() + told_by_codex()]
    stored = store.append_events(given)
    assert [replace(one, sequence_number=None) for one in stored] == given
    assert store.append_events(given) == stored == store.get_events("s")
    calls = [one for one in store.views.traces("s") if one.kind == "tool"]
    assert [(one.status, one.output) for one in calls] == [
        ("ok", None),
        ("error", "no"),
        ("ok", "out"),
    ]
    assert {one.parent_span_id for one in calls} == {"run:r"}
    run = store.views.run("s", "r")
    assert run is not None
    assert (run.message_count, run.tool_call_count, run.error_count) == (1, 3, 1)
    [said] = store.views.messages("s")
    assert (said.role, said.content) == ("assistant", "ho")
    loaded = snapshots.load("s")
    assert loaded is not None
    assert [one.content for one in loaded.chat_messages] == ["ho"]
    assert store.views.anomalies("s") == []


@on_memory
def test_no_envelope_of_others_makes_a_session_unreadable(store: Store) -> None:
    for own in ({"data": {"error_message": 1, "provider_error": 2}}, {"data": 5}, {"data": {}}):
        for type in ("error_occurred", "message_received"):
            error = {"error_message": "m", "provider_error": {"provider": "p"}}
            metadata = own | {"type": type}
            store.ledger.append("s", NewEvent(error, "error.occurred", metadata=metadata))
    store.ledger.append("s", NewEvent({}, "message_received", metadata={"data": {"a": 1}}))
    found = store.get_events("s")
    assert len(found) == 7
    assert (found[-1].data, found[-1].metadata) == ({}, {"data": {"a": 1}})


def test_what_a_snapshot_store_saves_is_a_session_with_events(
    store: Store, snapshots: SnapshotStore
) -> None:
    wait_ms = int(FOREVER_S * 1_000)
    waiting = background(lambda: store.get_events("s", wait_timeout_ms=wait_ms, limit=1))
    said = ChatMessage.user("hi"), ChatMessage.assistant("ho")
    saved = snapshots.save(AgentSession(id=SessionId("s")).with_message(*said))
    assert [one.type for one in waiting.result(DEADLINE_S)] == ["message_sent"]
    assert [(one.id, one.status) for one in store.list_sessions()] == [("s", "active")]
    found = store.get_events("s")
    assert [(one.type, one.data["role"], one.data["content"]) for one in found] == [
        ("message_sent", "user", "hi"),
        ("message_received", "assistant", "ho"),
    ]
    assert store.get_latest_sequence("s") == found[-1].sequence_number
    assert ids(store.get_events("s", type="message_received")) == ids(found[1:])
    assert queries_of(store).get_session_stats("s").event_count == 2
    store.save_session(session(status="active"))
    store.append_event(event(data={"role": "assistant", "content": "more"}))
    again = snapshots.load("s")
    assert again is not None
    assert [one.content for one in again.chat_messages] == ["hi", "ho", "more"]
    assert saved.chat_messages == again.chat_messages[:2]


@on_memory
def test_what_others_did_is_told_in_the_orchestrators_words(store: Store) -> None:
    given = [
        NewEvent({"role": "system", "content": "be kind"}, "message.appended"),
        NewEvent({"delta": "h"}, "message.streamed"),
        NewEvent({"call_id": "c", "tool_name": "t"}, "tool.started", run_id="r"),
        NewEvent({"call_id": "c", "tool_output": 1, "tool_call_id": "p"}, "tool.finished"),
        NewEvent({"error_message": "m"}, "error.occurred", metadata={"of": "others"}),
    ]
    for one in given:
        store.ledger.append("s", one)
    found = store.get_events("s")
    assert [(one.type, one.data) for one in found] == [
        ("message_sent", {"role": "system", "content": "be kind"}),
        ("message_streamed", {"content": "h"}),
        ("tool_call_started", {"tool_call_id": "c", "tool_name": "t"}),
        ("tool_call_completed", {"tool_call_id": "p", "tool_output": 1}),
        ("error_occurred", {"error_message": "m"}),
    ]
    assert (found[2].run_id, found[4].metadata) == ("r", {"of": "others"})
    assert ids(found) == [one.event_id for one in given]


@on_memory
def test_the_statuses_of_other_writers_have_a_word_here(store: Store) -> None:
    store.ledger.append("s", NewEvent({"agent_id": "a", "status": "idle"}, "session.created"))
    assert store.get_session("s").status == "active"
    assert ids(store.list_sessions(status="active")) == ["s"]
    store.ledger.append("s", NewEvent({}, "session.closed"))
    assert store.get_session("s").status == "completed"
    assert ids(store.list_sessions(status=["completed", "failed"])) == ["s"]


@pytest.fixture
def answers(store: Any) -> Any:
    """A store of questions and answers on the ledger of the orchestrator's."""
    return answers_of(store.ledger)


def test_asm_1_5_42_98_a_session_that_others_began_keeps_its_status_when_it_is_saved(
    store: Store, snapshots: SnapshotStore, answers: QAStore
) -> None:
    answers.create_qa_entry("s", "Q", "A")
    snapshots.save(AgentSession(id=SessionId("t")))
    store.ledger.append("u", NewEvent({"agent_id": "z", "channel": "web"}, "session.created"))
    store.ledger.append("u", NewEvent({"status": "paused"}, "session.status_changed"))
    store.ledger.append("v", NewEvent({}, "session.closed"))
    store.ledger.fork("s", 2, "w")
    told = {"s": "active", "t": "active", "u": "paused", "v": "completed", "w": "active"}
    for id, status in told.items():
        begun = session(id, metadata={"n": 1})
        assert begun.status == "pending"
        for _ in range(2):
            store.save_session(begun)
            store.append_event(event("e", "session_created", session_id=id, timestamp=at(0)))
        store.flush(ExecutionResult(session=begun, run=run_of(id), events=[]))
        found = store.get_session(id)
        assert (found.status, found.agent_id, found.metadata) == (status, "a", {"n": 1})
    store.save_session(session("s", status="active"))
    store.save_session(session("s", status="completed"))
    assert store.get_session("s").status == "completed"
    with refused("invalid_transition"):
        store.save_session(session("s", status="active"))
    with refused("invalid_transition"):
        store.update_session("t", lambda one: replace(one, status="pending"))


def test_a_session_that_an_orchestrator_began_goes_back_for_nobody(
    store: Store, answers: QAStore
) -> None:
    store.save_session(session())
    answers.create_qa_entry("s", "Q", "A")
    store.save_session(session())
    assert store.get_session("s").status == "pending"
    store.save_session(session(status="active"))
    store.append_event(event("of nobody yet", session_id="t"))
    store.save_session(session("t"))
    store.save_session(session("t", status="active"))
    for id in ("s", "t"):
        with refused("invalid_transition"):
            store.save_session(session(id))
        with refused("invalid_transition"):
            store.flush(ExecutionResult(session=session(id), run=run_of(id)))


def test_a_save_of_a_session_that_others_began_is_stored_in_its_tenant(store: Store) -> None:
    mine, others = another(store, tenant="t"), another(store, tenant="u")
    for one, ours in ((mine, others), (others, mine)):
        id, tenant = ("s", "t") if one is mine else ("r", "u")
        begun = NewEvent({"agent_id": "z", "channel": "web"}, "session.created", occurred_at=at(0))
        store.ledger.append(id, begun, tenant=tenant)
        store.ledger.append(
            id, NewEvent({"status": "active"}, "session.status_changed"), tenant=tenant
        )
        ours.save_session(session(id))
        ours.save_session(session(id, status="active"))
        one.save_session(session(id, metadata={"n": 1}, updated_at=at(2**32)))
        found = one.get_session(id)
        assert (found.status, found.agent_id, found.metadata) == ("active", "a", {"n": 1})
        assert found.updated_at == at(2**32)
        with refused("invalid_transition"):
            ours.save_session(session(id))


def test_a_session_of_which_only_events_were_told_begins_as_it_is_saved(store: Store) -> None:
    for id, save in (
        ("s", store.save_session),
        ("t", lambda one: store.flush(ExecutionResult(session=one, run=run_of(one.id)))),
    ):
        store.append_event(event("e", session_id=id))
        save(session(id))
        assert store.get_session(id).status == "pending"


def test_a_forked_session_is_a_session(store: Store) -> None:
    store.save_session(session(created_at=at(0)))
    store.append_events(events("e1", "e2"))
    store.ledger.fork("s", 2, "t")
    assert store.get_session("t").status == "active"
    store.save_session(session("t", status="paused"))
    assert (store.get_session("t").agent_id, store.get_session("t").status) == ("a", "paused")
