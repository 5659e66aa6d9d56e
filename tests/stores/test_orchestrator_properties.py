"""Whatever was saved and said before, a record is what is read after it was saved."""

from random import Random
from typing import Any

import msgspec
import pytest

from ledger import NewEvent
from projections.session_stores.orchestrator import ExecutionResult, RunRecord, SessionRecord
from projections.session_stores.orchestrator import OrchestratorStore as Store
from projections.session_stores.orchestrator.records import (
    EVENT_TYPES,
    RUN_STATUSES,
    SESSION_STATUSES,
)
from tests.stores.orchestrator_cases import another, at, event, run_of, session
from tests.support.builders import on_memory, only_sync

STEPS = 60
#: What others may say of the session and of the run, before they are saved, between and after.
SAID: list[tuple[str, dict[str, Any]]] = [
    ("session.rekeyed", {"agent_id": "z", "parent_session_id": "z"}),
    ("session.amended", {"metadata": {"f": 1}}),
    *(("session.status_changed", {"status": status}) for status in ("idle", "active")),
    ("session.closed", {}),
    ("session.tagged", {"added": ["f"]}),
    ("session.archived", {}),
    ("message.appended", {"role": "user", "content": "x"}),
    ("usage.recorded", {"provider": "f", "total_tokens": 4, "cost_usd": 0.25}),
    ("run.amended", {"output": 5, "metadata": {"f": 2}}),
    ("run.started", {}),
    ("run.failed", {"error": {"x": 1}}),
]
VALUES: list[Any] = [None, 0, 1, True, 1.0, "", [], {}, {"a": 1}, {"a": True}, [1], [1.0]]
OBJECTS: list[dict[str, Any]] = [one for one in VALUES if isinstance(one, dict)]


def any_session(random: Random) -> SessionRecord:
    return session(
        status=random.choice(SESSION_STATUSES),
        agent_id=random.choice("ab"),
        parent_session_id=random.choice([None, "p", "q"]),
        metadata=random.choice(OBJECTS),
        context=random.choice(OBJECTS),
        tags=random.sample("abcd", random.randint(0, 4)),
        created_at=at(0),
        updated_at=at(random.randint(1, 9)),
        deleted_at=random.choice([None, None, at(3), at(4)]),
    )


def any_run(random: Random) -> RunRecord:
    status = random.choice(RUN_STATUSES)
    return run_of(
        status=status,
        input=random.choice(VALUES),
        output=random.choice(VALUES),
        error=random.choice([None, {}, {"code": "c", "message": "m"}, {"code": 5}]),
        metadata=random.choice(OBJECTS),
        turn_count=random.randint(0, 4),
        token_usage=random.choice([{}, {"input_tokens": random.randint(0, 5)}, {"own": 3}]),
        cost_usd=random.choice([None, 0.0, 0.5, 1.25, 0.1]),
        started_at=at(0),
        ended_at=None if status in ("pending", "running") else at(random.randint(1, 9)),
        provider=random.choice([None, "p", "q"]),
        provider_metadata=random.choice([{}, {"model": "m"}, {"model": 5}]),
    )


def check_saved(store: Store, *saved: SessionRecord | RunRecord) -> None:
    for one in saved:
        found = store.get_session("s") if isinstance(one, SessionRecord) else store.get_run(one.id)
        # As text, for 1, 1.0 and True are equal and yet not the same.
        assert msgspec.json.encode(found) == msgspec.json.encode(one)


@only_sync  # the facts are the same
@on_memory
@pytest.mark.parametrize("seed", range(4))
def test_a_record_is_what_was_saved_whatever_was_there(store: Store, seed: int) -> None:
    random = Random(seed)
    free = another(store, enforce_transitions=False)
    for step in range(STEPS):
        kind = random.choice(["said", "said", "session", "run", "flush", "deleted"])
        told, ran = any_session(random), any_run(random)
        if kind == "said":
            type, data = random.choice(SAID)
            store.ledger.append("s", NewEvent(data, type, run_id="r", occurred_at=at(0)))
        elif kind == "deleted":
            free.delete_session("s")
        elif kind == "flush":
            one = event(f"e{step}", random.choice(EVENT_TYPES), timestamp=at(1), data={"n": step})
            free.flush(ExecutionResult(session=told, run=ran, events=[one]))
            check_saved(free, told, ran)
            assert free.get_events("s", type=one.type)[-1].id == one.id
        else:
            save, record = {
                "session": (free.save_session, told),
                "run": (free.save_run, ran),
            }[kind]
            save(record)
            check_saved(free, record)
            head = store.ledger.head("s")
            save(record)
            assert store.ledger.head("s") == head
