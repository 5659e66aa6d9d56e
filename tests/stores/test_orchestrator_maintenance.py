"""The maintenance port: retention, pruning, health."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from ledger import NewEvent, StorageFailed
from projections.session_stores.orchestrator import OrchestratorMaintenance, RetentionPolicy, saved
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
    upkeep_of,
)
from tests.support.builders import on_memory, only_sync
from tests.support.skipping import append_left_out

DAY = 86_400
NOW = at(200 * DAY)
POLICY = RetentionPolicy()


@pytest.fixture
def upkeep(store: Store) -> OrchestratorMaintenance:
    """The maintenance of the store, 200 days after the start."""
    return upkeep_of(store, lambda: NOW)


def test_old_sessions_are_marked_unless_exempt(
    store: Store, upkeep: OrchestratorMaintenance
) -> None:
    for id, fields in (
        ("old", {"status": "completed"}),
        ("old and pending", {}),
        ("active", {"status": "active"}),
        ("pinned", {"status": "completed", "tags": ["pinned"]}),
        ("used", {"status": "completed", "updated_at": at(150 * DAY)}),
    ):
        store.save_session(session(id, **({"created_at": at(0), "updated_at": at(DAY)} | fields)))
    assert upkeep.soft_delete_expired_sessions(POLICY) == 2
    deleted = {one.id: one.deleted_at for one in store.list_sessions() if one.deleted_at}
    assert deleted == {"old": NOW, "old and pending": NOW}
    assert upkeep.soft_delete_expired_sessions(POLICY) == 0


def test_a_session_lives_on_though_what_came_last_tells_of_long_ago(
    store: Store, upkeep: OrchestratorMaintenance
) -> None:
    for id, days in (("used", 150), ("unused", 1)):
        created = at(days * DAY)
        store.save_session(session(id, status="completed", created_at=created, updated_at=created))
        store.append_event(event(session_id=id, timestamp=at(0)))
    assert store.get_session("used").updated_at == at(0)
    assert upkeep.soft_delete_expired_sessions(POLICY) == 1
    assert [one.id for one in store.list_sessions() if one.deleted_at] == ["unused"]


@on_memory
def test_no_age_is_for_ever(store: Store, upkeep: OrchestratorMaintenance) -> None:
    store.save_session(session(created_at=at(0), deleted_at=at(0)))
    store.save_session(session("t", created_at=at(0)))
    kept = RetentionPolicy(max_completed_session_age_days=None, hard_delete_after_days=None)
    assert upkeep.soft_delete_expired_sessions(kept) == 0
    assert upkeep.hard_delete_expired_sessions(kept) == 0
    longer = RetentionPolicy(
        max_session_age_days=10**9,
        max_completed_session_age_days=10**12,
        hard_delete_after_days=10**6,
    )
    assert upkeep.soft_delete_expired_sessions(longer) == 0
    assert upkeep.hard_delete_expired_sessions(longer) == 0


@on_memory
def test_an_age_from_the_beginning_ends_used_sessions_too(
    store: Store, upkeep: OrchestratorMaintenance
) -> None:
    store.save_session(session(created_at=at(0), updated_at=NOW - timedelta(days=1)))
    assert upkeep.soft_delete_expired_sessions(RetentionPolicy(max_session_age_days=199)) == 1


def test_marked_sessions_are_deleted_later_with_all_that_is_of_them(
    store: Store, upkeep: OrchestratorMaintenance
) -> None:
    for id, days in (("long ago", 140), ("lately", 190)):
        store.save_session(session(id, created_at=at(0)))
        store.save_run(run_of(id, f"run of {id}"))
        store.append_event(event(session_id=id))
        store.save_session(session(id, created_at=at(0), deleted_at=at(days * DAY)))
    assert upkeep.hard_delete_expired_sessions(POLICY) == 1
    assert ids(store.list_sessions()) == ["lately"]
    assert (store.list_runs("long ago"), store.get_events("long ago")) == ([], [])
    with refused("run_not_found"):
        store.get_run("run of long ago")
    assert store.append_event_with_sequence(event(session_id="long ago")).sequence_number == 6


def test_a_marked_session_goes_whoever_uses_it_unless_it_is_restored(
    store: Store, upkeep: OrchestratorMaintenance
) -> None:
    for id in ("used", "restored"):
        store.save_session(session(id, created_at=at(0), deleted_at=at(DAY)))
        store.append_event(event(session_id=id, timestamp=NOW))
    store.save_session(session("restored", created_at=at(0)))
    assert upkeep.hard_delete_expired_sessions(POLICY) == 1
    assert ids(store.list_sessions()) == ["restored"]


def test_a_session_with_an_exempt_tag_is_left_alone(
    store: Store, upkeep: OrchestratorMaintenance
) -> None:
    for id, fields in (
        ("expired", {"status": "completed"}),
        ("marked", {"deleted_at": at(0)}),
        ("long", {"status": "active"}),
    ):
        store.save_session(
            session(id, tags=["x", "pinned"], created_at=at(0), updated_at=at(0), **fields)
        )
        store.append_events([event(session_id=id, timestamp=at(0)) for _ in range(3)])
    heads = [store.ledger.head(id) for id in ("expired", "marked", "long")]
    report = upkeep.execute(RetentionPolicy(max_events_per_session=1))
    assert (report.sessions_soft_deleted, report.sessions_hard_deleted) == (0, 0)
    assert (report.events_pruned, report.errors) == (0, [])
    assert [store.ledger.head(id) for id in ("expired", "marked", "long")] == heads
    # Who names a session means it.
    policy = RetentionPolicy(max_events_per_session=1)
    assert upkeep.prune_session_events("long", policy) == 2
    report = upkeep.execute(RetentionPolicy(max_events_per_session=1, exempt_tags=["other"]))
    assert (report.sessions_soft_deleted, report.sessions_hard_deleted) == (1, 1)


def test_an_exempt_status_keeps_from_being_marked_and_from_nothing_else(
    store: Store, upkeep: OrchestratorMaintenance
) -> None:
    # Somebody marked it, and nobody has used it since.
    store.save_session(session("marked", status="active", created_at=at(0), deleted_at=at(0)))
    store.save_session(session("long", status="active", created_at=at(0), updated_at=at(0)))
    store.append_events([event(session_id="long", timestamp=at(0)) for _ in range(3)])
    report = upkeep.execute(RetentionPolicy(max_events_per_session=1))
    assert (report.sessions_soft_deleted, report.sessions_hard_deleted) == (0, 1)
    assert (report.events_pruned, ids(store.list_sessions())) == (2, ["long"])


@on_memory
def test_an_age_is_over_when_it_is_exceeded_and_not_when_it_is_reached(
    store: Store, upkeep: OrchestratorMaintenance
) -> None:
    instant = timedelta(microseconds=1)
    for days, field, act, done in (
        (90, "updated_at", upkeep.soft_delete_expired_sessions, "soft"),
        (30, "deleted_at", upkeep.hard_delete_expired_sessions, "hard"),
    ):
        reached = NOW - timedelta(days=days)
        for name, moment in (("reached", reached), ("exceeded", reached - instant)):
            told: dict[str, Any] = {field: moment, "created_at": at(0)}
            store.save_session(session(f"{done} {name}", **{"updated_at": reached} | told))
        assert act(POLICY) == 1
    left = {one.id: one.deleted_at for one in store.list_sessions()}
    assert left == {
        "soft reached": None,
        "soft exceeded": NOW,
        "hard reached": NOW - timedelta(days=30),
    }


@only_sync  # the clock is asked in the loop, which cannot wait for itself
def test_a_session_that_was_used_meanwhile_is_left_alone(store: Store) -> None:
    used = event("used")

    def now() -> datetime:  # asked after the sessions were read
        store.append_event(used)
        return NOW

    store.save_session(session(created_at=at(0)))
    assert upkeep_of(store, now).soft_delete_expired_sessions(POLICY) == 0
    assert store.get_session("s").deleted_at is None


@on_memory
@only_sync  # what is left out is skipped by sync views
def test_what_the_view_left_out_of_a_session_is_in_no_ones_way(
    store: Store, upkeep: OrchestratorMaintenance
) -> None:
    store.ledger.append("orphan", NewEvent({"artifact_id": "f", "key": "k"}, "artifact.registered"))
    store.save_session(session(created_at=at(0)))
    store.save_session(session("t", created_at=at(0), deleted_at=at(0)))
    for id in ("orphan", "s", "t"):
        append_left_out(store.ledger, id, "session.rekeyed")
    assert (upkeep.clean_orphaned_artifacts(), store.views.artifacts("orphan")) == (1, [])
    assert upkeep.soft_delete_expired_sessions(POLICY) == 1
    assert store.get_session("s").deleted_at == NOW
    assert upkeep.hard_delete_expired_sessions(POLICY) == 1
    assert ids(store.list_sessions()) == ["s"]


def test_the_oldest_events_beyond_the_number_are_hidden(
    store: Store, upkeep: OrchestratorMaintenance
) -> None:
    store.append_events(events(*(f"e{n}" for n in range(10))))
    policy = RetentionPolicy(max_events_per_session=5)
    assert upkeep.prune_session_events("s", policy) == 5
    assert ids(store.get_events("s")) == [f"e{n}" for n in range(5, 10)]
    assert upkeep.prune_session_events("s", policy) == 0
    assert store.get_latest_sequence("s") == 10
    assert upkeep.prune_session_events("s", POLICY) == 0
    assert (len(store.ledger.read("s")), store.ledger.verify().ok) == (11, True)


def test_events_of_low_value_go_first_and_some_never_do(
    store: Store, upkeep: OrchestratorMaintenance
) -> None:
    types = ("run_started", "message_sent", "message_streamed", "token_usage_updated")
    types += ("message_streamed", "message_received", "run_completed")
    store.append_events([event(f"e{n}", type) for n, type in enumerate(types)])
    assert upkeep.prune_session_events("s", RetentionPolicy(max_events_per_session=3)) == 4
    assert ids(store.get_events("s")) == ["e0", "e5", "e6"]
    assert upkeep.prune_session_events("s", RetentionPolicy(max_events_per_session=1)) == 1
    assert ids(store.get_events("s")) == ["e0", "e6"]


@on_memory
def test_artifacts_of_sessions_that_nobody_saved_are_cleaned(
    store: Store, upkeep: OrchestratorMaintenance
) -> None:
    registered = NewEvent({"artifact_id": "f", "key": "k"}, "artifact.registered")
    store.save_session(session("saved"))
    for id in ("saved", "orphan"):
        store.ledger.append(id, registered)
    assert (upkeep.clean_orphaned_artifacts(), upkeep.clean_orphaned_artifacts()) == (1, 0)
    assert store.views.artifacts("orphan") == []
    assert [one.artifact_id for one in store.views.artifacts("saved")] == ["f"]


def test_health_tells_of_what_belongs_to_nothing(
    store: Store, upkeep: OrchestratorMaintenance
) -> None:
    store.save_session(session())
    store.append_events(events(*(f"e{n}" for n in range(8))))
    upkeep.prune_session_events("s", RetentionPolicy(max_events_per_session=3))
    assert upkeep.health_check() == []
    another(store, tenant="other").append_event(event(session_id="theirs"))
    assert upkeep.health_check() == []
    store.save_run(run_of("lost", "r"))
    assert upkeep.health_check() == ["Events without session: lost", "Run without session: r"]


def test_health_tells_of_every_run_of_a_session_that_nobody_saved(
    store: Store, upkeep: OrchestratorMaintenance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved, "_PAGE_ROWS", 2)
    for number in range(5):
        store.save_run(run_of("lost", f"r{number}"))
    lost = [f"Run without session: r{number}" for number in range(5)]
    assert sorted(upkeep.health_check()) == ["Events without session: lost", *lost]


def test_a_policy_is_carried_out_step_by_step(
    store: Store, upkeep: OrchestratorMaintenance
) -> None:
    store.save_session(session("old", created_at=at(0)))
    store.save_session(session("gone", created_at=at(0), deleted_at=at(0)))
    store.save_session(session("long", status="active"))
    store.append_events([event(f"e{n}", session_id="long") for n in range(4)])
    report = upkeep.execute(RetentionPolicy(max_events_per_session=1, batch_size=1))
    counts = (report.sessions_soft_deleted, report.sessions_hard_deleted, report.events_pruned)
    assert counts == (1, 1, 3)
    assert (report.artifacts_cleaned, report.orphaned_sequences_cleaned) == (0, 0)
    assert (report.errors, report.duration_ms >= 0) == ([], True)


@on_memory
def test_a_step_that_fails_does_not_stop_the_others(store: Store) -> None:
    store.save_session(session(created_at=at(0)))
    store.save_session(session("t", created_at=at(0), deleted_at=at(0)))
    answers = iter([None])

    def now() -> datetime:
        if next(answers, NOW) is None:
            raise StorageFailed("The clock is broken.")
        return NOW

    report = upkeep_of(store, now).execute(POLICY)
    assert (report.sessions_soft_deleted, report.sessions_hard_deleted) == (0, 1)
    assert len(report.errors) == 1
    assert "soft delete" in report.errors[0]


@on_memory
def test_a_wrong_policy_is_refused(upkeep: OrchestratorMaintenance) -> None:
    wrong: list[Any] = [
        None,
        RetentionPolicy(max_events_per_session=0),
        RetentionPolicy(hard_delete_after_days=-1),
        RetentionPolicy(batch_size=0),
        RetentionPolicy(exempt_statuses=["actve"]),
        RetentionPolicy(prune_event_types_first=["message.streamed"]),
    ]
    for policy in wrong:
        with refused("validation_error"):
            upkeep.execute(policy)
