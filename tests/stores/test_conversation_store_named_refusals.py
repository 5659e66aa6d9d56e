"""What a ledger refuses of a conversation is refused by its place there; names carry soldier's ids."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ledger import InvalidEvent, NewEvent
from ledger.refusals import shown
from projections.session_stores.conversation import PendingMigration, Session
from tests.support.builders import on_memory, only_sync
from tests.support.conversations import TENANT, at, instance, session_of, store_of, uuid, visit

KEY = str(uuid(100))
HERE = {"tenant": str(TENANT)}


@pytest.mark.parametrize("name", ["", " \t", "x" * 513, "é" * 257])
def test_a_12_a_13_a_name_that_is_blank_or_long_is_refused_and_nothing_is_stored(
    ledger: Any, name: str
) -> None:
    store = store_of(ledger)
    saved = session_of(active_scenarios=[instance()], turn_count=1)
    store.save(saved)
    scenario = f"session.active_scenarios.{saved.active_scenarios[0].scenario_id}"
    named: dict[str, Callable[[Session], object]] = {
        "session.variables": lambda one: one.variables.update({"a": 1, name: 1}),
        "session.rule_fires": lambda one: one.rule_fires.update({name: 1}),
        f"{scenario}.variables": lambda one: one.active_scenarios[0].variables.update({name: 1}),
    }
    for field, change in named.items():
        one, new = store.get(uuid(100)), session_of(101, active_scenarios=[instance()])
        for session in (one, new):
            session.turn_count = 7
            change(session)
            with pytest.raises(InvalidEvent) as caught:
                store.save(session)
            assert caught.value.field == field
            assert f"key {shown(name)}" in caught.value.reason
            assert "blank" in caught.value.reason or "512" in caught.value.reason
    assert store.get(uuid(100)) == saved
    assert ledger.head(KEY, **HERE) == saved.version
    assert ledger.head(str(uuid(101)), **HERE) == 0
    # As long as may be, and of what only the store keeps also longer ones.
    saved.variables["x" * 512] = saved.rule_fires["é" * 256] = 1
    saved.rule_last_fire_turn[name] = 1
    store.save(saved)
    assert store.get(uuid(100)).rule_last_fire_turn[name] == 1


def test_a_12_of_what_is_too_large_it_is_said_what_it_is(ledger: Any) -> None:
    store = store_of(ledger)
    saved = session_of(active_scenarios=[instance()])
    store.save(saved)
    place = f"session.active_scenarios.{saved.active_scenarios[0].scenario_id}.variables.large"
    large: dict[str, Callable[[Session], object]] = {
        "session.variables.large": lambda one: one.variables.update(a=1, large="x" * 2**20),
        place: lambda one: one.active_scenarios[0].variables.update(large="x" * 2**20),
        "session.step_history[2]": lambda one: one.step_history.extend(
            [visit(1), visit(2), visit(1, transition_reason="x" * 2**20), visit(3)]
        ),
        "session.scenario_checksum": lambda one: one.__dict__.update(
            active_scenario_id=uuid(4), scenario_checksum="x" * 2**20
        ),
        "session.pending_migration": lambda one: one.__dict__.update(
            pending_migration=PendingMigration(
                target_version=2, anchor_content_hash="x" * 2**20, migration_plan_id=uuid(11)
            )
        ),
        # Those behind the first thousand are in one fact together.
        "session": lambda one: one.variables.update({f"v{n}": "x" * 2_048 for n in range(1_600)}),
    }
    for field, change in large.items():
        new = [session_of(101, active_scenarios=[instance()]) for _ in range(2)]
        sessions = store.get(uuid(100)), *new
        for save, session in zip(
            (store.save, store.save, store.get_or_create), sessions, strict=True
        ):
            change(session)
            with pytest.raises(InvalidEvent, match="bytes") as caught:
                save(session)
            assert caught.value.field == field
            assert "1048576" in caught.value.reason
    assert "beyond the first 1000" in caught.value.reason
    with pytest.raises(InvalidEvent) as caught:
        store.save(saved, events=[NewEvent({}, "note"), NewEvent({"text": "x" * 2**20}, "note")])
    assert caught.value.field == "events[1].payload"
    assert store.get(uuid(100)) == saved


EARLY = datetime(1969, 12, 31, 23, 59, tzinfo=UTC)
# Where a session says when something was, but for a migration's mark.
MOMENTS: dict[str, Callable[[], Session]] = {
    "session.created_at": lambda: session_of(created_at=EARLY, last_activity_at=at(1)),
    "session.last_activity_at": lambda: session_of(last_activity_at=EARLY),
    "session.step_history[1].entered_at": lambda: session_of(
        step_history=[visit(1), visit(2, entered_at=EARLY)]
    ),
    "session.variable_updated_at.a": lambda: session_of(
        variables={"a": 1}, variable_updated_at={"a": EARLY}
    ),
    **{
        f"session.active_scenarios[0].{name}": lambda fields=fields: session_of(  # type: ignore[misc] # of this name
            active_scenarios=[instance(**fields)]
        )
        for name, fields in {
            "started_at": {"started_at": EARLY},
            "last_active_at": {"last_active_at": EARLY},
            "paused_at": {"paused_at": EARLY, "status": "paused"},
        }.items()
    },
}


@pytest.mark.parametrize("field", MOMENTS)
def test_a_13_a_moment_before_1970_is_refused_by_its_field(ledger: Any, field: str) -> None:
    store = store_of(ledger)
    for save in (store.save, store.get_or_create):
        with pytest.raises(InvalidEvent, match="before 1970") as caught:
            save(MOMENTS[field]())
        assert caught.value.field == field
    assert ledger.head(KEY, **HERE) == 0


@on_memory
@only_sync
def test_a_13_a_moment_before_1970_of_an_event_is_the_events(ledger: Any) -> None:
    store = store_of(ledger)
    with pytest.raises(InvalidEvent) as caught:
        store.save(session_of(), events=[NewEvent({}, "note", occurred_at=EARLY)])
    assert caught.value.field == "events[0].occurred_at"


@on_memory
@only_sync
def test_a_13_the_first_and_the_last_moments_come_back(ledger: Any) -> None:
    store = store_of(ledger)
    mark = {"target_version": 2, "anchor_content_hash": "h", "migration_plan_id": uuid(11)}
    first = PendingMigration(marked_at=datetime.min.replace(tzinfo=UTC), **mark)
    last = datetime.max.replace(tzinfo=UTC)
    saved = session_of(
        pending_migration=first,
        created_at=datetime(1970, 1, 1, tzinfo=UTC),
        last_activity_at=last,
        step_history=[visit(1, entered_at=last)],
    )
    store.save(saved)
    assert store.get(uuid(100)) == saved
