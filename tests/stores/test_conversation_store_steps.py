"""Finding conversations by the step at which they stand; names carry the ids of soldier's lines."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from ledger import InvalidArgument, InvalidEvent, NewEvent
from ledger.catalogue import ScopeFilter
from projections.session_stores.conversation import PendingMigration, Session, SessionStatus
from tests.support.builders import only_sync
from tests.support.conversations import (
    AGENT,
    NOON,
    OTHER_SCENARIO,
    OTHER_TENANT,
    SCENARIO,
    TENANT,
    at,
    clock_from,
    instance,
    session_of,
    standing,
    store_of,
    uuid,
    views_of,
    visit,
)

HERE = (TENANT, SCENARIO, 1, "hash 1")
STEP = uuid(1_001)


def found(store: Any, *asked: Any) -> list[int]:
    """Return the numbers of the sessions that are found."""
    sessions = store.find_sessions_by_step_hash(*(asked or HERE))
    return [one.session_id.int & 0xFFFF for one in sessions]


def test_a_29_to_a_34_sessions_are_found_where_they_stand_and_nowhere_else(ledger: Any) -> None:
    store = store_of(ledger, tenant_id=None)
    expected = standing(100)
    others = [
        standing(101, tenant_id=OTHER_TENANT),
        standing(102, active_scenario_id=OTHER_SCENARIO),
        standing(103, version=2),
        standing(104, step_history=[visit(1, 1), visit(2, 2)]),
        standing(105, step_history=[]),
        standing(106, step_history=[visit(1, 1, step_content_hash=None)]),
        session_of(107, step_history=[visit(1, 1)]),
        *(standing(110 + n, status=one) for n, one in enumerate(SessionStatus) if one != "active"),
    ]
    for session in (standing(130), *others, standing(120), expected):
        store.save(session)
    assert store.find_sessions_by_step_hash(*HERE)[0] == expected
    # The longest inactive first.
    assert found(store) == [100, 120, 130]
    assert found(store, TENANT, SCENARIO, 1, "hash 2") == [104]
    assert found(store, TENANT, SCENARIO, 2, "hash 1") == [103]
    assert found(store, OTHER_TENANT, SCENARIO, 1, "hash 1") == [101]
    assert found(store, TENANT, uuid(404), 1, "hash 1") == []
    assert found(store_of(ledger, tenant_id=OTHER_TENANT)) == []


def test_a_29_a_position_is_the_last_visit_whatever_else_is_said(ledger: Any) -> None:
    store = store_of(ledger)
    session = standing(active_step_id=uuid(404))  # another step than was entered last
    store.save(session)
    assert found(store) == [100]
    assert store.get(uuid(100)) == session
    session.step_history.append(visit(2, 2))
    store.save(session)
    assert found(store) == []
    session.active_scenario_version = 2  # migrated, at the same place
    store.save(session)
    assert found(store, TENANT, SCENARIO, 2, "hash 2") == [100]
    session.active_scenario_id = session.active_step_id = session.active_scenario_version = None
    store.save(session)
    assert found(store, TENANT, SCENARIO, 2, "hash 2") == []


@pytest.mark.parametrize("moved_to", [1_001, 1_002])
def test_a_29_a_turn_that_is_taken_back_leads_back_to_the_step_before(
    ledger: Any, moved_to: int
) -> None:
    store = store_of(ledger)
    session = standing()
    store.save(session)
    session.step_history.append(visit(2, 2))
    session.active_step_id = uuid(moved_to)
    store.save(session)
    session.step_history.pop()
    session.active_step_id = STEP
    store.save(session)
    assert found(store) == [100]
    assert found(store, TENANT, SCENARIO, 1, "hash 2") == []
    assert store.get(uuid(100)).step_history == session.step_history
    name = {"include_current_nodes": ["step 1"]}
    assert found(store, *HERE, ScopeFilter(**name)) == [100]


@pytest.mark.parametrize("content", ["changed", None])
def test_a_29_a_turn_that_is_taken_back_leads_back_to_what_the_step_was(
    ledger: Any, content: str | None
) -> None:
    store = store_of(ledger)
    session = standing()
    session.step_history.append(visit(2, 1, step_content_hash=content))
    store.save(session)
    session.step_history.pop()
    store.save(session)
    assert found(store) == [100]
    head = ledger.head(str(uuid(100)), tenant=str(TENANT))
    store.save(session)
    assert ledger.head(str(uuid(100)), tenant=str(TENANT)) == head


def test_a_29_a_scenario_that_is_entered_again_stands_at_its_last_visit(ledger: Any) -> None:
    store = store_of(ledger)
    session = standing()
    store.save(session)
    session.active_scenario_id = session.active_step_id = session.active_scenario_version = None
    store.save(session)
    stands_there_once_it_enters(store, session)


def test_a_29_a_scenario_that_is_named_after_its_step_stands_there(ledger: Any) -> None:
    store = store_of(ledger)
    session = session_of(step_history=[visit(1, 1)])
    store.save(session)
    stands_there_once_it_enters(store, session)


def stands_there_once_it_enters(store: Any, session: Session) -> None:
    """Let a session that is in no scenario enter one without a new visit."""
    assert found(store) == []
    session.active_scenario_id, session.active_step_id = SCENARIO, STEP
    session.active_scenario_version = 1
    store.save(session)
    assert found(store) == [100]
    assert store.get(uuid(100)).step_history == session.step_history


def test_a_29_a_step_that_was_not_visited_last_is_not_found_by_the_last_visit(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    session = standing()
    store.save(session)
    session.active_step_id = uuid(1_002)
    store.save(session)
    assert found(store, TENANT, SCENARIO, 1, "hash 2") == []


def test_a_35_every_scenario_of_a_session_has_its_place(ledger: Any) -> None:
    store = store_of(ledger)
    session = standing(active_scenarios=[instance(OTHER_SCENARIO, 2)])
    session.step_history.append(visit(2, 2))
    store.save(session)
    assert found(store) == [100]
    assert found(store, TENANT, OTHER_SCENARIO, 1, "hash 2") == [100]
    session.active_scenarios[0].status = "paused"
    store.save(session)
    assert found(store, TENANT, OTHER_SCENARIO, 1, "hash 2") == []
    session.active_scenarios[0].status = "active"
    store.save(session)
    assert found(store, TENANT, OTHER_SCENARIO, 1, "hash 2") == [100]
    assert store.get(uuid(100)).active_scenarios == session.active_scenarios
    session.active_scenarios.clear()
    store.save(session)
    assert found(store, TENANT, OTHER_SCENARIO, 1, "hash 2") == []
    assert found(store) == [100]


def test_a_29_a_session_that_others_began_without_a_status_is_active_and_found(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    key = {"session_id": str(uuid(100)), "tenant": str(TENANT)}
    told = {"agent_id": str(AGENT), "channel": "webchat", "user_channel_id": "ana"}
    place = {"scenario_id": str(SCENARIO), "scenario_version": 1}
    step = {"step_id": str(STEP), "step_name": "step 1", "step_content_hash": "hash 1"}
    ledger.append(
        events=[
            NewEvent(told | {"config_version": 1}, "session.created"),
            NewEvent(place | {"primary": True}, "scenario.started"),
            NewEvent(place | step, "scenario.step_entered"),
        ],
        **key,
    )
    assert views_of(ledger).session(**key).status == "pending"
    session = store.get(uuid(100))
    assert session.status == "active"
    assert found(store) == [100]
    session.turn_count += 1
    store.save(session)
    assert found(store) == [100]
    ledger.append(events=NewEvent({"status": "paused"}, "session.status_changed"), **key)
    assert found(store) == []


@pytest.mark.parametrize("status", ["paused", "completed", "cancelled"])
def test_a_29_a_scenario_that_is_no_instance_any_more_is_played(ledger: Any, status: str) -> None:
    store = store_of(ledger)
    session = standing(100)
    store.save(session)
    for instances in ([instance(SCENARIO, 1, status=status)], []):
        session.active_scenarios = instances
        store.save(session)
        assert found(store) == ([] if instances else [100])
    before = ledger.head(str(uuid(100)), tenant=str(TENANT))
    store.save(store.get(uuid(100)))
    assert ledger.head(str(uuid(100)), tenant=str(TENANT)) == before


def test_a_36_what_a_turn_of_the_pipeline_enters_is_found(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of())

    def turn(session: Session) -> None:
        """Start a scenario as soldier does: the legacy version is not set, the instance knows it."""
        session.turn_count += 1
        session.active_scenario_id, session.active_step_id = SCENARIO, STEP
        session.active_scenarios.append(instance(SCENARIO, 1, visited_steps={STEP: 1}))
        session.step_history.append(visit(session.turn_count, 1))

    assert store.update(uuid(100), turn).turn_count == 1
    assert found(store) == [100]
    assert store.get(uuid(100)).active_scenario_version is None
    # Whoever writes the fact himself cannot leave out what it is found by.
    told = {"scenario_id": str(SCENARIO), "step_id": str(STEP), "scenario_version": 1}
    for name in ("step_name", "step_content_hash", "scenario_version"):
        said = {"step_name": "step 1", "step_content_hash": "hash 1"} | told
        del said[name]
        with pytest.raises(InvalidEvent, match=name):
            ledger.append("raw", NewEvent(said, "scenario.step_entered"), tenant=str(TENANT))


def test_a_38_to_a_43_all_conditions_of_a_filter_must_hold(ledger: Any) -> None:
    now = NOON + timedelta(days=200)
    store = store_of(ledger, clock=lambda: now)
    ages = {100: 100, 101: 30, 102: 0}
    for (number, days), channel in zip(ages.items(), ("webchat", "webchat", "sms"), strict=True):
        created_at = now - timedelta(days=days, hours=23)
        store.save(standing(number, channel=channel, created_at=created_at))
    unnamed = visit(1, 1, step_name=None)
    store.save(standing(103, channel="email", step_history=[unnamed], created_at=now))
    everyone = [100, 101, 102, 103]
    table: list[tuple[dict[str, Any], list[int]]] = [
        ({}, everyone),
        ({"include_channels": ["webchat"]}, [100, 101]),
        ({"exclude_channels": ["webchat"]}, [102, 103]),
        ({"include_channels": ["webchat", "sms"], "exclude_channels": ["webchat"]}, [102]),
        ({"include_current_nodes": ["step 1"]}, [100, 101, 102]),
        ({"include_current_nodes": ["step 2"]}, []),
        ({"exclude_current_nodes": ["step 1"]}, [103]),
        ({"max_session_age_days": 30}, [101, 102, 103]),
        ({"max_session_age_days": 29}, [102, 103]),
        ({"min_session_age_days": 30}, [100, 101]),
        ({"min_session_age_days": 31}, [100]),
        ({"min_session_age_days": 0, "max_session_age_days": 0}, [102, 103]),
        ({"include_channels": ["webchat"], "max_session_age_days": 30}, [101]),
        ({"exclude_current_nodes": ["step 1"], "include_channels": ["sms"]}, []),
    ]
    assert found(store, *HERE, None) == everyone
    for scope, expected in table:
        assert found(store, *HERE, ScopeFilter(**scope)) == expected, scope
    for one in (store, store_of(ledger, tenant_id=OTHER_TENANT)):
        with pytest.raises(InvalidArgument, match="custom_conditions"):
            found(one, *HERE, ScopeFilter(custom_conditions=[{"if": "so"}]))


def test_a_39_a_40_a_filter_asks_what_a_session_says_whatever_its_facts_say(
    ledger: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("projections.session_stores.conversation.reading.PAGE_SESSIONS", 2)
    now = NOON + timedelta(days=200)
    store = store_of(ledger, clock=lambda: now)
    young, old = now - timedelta(days=1), now - timedelta(days=90)
    corrected = standing(100, created_at=young)
    store.save(corrected)
    corrected.created_at = old
    begun = NewEvent({"text": "hi"}, "note", occurred_at=now)
    ledger.append(str(uuid(101)), begun, tenant=str(TENANT))
    renamed = standing(102, created_at=young)
    store.save(renamed)
    renamed.step_history[-1].step_name = "pay"
    for session in (corrected, standing(101, created_at=old), renamed):
        store.save(session)
        assert store.get(session.session_id).created_at == session.created_at
    table: list[tuple[dict[str, Any], list[int]]] = [
        ({"max_session_age_days": 30}, [102]),
        ({"min_session_age_days": 30}, [100, 101]),
        ({"include_current_nodes": ["pay"]}, [102]),
        ({"exclude_current_nodes": ["pay"]}, [100, 101]),
        ({"include_current_nodes": ["step 1"], "min_session_age_days": 90}, [100, 101]),
    ]
    for scope, expected in table:
        assert sorted(found(store, *HERE, ScopeFilter(**scope))) == expected, scope


def test_a_41_the_name_of_a_step_is_that_of_the_scenario_that_is_asked_for(ledger: Any) -> None:
    store = store_of(ledger)
    session = standing(active_scenarios=[instance(OTHER_SCENARIO, 2)])
    session.step_history.append(visit(2, 2))
    store.save(session)
    for name, expected in (("step 1", [100]), ("step 2", [])):
        scope = ScopeFilter(include_current_nodes=[name])
        assert found(store, *HERE, scope) == expected
    session.step_history.clear()  # it is where it was
    store.save(session)
    assert found(store, *HERE, ScopeFilter(include_current_nodes=["step 1"])) == [100]


def test_a_34_a_result_that_is_longer_than_a_page_is_whole(ledger: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("projections.session_stores.conversation.reading.PAGE_SESSIONS", 2)
    store = store_of(ledger)
    for number in range(7):
        store.save(standing(100 + number))
    assert found(store) == [100 + number for number in range(7)]


def unmarked(sessions: Iterable[Session]) -> list[Session]:
    return [one for one in sessions if one.pending_migration is None]


def mark_of(plan: int) -> PendingMigration:
    told = {"anchor_content_hash": "hash 1", "migration_plan_id": uuid(plan), "marked_at": at(plan)}
    return PendingMigration(target_version=2, **told)


def test_a_53_a_deployment_marks_each_session_at_the_step_once(ledger: Any) -> None:
    store = store_of(ledger, clock=clock_from(500))
    for number, channel in ((100, "webchat"), (101, "webchat"), (102, "sms")):
        store.save(standing(number, channel=channel))
    store.save(standing(103, step=2))
    scope = ScopeFilter(include_channels=["webchat"])

    def mark(plan: int) -> int:
        """Do what the deployer does: mark those that are not marked yet."""

        def change(session: Session) -> None:
            session.pending_migration = mark_of(plan)

        eligible = unmarked(store.find_sessions_by_step_hash(*HERE, scope))
        return sum(store.update(one.session_id, change) is not None for one in eligible)

    assert [mark(11), mark(12)] == [2, 0]
    marked = [store.get(uuid(number)).pending_migration for number in range(100, 104)]
    assert marked == [mark_of(11), mark_of(11), None, None]
    positions = views_of(ledger).scenario_positions(
        str(SCENARIO), 1, "hash 1", tenant=str(TENANT), now=NOON
    )
    assert [one.is_marked for one in positions] == [True, True, False]


def test_a_56_a_mark_is_cleared_by_the_turn_that_moves_the_session(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(standing(pending_migration=mark_of(11)))

    def teleport(session: Session) -> None:
        assert session.pending_migration == mark_of(11)
        session.pending_migration = None
        session.active_scenario_version, session.active_step_id = 2, uuid(1_002)
        session.step_history.append(visit(2, 2, transition_reason="migrated"))
        session.variables["collected"] = "kept"

    assert store.update(uuid(100), teleport).pending_migration is None
    assert store.get(uuid(100)).variables == {"collected": "kept"}
    assert found(store, TENANT, SCENARIO, 2, "hash 2") == [100]
    assert views_of(ledger).script(str(uuid(100)), tenant=str(TENANT)).migration_plan_id is None


def test_a_57_the_last_checkpoint_is_the_latest_visit_that_is_one(ledger: Any) -> None:
    store = store_of(ledger)
    session = standing()
    store.save(session)
    place = {"session_id": str(uuid(100)), "scenario_id": str(SCENARIO), "tenant": str(TENANT)}
    assert views_of(ledger).scenario(**place).checkpoint_step_id is None
    session.step_history += [
        visit(2, 2, is_checkpoint=True),
        visit(3, 3, is_checkpoint=True),
        visit(4, 4),
    ]
    store.save(session)
    assert views_of(ledger).scenario(**place).checkpoint_step_id == str(uuid(1_003))


@only_sync
def test_a_37_what_is_asked_for_is_checked(ledger: Any) -> None:
    store = store_of(ledger)
    for wrong in (
        ("no uuid", 1, "hash 1"),
        (SCENARIO, -1, "hash 1"),
        (SCENARIO, "1", "hash 1"),
        (SCENARIO, 1, None),
    ):
        with pytest.raises(InvalidArgument):
            store.find_sessions_by_step_hash(TENANT, *wrong)
