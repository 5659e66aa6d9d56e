"""What other stores saved in a session stays when the question-and-answer store takes its own away."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from ledger import NewEvent, SequenceConflict
from projections.session_stores.qa import ledger_session_id
from projections.session_stores.snapshot import AgentSession, ChatMessage, SessionId
from tests.stores.orchestrator_cases import event, orchestrator_of, run_of, session
from tests.support.agent_sessions import contents
from tests.support.agent_sessions import store_of as snapshots_of
from tests.support.cognee import (
    NOTHING,
    Clock,
    asked,
    each_backend,
    filled,
    lifecycle_of,
    questions,
    read_all,
    store_of,
)
from tests.support.conversations import TENANT
from tests.support.conversations import session_of as conversation
from tests.support.conversations import store_of as conversations_of
from tests.support.views import views_of

OWNER = str(TENANT)
KEY = str(conversation().session_id)
TTL = 100

Read = Callable[[], Any]


def saved_session(ledger: Any) -> Read:
    store = orchestrator_of(ledger, tenant=OWNER)
    store.save_session(session(KEY, status="active", metadata={"plan": 1}))
    # The last change is the session's, whoever made it.
    return lambda: replace(store.get_session(KEY), updated_at=None)


def running(ledger: Any) -> Read:
    store = orchestrator_of(ledger, tenant=OWNER)
    store.save_run(run_of(KEY, "r", status="running"))
    store.append_event(event("e", session_id=KEY))
    return lambda: (store.get_run("r"), store.get_events(KEY), store.get_active_run(KEY))


def counted(ledger: Any) -> Read:
    used = {"model": "m", "input_tokens": 3}
    ledger.append(KEY, NewEvent(used, "usage.recorded"), tenant=OWNER)
    return lambda: views_of(ledger).session(KEY, tenant=OWNER).input_tokens


def marked(ledger: Any) -> Read:
    mark = {"consumer": "indexer", "sequence": 1, "state": "theirs"}
    ledger.append(KEY, NewEvent(mark, "consumer.offset_advanced"), tenant=OWNER)
    return lambda: views_of(ledger).consumer(KEY, "indexer", tenant=OWNER)


def bare_conversation(ledger: Any) -> Read:
    store = conversations_of(ledger)
    saved = conversation()
    store.save(saved)
    return lambda: store.get(KEY).model_copy(
        update={"last_activity_at": saved.last_activity_at, "version": saved.version}
    )


def empty_agent_session(ledger: Any) -> Read:
    store = snapshots_of(ledger, tenant=OWNER)
    store.save(AgentSession(id=SessionId(KEY)))
    return lambda: store.load(KEY).chat_messages


OTHERS = [saved_session, running, counted, marked, bare_conversation, empty_agent_session]
others = pytest.mark.parametrize("other", OTHERS, ids=lambda one: one.__name__)


@each_backend
@others
@pytest.mark.parametrize("first", [True, False], ids=["theirs first", "ours first"])
def test_br_17_bp_43_u_13_pruning_leaves_what_others_saved(
    ledger: Any, other: Callable[[Any], Read], first: bool
) -> None:
    store = store_of(ledger, tenant=OWNER)
    lists = lifecycle_of(store)
    # To save an empty one behind ours says nothing.
    read = other(ledger) if first or other is empty_agent_session else None
    filled(store, KEY)
    lists.accumulate_usage(KEY, model="m", tokens_in=0, tokens_out=5)
    lists.advance_watermark(KEY, "x", 2, state=[1])
    read = read or other(ledger)
    theirs = read()
    assert store.prune() == 1
    assert read() == theirs
    assert read_all(store, KEY) == NOTHING
    mark = lists.watermark(KEY, "x")
    assert (mark.sequence, mark.state) == (0, None)
    assert store.prune() == 0
    filled(store, KEY)
    assert questions(store.get_all_qa_entries(KEY)) == ["question"]
    assert len(store.read_trace_steps(KEY)) == len(store.get_session_context(KEY)) == 1
    assert store.get_graph_context(KEY) == "a -> b"
    assert read() == theirs


@each_backend
@others
def test_u_15_bp_37_a_session_that_expires_here_stays_with_others(
    ledger: Any, other: Callable[[Any], Read]
) -> None:
    clock = Clock()
    store = store_of(ledger, tenant=OWNER, session_ttl_s=TTL, clock=clock)
    lists = lifecycle_of(store)
    clock.forward(3_650 * 86_400)  # what others write is of their own time
    read = other(ledger)
    filled(store, KEY)
    lists.advance_watermark(KEY, "x", 2, state=[1])
    theirs = read()
    clock.forward(TTL)
    assert read_all(store, KEY) == NOTHING
    asked(store, "new", session=KEY, qa_id="qa")
    assert questions(store.get_all_qa_entries(KEY)) == ["new"]
    assert store.read_trace_steps(KEY) == store.get_session_context(KEY) == []
    assert store.get_graph_context(KEY) is None
    assert lists.watermark(KEY, "x").state is None
    assert questions(views_of(ledger).qa(KEY, tenant=OWNER)) == ["new"]
    assert read() == theirs
    clock.forward(TTL)
    filled(store, KEY)  # under the ids of before
    assert questions(store.get_all_qa_entries(KEY)) == ["question"]
    assert len(store.read_trace_steps(KEY)) == len(store.get_session_context(KEY)) == 1
    assert read() == theirs
    assert ledger.read(KEY, tenant=OWNER, deleted=True, types=["session.deleted"]) == []


@each_backend
def test_u_13_what_is_ours_alone_goes_whole(ledger: Any) -> None:
    store = store_of(ledger, tenant=OWNER)
    lists = lifecycle_of(store)
    lists.ensure_and_touch("begun")
    lists.ensure_and_touch("used", user_id="u")
    lists.accumulate_usage("used", model="m", tokens_in=3, user_id="u")
    lists.mark_ended("used", user_id="u")
    filled(store)
    lists.advance_watermark("s", "x", 2)
    store.forget_elements(["nothing"])
    assert store.prune() == 3
    assert views_of(ledger).sessions(tenant=OWNER, archived=True) == []
    assert lists.watermark("s", "x") is None


@each_backend
def test_u_13_who_holds_a_session_saves_it_after_ours_was_pruned(ledger: Any) -> None:
    store, agents = store_of(ledger), snapshots_of(ledger)
    held = agents.save(AgentSession(id=SessionId("s")).with_message(ChatMessage.user("Hi")))
    for _ in range(5):
        filled(store)
        assert store.prune() == 1
    held = agents.save(held.with_message(ChatMessage.assistant("Hello")))
    assert contents(agents.load("s")) == ["Hi", "Hello"]
    filled(store)
    assert store.prune() == 1
    message = views_of(ledger).messages("s")[0]
    redacted = NewEvent({"message_ids": [message.message_id]}, "content.redacted")
    ledger.append("s", redacted)
    filled(store)
    assert store.prune() == 1
    with pytest.raises(SequenceConflict):  # which would have brought back what was redacted
        agents.save(held.with_message(ChatMessage.user("And?")))


@each_backend
@pytest.mark.parametrize("ours", [True, False], ids=["with ours", "without ours"])
def test_l_01_who_is_at_an_expired_session_is_noted_there(ledger: Any, ours: bool) -> None:
    clock = Clock()
    store = store_of(ledger, session_ttl_s=TTL, clock=clock)
    lists = lifecycle_of(store)
    said = {"role": "user", "content": "Hi"}
    ledger.append("s", NewEvent(said, "message.appended", occurred_at=clock()))
    if ours:
        filled(store)
    for _ in range(3):
        clock.forward(TTL)
        assert lists.session_record("s") is None
        assert lists.ensure_and_touch("s").last_activity_at == clock()
        assert lists.session_record("s").session_id == "s"
        assert read_all(store) == NOTHING
    assert [one.content for one in views_of(ledger).messages("s")] == ["Hi"]


@each_backend
def test_u_14_answers_stay_their_users_when_another_store_replaces_what_is_noted(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    key, user = "k" * 1_000, "u" * 500
    asked(store, "fox", session=key, user_id=user)
    kept = ledger_session_id(key, user)
    other = NewEvent({"metadata": {"cognee": None}}, "session.amended")
    ledger.append(kept, other)
    assert store.search("fox").items == []
    [found] = store.search("fox", user_id=user).items
    assert (found.question, found.user_id) == ("fox", user)
    [record] = lifecycle_of(store).session_records(user_id=user).items
    assert record.user_id == user
    assert lifecycle_of(store).session_records().items == []
