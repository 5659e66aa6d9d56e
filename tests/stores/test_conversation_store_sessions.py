"""Conversations in and out of the store; names carry the ids of soldier's lines."""

from datetime import timedelta
from operator import attrgetter
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from ledger import InvalidArgument, InvalidEvent, Ledger, Limits, NewEvent, SequenceConflict
from projections.session_stores.conversation import (
    Channel,
    Session,
    SessionStatus,
    StepVisit,
    writing,
)
from projections.session_stores.conversation.models import STEP_HISTORY_MAX
from tests.support.builders import on_memory, only_sync
from tests.support.conversations import (
    AGENT,
    OTHER_TENANT,
    SCENARIO,
    TENANT,
    at,
    clock_from,
    full_session,
    instance,
    session_of,
    standing,
    store_of,
    uuid,
    views_of,
    visit,
)


def events_of(ledger: Any, session: Session, **options: Any) -> list[Any]:
    found: list[Any] = ledger.read(str(session.session_id), tenant=str(TENANT), **options)
    return found


def types_of(ledger: Any, session: Session, after: int = 0) -> list[str]:
    return [event.type for event in events_of(ledger, session, after=after)]


def test_a_01_what_was_saved_comes_back(ledger: Any) -> None:
    store = store_of(ledger)
    session = session_of()
    store.save(session)
    assert store.get(session.session_id) == session


def test_a_02_an_unknown_session_is_none(ledger: Any) -> None:
    assert store_of(ledger).get(uuid(404)) is None


def test_a_03_a_deleted_session_is_gone(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of())
    assert store.delete(uuid(100), reason="asked for") is True
    assert store.get(uuid(100)) is None
    assert events_of(ledger, session_of(), deleted=True)[-1].data == {"reason": "asked for"}


def test_a_04_nothing_is_deleted_twice(ledger: Any) -> None:
    store = store_of(ledger)
    assert store.delete(uuid(404)) is False
    store.save(session_of())
    assert [store.delete(uuid(100)) for _ in range(2)] == [True, False]


