"""Rows of AgentSessionManager's tables moved into an orchestrator's store: in parts, and begun anew."""

from itertools import groupby, islice
from typing import Any

from msgspec.structs import replace

from projections.session_stores.orchestrator import EventRecord, RunRecord, SessionRecord
from tests.stores.orchestrator_cases import another, at, ids
from tests.support.views import views_of

ENDS = {"completed", "failed", "cancelled", "timeout"}
SESSIONS = [
    SessionRecord(id="new", agent_id="a", created_at=at(9), updated_at=at(9), tags=["b", "a"]),
    SessionRecord(id="on", agent_id="a", status="active", created_at=at(5), updated_at=at(80)),
    SessionRecord(id="still", agent_id="b", status="paused", created_at=at(4), updated_at=at(7)),
    SessionRecord(
        id="done",
        agent_id="b",
        status="completed",
        parent_session_id="on",
        metadata={"k": {"deep": [1, None]}},
        context={"system": "Be kind."},
        created_at=at(10),
        updated_at=at(90),
    ),
    SessionRecord(id="bad", agent_id="b", status="failed", created_at=at(3), updated_at=at(6)),
    SessionRecord(id="no", agent_id="b", status="cancelled", created_at=at(2), updated_at=at(6)),
    SessionRecord(
        id="gone",
        agent_id="b",
        status="completed",
        created_at=at(1),
        updated_at=at(6),
        deleted_at=at(100),
    ),
]
RUNS = [
    RunRecord(
        id="r1",
        session_id="done",
        status="completed",
        input={"messages": [{"role": "user", "content": "hi"}]},
        output={"content": "hello"},
        metadata={"m": 1},
        turn_count=2,
        token_usage={"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
        cost_usd=0.25,
        started_at=at(20),
        ended_at=at(35),
        provider="claude",
        provider_metadata={"model": "m"},
    ),
    RunRecord(
        id="r2",
        session_id="done",
        status="failed",
        error={"code": "provider_error", "message": "no"},
        token_usage={"input_tokens": 3},
        started_at=at(36),
        ended_at=at(37),
    ),
    RunRecord(id="r3", session_id="done", status="cancelled", started_at=at(38), ended_at=at(39)),
    RunRecord(id="r4", session_id="done", status="timeout", started_at=at(40), ended_at=at(41)),
    RunRecord(
        id="r5",
        session_id="on",
        status="running",
        turn_count=1,
        token_usage={"input_tokens": 7},
        cost_usd=0.5,
        started_at=at(12),
        provider="amp",
    ),
    RunRecord(id="r6", session_id="on", status="pending", input={"prompt": "x"}, started_at=at(13)),
]
# Type, session, run, seconds, data; numbers of a session have gaps where it was pruned.
_EVENTS: list[tuple[int, str, str, str | None, float, dict[str, Any]]] = [
    (1, "session_created", "done", None, 10, {}),
    (2, "message_sent", "done", "r1", 20, {"content": "hi", "role": "user"}),
    (3, "run_started", "done", "r1", 20.5, {}),
    (4, "tool_call_started", "done", "r1", 21, {"tool_call_id": "t", "tool_name": "grep"}),
    (5, "tool_call_completed", "done", "r1", 22, {"tool_call_id": "t", "tool_name": "grep"}),
    (8, "message_received", "done", "r1", 34, {"content": "hello", "role": "assistant"}),
    (9, "run_completed", "done", "r1", 35, {"stop_reason": "end_turn"}),
    (10, "error_occurred", "done", "r2", 36.5, {"error_message": "no"}),
    (11, "session_completed", "done", None, 90, {}),
    (4, "message_streamed", "on", "r5", 12.5, {"content": "a"}),
    (5, "message_streamed", "on", "r5", 12.6, {"content": "b"}),
    (1, "message_received", "nobody's", None, 1, {"content": "alone", "role": "assistant"}),
]
EVENTS = [
    EventRecord(
        id=f"evt_{session_id}_{number}",
        type=type,
        session_id=session_id,
        run_id=run_id,
        timestamp=at(seconds),
        data=data,
        metadata={"seen": number},
        sequence_number=number,
        provider="claude",
        correlation_id="c",
    )
    for number, type, session_id, run_id, seconds, data in _EVENTS
]


def move(store: Any, steps: int | None = None) -> None:
    """Move all, or stop behind so many steps, as who is killed does."""
    for _ in islice(_steps(store), steps):
        pass


def _steps(store: Any) -> Any:
    begun = {one.id for one in store.list_sessions()}
    for session in SESSIONS:
        if session.id not in begun:
            status = "active" if session.status in ENDS else session.status
            yield store.save_session(
                replace(session, status=status, updated_at=None, deleted_at=None)
            )
        known = {run.id for run in store.list_runs(session.id)}
        for run in RUNS:
            if run.session_id == session.id and run.id not in known:
                yield store.save_run(_begun(run))
    for _, events in groupby(EVENTS, lambda event: event.session_id):
        yield store.append_events(list(events))
    for run in RUNS:
        yield store.save_run(run)
    for session in SESSIONS:
        yield store.save_session(session)


def _begun(run: RunRecord) -> RunRecord:
    """A run as it was before its events: what it used and came to is told at its end."""
    if run.status not in ENDS:
        return run
    return replace(
        run, status="running", ended_at=None, output=None, error=None, token_usage={}, cost_usd=None
    )


def test_all_rows_are_found_whole_however_often_the_move_was_begun(store: Any) -> None:
    for steps in (3, 9, 4, 8, 9, None):
        move(store, steps)
    heads = [store.ledger.head(one.id) for one in SESSIONS]
    move(another(store))
    assert [store.ledger.head(one.id) for one in SESSIONS] == heads
    assert [store.get_session(one.id) for one in SESSIONS] == SESSIONS
    assert [store.get_run(one.id) for one in RUNS] == RUNS
    assert ids(store.list_sessions()) == [
        one.id for one in sorted(SESSIONS, key=lambda one: one.created_at)
    ]
    assert ids(store.list_runs("done")) == ["r1", "r2", "r3", "r4"]
    assert store.get_active_run("on").id == "r5"


def test_events_are_found_in_their_order_under_their_ids_with_new_numbers(store: Any) -> None:
    move(store, 15)
    move(store)
    for session_id in ("done", "on", "nobody's"):
        wanted = [one for one in EVENTS if one.session_id == session_id]
        found = store.get_events(session_id)
        numbers = [one.sequence_number for one in found]
        assert numbers == sorted(set(numbers))
        assert [replace(one, sequence_number=None) for one in found] == [
            replace(one, sequence_number=None) for one in wanted
        ]
        # Whoever was at an event goes on from where that is now.
        at_second = store.append_event_with_sequence(wanted[0]).sequence_number
        assert ids(store.get_events(session_id, after=at_second)) == ids(wanted[1:])


def test_every_view_has_the_times_of_then(store: Any) -> None:
    move(store, 12)
    move(store)
    views = views_of(store.ledger)
    assert views.anomalies() == []
    for record in SESSIONS:
        row = views.session(record.id)
        assert (row.created_at, row.updated_at) == (record.created_at, record.updated_at)
        assert row.ended_at == (record.updated_at if record.status in ENDS else None)
        assert row.archived_at == record.deleted_at
    for run in RUNS:
        row = views.run(run.session_id, run.id)
        started_at = None if run.status == "pending" else run.started_at
        assert (row.started_at, row.ended_at) == (started_at, run.ended_at)
    assert [(one.content, one.created_at) for one in views.messages("done")] == [
        ("hi", at(20)),
        ("hello", at(34)),
    ]
    [day] = views.usage_totals(by=["day"])
    assert (day.day, day.input_tokens, day.cost_nano_usd) == ("2020-01-01", 20, 750_000_000)
