"""The conversation store beside the other stores on one ledger: what each sees of the rest."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from ledger import NewEvent
from projections.session_stores.conversation.reading import LIMITS
from projections.session_stores.snapshot import AgentSession, ChatMessage, SessionId
from tests.stores.orchestrator_cases import orchestrator_of, run_of, session
from tests.support.agent_sessions import contents
from tests.support.agent_sessions import store_of as snapshots_of
from tests.support.builders import on_memory, only_sync
from tests.support.cognee import DATASET, lifecycle_of
from tests.support.cognee import store_of as qa_of
from tests.support.conversations import (
    AGENT,
    TENANT,
    at,
    full_session,
    session_of,
    store_of,
    uuid,
    visit,
)
from tests.support.interrupting import calls_of
from tests.support.views import views_of

KEY = str(uuid(100))
HERE = {"tenant": str(TENANT)}


def test_what_is_saved_is_in_the_views_that_everybody_reads(ledger: Any) -> None:
    store, views = store_of(ledger), views_of(ledger)
    saved = full_session()
    store.save(saved)
    row = views.session(KEY, **HERE)
    assert (row.agent_id, row.channel, row.user_channel_id) == (str(AGENT), "voice", "user 100")
    assert (row.status, row.turn_count, row.config_version) == ("processing", 8, 9)
    assert (row.created_at, row.last_activity_at) == (at(100), at(105))
    assert (row.anomalies, views.anomalies(KEY, **HERE)) == ([], [])
    script = views.script(KEY, **HERE)
    assert script.rule_fires == {"greet": 3, "refund": 1}
    assert script.variables == saved.variables
    assert (script.migration_target_version, script.relocalization_count) == (4, 2)
    places = {one.scenario_id: one for one in views.scenarios(KEY, **HERE)}
    primary = places[str(saved.active_scenario_id)]
    assert (primary.step_name, primary.scenario_checksum) == ("step 2", "checksum")
    assert [places[str(one.scenario_id)].status for one in saved.active_scenarios] == [
        "active",
        "paused",
        "completed",
        "cancelled",
    ]
    visits = views.step_visits(KEY, **HERE)
    assert [one.entered_at for one in visits if one.step_name] == [at(1), at(2)]
    assert len(views.turns(KEY, **HERE)) == 8


def test_sessions_are_shared_with_the_snapshot_store(ledger: Any) -> None:
    ours, theirs = store_of(ledger), snapshots_of(ledger, **HERE)
    saved = full_session()
    ours.save(saved)
    loaded = theirs.load(KEY)
    assert (loaded.id, loaded.version, loaded.chat_messages) == (
        SessionId(KEY),
        saved.version,
        (),
    )
    assert [one.id for one in theirs.list()] == [KEY]
    loaded = theirs.save(loaded.with_message(ChatMessage.user("Hi")).allowing("search"))
    # What each adds is no change of what the other has.
    saved.variables["name"] = "Bo"
    ours.save(saved)
    assert ours.get(uuid(100)).variables["name"] == "Bo"
    assert theirs.save(loaded.with_message(ChatMessage.assistant("Hello"))).version > 0
    assert contents(theirs.load(KEY)) == ["Hi", "Hello"]
    assert views_of(ledger).session(KEY, **HERE).message_count == 2
    found = ours.get(uuid(100))
    apart = {"version", "last_activity_at"}
    assert found.model_dump(exclude=apart) == saved.model_dump(exclude=apart)
    assert theirs.delete(KEY) is True
    assert ours.get(uuid(100)) is None


def test_a_session_that_the_snapshot_store_began_becomes_a_conversation_when_it_is_saved(
    ledger: Any,
) -> None:
    ours, theirs = store_of(ledger), snapshots_of(ledger, **HERE)
    begun = AgentSession(id=SessionId(KEY, "ext")).with_message(ChatMessage.user("Hi"))
    begun = theirs.save(begun)
    # Nobody said whose it is and where they talk, so there is no conversation yet.
    assert ours.get(uuid(100)) is None
    assert ours.delete(uuid(100)) is False
    saved = full_session()
    ours.save(saved)
    found = ours.get(uuid(100))
    apart = {"last_activity_at"}  # theirs was later
    assert found.model_dump(exclude=apart) == saved.model_dump(exclude=apart)
    assert ours.get_by_channel(TENANT, "voice", "user 100") == found
    assert contents(theirs.load("ext")) == ["Hi"]
    row = views_of(ledger).session(KEY, **HERE)
    assert (row.external_id, row.message_count, row.agent_id) == ("ext", 1, str(AGENT))


def test_sessions_are_shared_with_the_orchestrator_store(ledger: Any) -> None:
    ours, theirs, views = store_of(ledger), orchestrator_of(ledger, **HERE), views_of(ledger)
    saved = session_of()
    ours.save(saved)
    record = theirs.get_session(KEY)
    assert (record.id, record.agent_id, record.status) == (KEY, str(AGENT), "active")
    theirs.save_run(run_of(KEY, status="running", token_usage={"total_tokens": 7}))
    saved.turn_count = 1
    saved.step_history.append(visit(1))
    ours.save(saved)  # a run is no change of what the session says
    assert views.active_run(KEY, **HERE).run_id == "r"
    assert theirs.get_run("r").session_id == KEY
    # The other way round: how it ends, and a session of theirs.
    theirs.save_session(session(KEY, agent_id=str(AGENT), status="completed"))
    assert ours.get(uuid(100)).status == "closed"
    [listed] = ours.list_by_agent(TENANT, AGENT, status="closed")
    assert (listed.turn_count, len(listed.step_history)) == (1, 1)
    other = str(uuid(101))
    theirs.save_session(session(other, agent_id=str(AGENT), status="active"))
    assert ours.get(uuid(101)) is None
    named = {"channel": "sms", "user_channel_id": "+33"}
    ledger.append(other, NewEvent(named, "session.rekeyed"), **HERE)
    found = ours.get_by_channel(TENANT, "sms", "+33")
    assert (found.session_id, found.agent_id, found.config_version) == (uuid(101), AGENT, 0)
    found.config_version = 3
    ours.save(found)
    assert ours.get(uuid(101)).config_version == 3
    assert theirs.get_session(other).agent_id == str(AGENT)


# What other stores tell of a session, and no conversation says.
ELSEWHERE: dict[str, Callable[[Any], object]] = {
    "touched": lambda one: lifecycle_of(qa_of(one, tenant=str(TENANT))).ensure_and_touch(KEY),
    "its dataset": lambda one: qa_of(one, tenant=str(TENANT)).create_qa_entry(
        KEY, "question", "answer", dataset_id=DATASET
    ),
    "metadata": lambda one: changed_record(one, metadata={"x": 1}),
    "its parent": lambda one: changed_record(one, parent_session_id="parent"),
    "a later time": lambda one: changed_record(one, updated_at=datetime(2030, 1, 1, tzinfo=UTC)),
    "external id": lambda one: snapshots_of(one, **HERE).save(
        replace(snapshots_of(one, **HERE).load(KEY), id=NAMED)
    ),
}
NAMED = SessionId(KEY, "external")


def changed_record(ledger: Any, **fields: Any) -> None:
    orchestrator_of(ledger, **HERE).update_session(KEY, lambda record: replace(record, **fields))


@pytest.mark.parametrize("what", ELSEWHERE)
def test_u_02_what_other_stores_tell_that_no_conversation_says_is_no_conflict(
    ledger: Any, what: str
) -> None:
    store = store_of(ledger)
    store.save(session_of())
    read = store.get(uuid(100))
    ELSEWHERE[what](ledger)
    assert ledger.head(KEY, **HERE) > read.version
    read.turn_count = 1
    store.save(read)
    assert (read.version, store.get(uuid(100)).turn_count) == (ledger.head(KEY, **HERE), 1)


@on_memory
@only_sync
def test_of_what_is_kept_beside_the_facts_a_conversation_reads_its_own(ledger: Any) -> None:
    store = store_of(ledger)
    saved = full_session()
    store.save(saved)
    saved.turn_count = 2  # fewer, which no fact says
    store.save(saved)
    store.save(session_of(101, agent_id=AGENT))
    others = [{"name": f"of another {number}", "state": {}} for number in range(LIMITS[0] + 1)]
    ledger.append(KEY, [NewEvent(one, "snapshot.saved") for one in others], **HERE)
    found, calls = calls_of(store._plans.get(uuid(100), None))
    assert (found.turn_count, calls) == (2, 1)
    assert found in store.list_by_agent(TENANT, AGENT)
    found.turn_count = 1
    assert calls_of(store._plans.save(found, ())) == (None, 1)
    assert store.get(uuid(100)).turn_count == 1