def test_a_05_a_session_that_is_saved_again_is_still_one_and_has_the_new_values(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    session = full_session()
    store.save(session)
    session.status = SessionStatus.IDLE
    session.turn_count += 1
    session.variables["name"] = "Bo"
    session.step_history.append(visit(3, 3))
    session.active_step_id = uuid(1_003)
    session.pending_migration = None
    before = session.version
    store.save(session)
    found = store.get(session.session_id)
    assert found.model_dump(exclude={"last_activity_at"}) == session.model_dump(
        exclude={"last_activity_at"}
    )
    assert len(store.list_by_agent(TENANT, session.agent_id)) == 1
    # What changed became the facts that say so, and nothing else.
    assert sorted(types_of(ledger, session, after=before)) == [
        "migration.cleared",
        "scenario.step_entered",
        "session.status_changed",
        "turn.started",
        "variable.set",
    ]


def test_a_06_a_save_returns_the_id(ledger: Any) -> None:
    session = session_of()
    assert store_of(ledger).save(session) == session.session_id
    assert isinstance(session.session_id, UUID)


def test_a_07_the_activity_is_that_of_the_facts_and_the_callers_session_keeps_its_own(
    ledger: Any,
) -> None:
    store = store_of(ledger, clock=clock_from(500))
    session = session_of(100)
    store.save(session)
    assert store.get(uuid(100)).last_activity_at == at(100)
    before = session.model_dump()
    session.variables["a"] = 1
    session.variable_updated_at["a"] = at(3)  # long before, and still the save is now
    store.save(session)
    assert store.get(uuid(100)).last_activity_at == at(500)
    changed = {"variables": {"a": 1}, "variable_updated_at": {"a": at(3)}, "version": 3}
    assert session.model_dump() == before | changed
    # A caller that says when it was is believed.
    session.last_activity_at, session.turn_count = at(900), 1
    store.save(session)
    assert store.get(uuid(100)).last_activity_at == at(900)


def test_a_07_a_later_activity_alone_is_stored_and_nothing_else_moves_it(ledger: Any) -> None:
    store = store_of(ledger, clock=clock_from(500))
    session = session_of(100)
    store.save(session)
    session.last_activity_at = at(400)
    store.save(session)
    assert events_of(ledger, session)[-1].data == {}
    assert (store.get(uuid(100)), session.version) == (session, 2)
    [row] = views_of(ledger).sessions(tenant=str(TENANT))
    assert (row.last_activity_at, row.anomalies) == (at(400), [])
    stale = store.get(uuid(100))
    store.update(uuid(100), lambda one: setattr(one, "last_activity_at", at(450)))
    for one in (session, stale):  # neither says so, nor does an earlier one
        one.last_activity_at = one.last_activity_at - timedelta(minutes=1)
        store.save(one)
        assert (store.get(uuid(100)).last_activity_at, one.version) == (at(450), 3)
    session.status, session.last_activity_at = SessionStatus.CLOSED, at(460)
    store.save(session)
    session.last_activity_at = at(470)  # of an ended session it stays
    store.save(session)
    assert store.get(uuid(100)).last_activity_at == at(460)
    assert ledger.head(str(uuid(100)), tenant=str(TENANT)) == session.version == 4


def test_a_08_what_was_read_can_be_changed_without_changing_what_is_stored(ledger: Any) -> None:
    store = store_of(ledger)
    session = full_session()
    store.save(session)
    for one in (session, store.get(session.session_id)):
        one.variables["size"] = "changed"
        one.step_history.clear()
        one.active_scenarios[0].variables["size"][1]["deep"] = "changed"
    found = store.get(session.session_id)
    assert (
        found.model_dump()
        == full_session().model_copy(update={"version": found.version}).model_dump()
    )


def test_a_09_a_session_of_another_tenant_is_not_there(ledger: Any) -> None:
    mine, theirs = store_of(ledger), store_of(ledger, tenant_id=OTHER_TENANT)
    anybody = store_of(ledger, tenant_id=None)
    session = session_of()
    mine.save(session)
    assert theirs.get(uuid(100)) is None
    assert theirs.get(uuid(100), tenant_id=TENANT) is None
    assert theirs.delete(uuid(100)) is False
    assert theirs.delete(uuid(100), tenant_id=TENANT) is False
    assert theirs.update(uuid(100), lambda one: one) is None
    assert anybody.get(uuid(100), tenant_id=OTHER_TENANT) is None
    assert anybody.get(uuid(100), tenant_id=TENANT) == mine.get(uuid(100)) == session
    with pytest.raises(InvalidArgument, match="another tenant"):
        theirs.save(session)


def test_a_12_every_field_and_every_value_of_an_enum_comes_back(ledger: Any) -> None:
    store = store_of(ledger)
    session = full_session()
    defaults = session_of().model_dump()
    told = session.model_dump()
    assert [name for name in told if told[name] == defaults[name]] == [
        "session_id", "tenant_id", "agent_id", "user_channel_id", "created_at", "version",
    ]  # fmt: skip
    store.save(session)
    assert store.get(session.session_id) == session
    for number, channel in enumerate(Channel):
        other = session_of(200 + number, channel=channel)
        store.save(other)
        assert store.get(other.session_id) == other
    for status in (*SessionStatus, *reversed(SessionStatus)):
        session.status = status
        store.save(session)
        assert store.get(session.session_id).status is status


def test_a_12_who_a_session_is_of_can_change(ledger: Any) -> None:
    store = store_of(ledger)
    session = full_session()
    store.save(session)
    session.agent_id, session.channel, session.user_channel_id = uuid(20), Channel.SMS, "+33"
    session.customer_profile_id, session.interlocutor_id = None, uuid(21)
    session.created_at, session.config_version = at(-9), 10
    store.save(session)
    found = store.get(session.session_id)
    kept = {"last_activity_at"}
    assert found.model_dump(exclude=kept) == session.model_dump(exclude=kept)


@only_sync
def test_a_13_a_session_starts_out_active_and_empty(ledger: Any) -> None:
    required = {"tenant_id": TENANT, "agent_id": uuid(3), "channel": "api"}
    session = Session(**required, user_channel_id="u", config_version=0)
    assert (session.status, session.turn_count, session.pending_migration) == ("active", 0, None)
    assert session.step_history == session.active_scenarios == []
    assert session.rule_fires == session.variables == session.variable_updated_at == {}
    assert session.last_activity_at == session.created_at
    assert session.model_dump(mode="json")["channel"] == "api"
    one = StepVisit(step_id=uuid(1), turn_number=0)
    assert one.confidence == 1.0
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValidationError):
            StepVisit(step_id=uuid(1), turn_number=0, confidence=wrong)
        with pytest.raises(ValidationError):
            one.confidence = wrong
    store_of(ledger).save(session)
    assert store_of(ledger).get(session.session_id) == session


