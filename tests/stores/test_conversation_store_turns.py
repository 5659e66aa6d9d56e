"""What turns of the pipeline change in a conversation; names carry the ids of soldier's lines."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from projections.session_stores.conversation import PendingMigration, Session
from tests.support.conversations import (
    SCENARIO,
    TENANT,
    at,
    clock_from,
    session_of,
    store_of,
    uuid,
    visit,
)

KEY = {"session_id": str(uuid(100)), "tenant": str(TENANT)}
#: What every turn of these tells.
TOLD = ["variable.set", "rule.fired", "turn.started"]


def enter(session: Session) -> None:
    session.active_scenario_id, session.active_scenario_version = SCENARIO, 1
    step_to(session, 1)


def move(session: Session) -> None:
    step_to(session, 2)


def relocalize(session: Session) -> None:
    session.relocalization_count += 1
    step_to(session, 4)


def leave(session: Session) -> None:
    session.active_scenario_id = session.active_step_id = session.active_scenario_version = None


def step_to(session: Session, step: int) -> None:
    session.active_step_id = uuid(1_000 + step)
    session.step_history.append(visit(session.turn_count, step))


def test_a_50_what_a_turn_changes_is_stored_with_it_and_nothing_else(ledger: Any) -> None:
    store = store_of(ledger, clock=clock_from(500))
    store.save(session_of())
    wanted = session_of()
    results: list[tuple[Callable[[Session], None], list[str]]] = [
        (enter, ["scenario.started", "scenario.step_entered"]),
        (move, ["scenario.step_entered"]),
        (relocalize, ["scenario.relocalized", "scenario.step_entered"]),
        (leave, ["scenario.exited"]),
    ]
    for number, (result, facts) in enumerate(results, 1):

        def turn(session: Session, number: int = number, result: Any = result) -> None:
            session.turn_count += 1
            session.rule_fires["greet"] = session.rule_fires.get("greet", 0) + 1
            session.rule_last_fire_turn["greet"] = session.turn_count
            session.variables["count"] = session.turn_count
            session.variable_updated_at["count"] = at(number)
            result(session)

        head = ledger.head(**KEY)
        store.update(uuid(100), turn)
        turn(wanted)
        found = store.get(uuid(100))
        apart = {"version", "last_activity_at"}
        assert found.model_dump(exclude=apart) == wanted.model_dump(exclude=apart)
        told = [one.type for one in ledger.read(**KEY, after=head)]
        assert sorted(told) == sorted([*facts, *TOLD])
    # What is not saved changes nothing.
    unsaved = store.get(uuid(100))
    turn(unsaved)
    assert store.get(uuid(100)) == found


def test_a_56_what_a_turn_collects_is_kept_while_the_mark_stays(ledger: Any) -> None:
    store = store_of(ledger)
    pending = PendingMigration(
        target_version=2,
        anchor_content_hash="hash 1",
        migration_plan_id=uuid(11),
        marked_at=at(1),
    )
    store.save(session_of(pending_migration=pending))
    store.update(uuid(100), lambda session: session.variables.update(collected="so far"))
    found = store.get(uuid(100))
    assert (found.pending_migration, found.variables) == (pending, {"collected": "so far"})


def test_a_13_what_no_session_has_is_refused_when_it_is_assigned() -> None:
    session = session_of()
    wrong = {"status": "lost", "channel": "pigeon", "turn_count": -1, "rule_fires": {"r": "many"}}
    for name, value in wrong.items():
        with pytest.raises(ValidationError, match=name):
            setattr(session, name, value)
    assert session == session_of()
