"""Files of agent-base, with lists of what happened in a run, moved into a snapshot store."""

import json
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from ledger.catalogue import RunStarted
from projections.session_stores.snapshot import SessionId, session_of_json
from tests.support.agent_sessions import runtime_event, store_of
from tests.support.cognee import START, Clock
from tests.support.views import views_of

GOLDEN = Path(__file__).parent / "golden"
#: As a directory has them: when each was written last, and what is in it. The newest comes first,
#: for names say nothing about times.
FILES: list[tuple[datetime, str]] = [
    (START + timedelta(days=9), (GOLDEN / "agent_base_0_1.json").read_text()),
    (START + timedelta(days=2), (GOLDEN / "agent_base_0_9.json").read_text()),
    *(
        (
            START + timedelta(days=number),
            json.dumps(
                {
                    "id": {"id": 100 + number, "external_id": f"ticket-{number}"},
                    "chat_messages": [{"User": {"content": f"question {number}"}}],
                    "always_allowed_actions": ["search"],
                    "total_tool_calls": number,
                }
            ),
        )
        for number in (7, 3, 5)
    ),
]
#: What a log of a session's run says, line by line.
LINES = [
    runtime_event("toolCallStarted", tool_name="search", args_json="{}"),
    runtime_event("toolCallFinished", tool_name="search", summary="found", denied=False),
    runtime_event("userEvent", event={"userEventType": "progress", "text": "half"}),
    runtime_event("runFinished"),
]


def move(store: Any, clock: Clock, steps: int | None = None) -> None:
    """Move all, or stop behind so many steps, as who is killed does."""
    for _ in islice(_steps(store, clock), steps):
        pass


def _steps(store: Any, clock: Clock) -> Any:
    for written_at, text in FILES:
        session, clock.now = session_of_json(text), written_at
        if store.load(session.id) is None:
            yield store.save(session)
    clock.now = FILES[0][0]
    yield store.append_event(42, RunStarted(), run_id="turn-001", event_id="turn-001")
    for number, event in enumerate(LINES):
        yield store.append_event(42, event, run_id="turn-001", event_id=f"turn-001 {number}")


def test_all_files_are_found_whole_however_often_the_move_was_begun(ledger: Any) -> None:
    clock, views = Clock(), views_of(ledger)
    store = store_of(ledger, clock=clock)
    for steps in (1, 3, 2, 4, None):
        move(store, clock, steps)
    heads = [ledger.head(one.id) for one in store.list()]
    move(store, clock)
    assert [ledger.head(one.id) for one in store.list()] == heads
    in_order = sorted(FILES, key=lambda file: file[0], reverse=True)
    ids = [session_of_json(text).id for _, text in in_order]
    assert store.list() == ids
    for written_at, text in FILES:
        wanted = session_of_json(text)
        found = store.load(wanted.id)
        assert found.chat_messages == wanted.chat_messages
        assert found.always_allowed_actions == wanted.always_allowed_actions
        assert (found.total_tool_calls, found.run_state) == (
            wanted.total_tool_calls,
            wanted.run_state,
        )
        row = views.session(found.id.id)
        assert (row.created_at, row.last_activity_at) == (written_at, written_at)
        said = views.messages(found.id.id)
        assert {one.created_at for one in said} == {written_at}
    assert store.load("ticket-5").id == SessionId("105", "ticket-5")


def test_what_happened_is_found_in_order(ledger: Any) -> None:
    clock, views = Clock(), views_of(ledger)
    store = store_of(ledger, clock=clock)
    move(store, clock, 8)
    move(store, clock)
    told = store.events(42, run_id="turn-001")
    assert [one.type for one in told] == [
        *("run.started", "tool.started", "tool.finished", "progress.reported", "run.finished")
    ]
    run = views.run("42", "turn-001")
    assert (run.status, run.tool_call_count, run.anomalies) == ("completed", 1, [])
    assert (run.started_at, run.ended_at) == (FILES[0][0], FILES[0][0])
    assert views.anomalies() == []