def test_a_12_what_no_fact_says_comes_back_too_and_hides_nothing_that_others_say(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    session = standing(turn_count=5, rule_fires={"r": 4}, rule_last_fire_turn={"q": 2})
    session.active_scenarios = [instance(session.active_scenario_id, 1, status="on hold")]
    store.save(session)
    session.turn_count, session.rule_fires = 3, {}  # nobody can say that a turn did not happen
    store.save(session)
    key = str(session.session_id)
    others = [
        NewEvent({"turn_id": "t"}, "turn.started"),
        NewEvent({"rule_id": "r", "turn_number": 4}, "rule.fired"),
        NewEvent({"scenario_id": str(session.active_scenario_id)}, "scenario.exited"),
    ]
    ledger.append(key, others, tenant=str(TENANT))
    found = store.get(session.session_id)
    assert (found.turn_count, found.rule_fires, found.rule_last_fire_turn) == (
        4, {"r": 1}, {"q": 2, "r": 4},
    )  # fmt: skip
    assert (found.active_scenarios, found.active_scenario_id) == ([], None)


def test_a_50_a_history_that_is_kept_short_stays_short_and_its_rest_in_the_views(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    session = session_of(active_scenario_id=SCENARIO, active_scenario_version=1)
    for turn in range(1, 9):
        session.step_history = [*session.step_history, visit(turn, turn % 3)][-4:]
        session.active_step_id = session.step_history[-1].step_id
        session.turn_count = turn
        store.save(session)
        assert store.get(session.session_id).step_history == session.step_history
    assert len(views_of(ledger).step_visits(str(session.session_id), tenant=str(TENANT))) == 8
    # One snapshot for the first cut; that it stays so short is no news.
    assert types_of(ledger, session).count("snapshot.saved") == 1


def test_a_session_that_was_deleted_begins_anew_and_one_from_before_is_refused(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    old = full_session()
    store.save(old)
    store.delete(old.session_id)
    with pytest.raises(SequenceConflict):
        store.save(old)
    new = session_of()
    store.save(new)
    assert store.get(new.session_id) == new
    with pytest.raises(SequenceConflict):
        store.save(old)


@on_memory
@only_sync
def test_a_12_more_than_the_views_keep_comes_back_too(ledger: Any) -> None:
    session = standing(
        step_history=[visit(number, number % 7) for number in range(STEP_HISTORY_MAX + 5)],
        turn_count=1_500,
        relocalization_count=1_500,
        variables={f"v{number}": number for number in range(1_100)},
        rule_fires={f"r{number}": 1 for number in range(1_100)},
    )
    store = store_of(ledger)
    store.save(session)
    found = store.get(session.session_id)
    del session.step_history[:5]
    assert found == session
    store.save(found)
    assert found.version == session.version


def test_a_12_of_a_history_that_is_longer_than_a_session_all_steps_are_in_the_views(
    ledger: Any,
) -> None:
    store, views = store_of(ledger), views_of(ledger)
    session, key = session_of(), {"session_id": str(uuid(100)), "tenant": str(TENANT)}
    # The first save, one that begins where only the last ones are shown, and more than those.
    for count in (STEP_HISTORY_MAX + 500, STEP_HISTORY_MAX + 501, 2 * STEP_HISTORY_MAX + 700):
        told = len(session.step_history)
        session.step_history += [visit(number, number % 7) for number in range(told, count)]
        store.save(session)
        rows = sorted(views.rows("step_visits", **key), key=attrgetter("first_sequence"))
        assert [one.turn_number for one in rows] == list(range(count))
        found = store.get(uuid(100))
        assert found.step_history == session.step_history[-STEP_HISTORY_MAX:]
        for one in (session, found):
            store.save(one)
            assert one.version == ledger.head(**key)
    assert views.rows("snapshots", **key) == []


@on_memory
@only_sync
def test_a_12_of_more_steps_than_one_save_tells_the_last_ones_are_told(
    ledger: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(writing, "STEPS_TOLD_MAX", STEP_HISTORY_MAX + 10)
    session = session_of(step_history=[visit(number) for number in range(STEP_HISTORY_MAX + 50)])
    store_of(ledger).save(session)
    rows = views_of(ledger).rows("step_visits", str(uuid(100)), tenant=str(TENANT))
    assert sorted(one.turn_number for one in rows) == list(range(40, STEP_HISTORY_MAX + 50))


def test_a_12_where_all_new_steps_do_not_fit_those_that_are_shown_are_told() -> None:
    visits = [visit(number) for number in range(STEP_HISTORY_MAX + 500)]
    with Ledger.open("memory:", limits=Limits(batch_events_max=STEP_HISTORY_MAX + 100)) as ledger:
        store = store_of(ledger)
        store.save(session_of(step_history=visits))
        assert store.get(uuid(100)).step_history == visits[-STEP_HISTORY_MAX:]
        rows = views_of(ledger).rows("step_visits", str(uuid(100)), tenant=str(TENANT))
        assert len(rows) == STEP_HISTORY_MAX


@only_sync
def test_what_cannot_be_saved_is_refused_by_name_and_nothing_is_stored(ledger: Any) -> None:
    store = store_of(ledger)
    twice = session_of(active_scenarios=[instance(), instance()])
    wrong = session_of()
    wrong.rule_fires["r"] = -1
    refused = {
        "Session": "not a session",
        "twice": twice,
        "rule_fires": wrong,
        "session.variables.x": session_of(variables={"x": float("nan")}),
        "session.variables": session_of(variables={"x": 2**70}),
    }
    for what, session in refused.items():
        with pytest.raises((InvalidArgument, InvalidEvent), match=what):
            store.save(session)
    store.save(session_of(300))
    with pytest.raises(InvalidArgument, match="another session"):
        store.update(uuid(300), lambda one: session_of(301))
    assert store.delete(uuid(300))
    for session_id in ("", "no uuid", 7, None):
        with pytest.raises(InvalidArgument, match="session_id"):
            store.get(session_id)
    with pytest.raises(InvalidArgument, match="tenant_id"):
        store_of(ledger, tenant_id=None).get(uuid(100))
    assert ledger.list_session_ids(tenant=str(TENANT)).session_ids == []


def test_a_07_what_is_saved_behind_the_end_is_no_activity(ledger: Any) -> None:
    store = store_of(ledger, clock=clock_from(200))
    store.save(session_of())
    for status, moment, expected in (
        ("closed", at(500), at(500)),
        ("closed", at(900), at(500)),
        ("active", at(950), at(950)),
    ):
        session = store.get(uuid(100))
        session.status, session.last_activity_at = status, moment
        session.turn_count += 1
        store.save(session)
        assert store.get(uuid(100)).last_activity_at == expected
    [found] = store.list_by_agent(TENANT, AGENT)
    assert found.last_activity_at == at(950)
