"""The question-and-answer store beside the other stores on one ledger: what each sees of the rest."""

from typing import Any

from projections.session_stores.qa import ledger_session_id
from projections.session_stores.snapshot import AgentSession, ChatMessage, SessionId
from tests.stores.orchestrator_cases import orchestrator_of, run_of, session
from tests.support.agent_sessions import contents
from tests.support.agent_sessions import store_of as snapshots_of
from tests.support.cognee import (
    asked,
    each_backend_crossed,
    filled,
    lesson,
    lifecycle_of,
    questions,
    read_all,
    store_of,
)
from tests.support.conversations import TENANT
from tests.support.conversations import session_of as conversation
from tests.support.conversations import store_of as conversations_of
from tests.support.views import views_of


@each_backend_crossed
def test_sessions_are_shared_with_the_snapshot_store(ledger: Any) -> None:
    ours, theirs, views = store_of(ledger), snapshots_of(ledger), views_of(ledger)
    filled(ours)
    filled(ours, user_id="u")
    users = ledger_session_id("s", "u")
    assert {one.id for one in theirs.list()} == {"s", users}
    for key, who in (("s", {}), (users, {"user_id": "u"})):
        loaded = theirs.load(key)
        saved = theirs.save(loaded.with_message(ChatMessage.user("Hi")).allowing("search"))
        assert contents(saved) == ["Hi"]
        assert questions(ours.get_all_qa_entries("s", **who)) == ["question"]
        assert [one.qa_id for one in views.qa(key)] == ["qa"]
        row = views.session(key)
        assert (row.qa_count, row.message_count, row.owner_id) == (1, 1, who.get("user_id"))
        assert lifecycle_of(ours).session_record("s", **who).last_activity_at >= row.created_at
        # What each adds is no change of what the other has.
        ours.create_session_context("s", lesson(), **who)
        assert theirs.save(saved.with_message(ChatMessage.assistant("Hello"))).version > 0
        assert contents(theirs.load(key)) == ["Hi", "Hello"]
    # The other way round: a session that they saved, and its end.
    theirs.save(
        AgentSession(id=SessionId("t", "ext")).with_message(ChatMessage.user("My question"))
    )
    assert ours.get_all_qa_entries("t") == []
    assert lifecycle_of(ours).session_record("t").label == "My question"
    asked(ours, "more", session="t")
    assert str(theirs.load("ext").id) == "t(ext)"
    assert len(views.search("question", kinds=["qa", "messages"]).items) == 3
    assert ours.delete_session("t") is True
    assert theirs.load("ext") is None
    assert theirs.delete("s") is True
    assert read_all(ours)["all"] == []
    assert len(ours.get_all_qa_entries("s", user_id="u")) == 1


@each_backend_crossed
def test_sessions_are_shared_with_the_orchestrators_store(ledger: Any) -> None:
    ours, views = store_of(ledger), views_of(ledger)
    theirs = orchestrator_of(ledger)
    theirs.save_session(session("s", status="active"))
    theirs.save_run(run_of("s", "r", status="running"))
    asked(ours, "during the run")
    assert theirs.get_active_run("s").id == "r"
    assert [one.run_id for one in views.runs("s")] == ["r"]
    lists = lifecycle_of(ours)
    record = lists.session_record("s")
    assert (record.status, record.label) == ("running", "during the run")
    lists.accumulate_usage("s", model="m", tokens_in=3)
    assert views.session("s").input_tokens == 3
    # An end is an end for both.
    assert lists.mark_ended("s") is True
    assert theirs.get_session("s").status == "completed"
    theirs.save_session(session("t", status="active"))
    theirs.save_session(session("t", status="failed"))
    assert lists.session_record("t").status == "failed"
    assert lists.mark_ended("t") is False
    filled(ours, "u")
    assert theirs.get_session("u").id == "u"
    assert {one.session_id for one in lists.session_records().items} == {"s", "t", "u"}
    theirs.delete_session("s")
    assert questions(ours.get_all_qa_entries("u")) == ["question"]


@each_backend_crossed
def test_sessions_are_shared_with_the_conversation_store(ledger: Any) -> None:
    ours, theirs = store_of(ledger, tenant=str(TENANT)), conversations_of(ledger)
    saved = conversation()
    key = saved.session_id
    theirs.save(saved)
    record = lifecycle_of(ours).session_record(key)
    assert (record.session_id, record.status) == (str(key), "running")
    [qa_id] = asked(ours, "asked meanwhile", session=key)
    assert theirs.get(key).session_id == key
    changed = theirs.update(key, lambda one: one.variables.update(seen=True))
    assert changed.variables["seen"] is True
    assert ours.latest_qa_id(key.hex) == qa_id
    assert ours.delete_session(key) is True
    assert theirs.get(key) is None
