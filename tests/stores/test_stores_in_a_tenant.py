"""A store of a tenant answers as one without does, and leaves the sessions of nobody's tenant alone."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from ledger import Ledger, NewEvent, SequenceConflict
from ledger.batch import Door
from projections.session_stores.orchestrator import ExecutionResult, RetentionPolicy
from projections.session_stores.qa import labels, ledger_session_id
from projections.session_stores.snapshot import reading
from tests.stores.orchestrator_cases import (
    at,
    event,
    events,
    ids,
    orchestrator_of,
    queries_of,
    run_of,
    session,
    upkeep_of,
)
from tests.support.agent_sessions import contents, runtime_event, session_of, turn
from tests.support.agent_sessions import store_of as snapshots_of
from tests.support.cognee import (
    DATASET,
    START,
    asked,
    cache_of,
    filled,
    lesson,
    lifecycle_of,
    questions,
    read_all,
    step,
)
from tests.support.cognee import store_of as answers_of

Story = Callable[[Any, str], list[Any]]


def of_an_orchestrator(ledger: Any, tenant: str) -> list[Any]:
    """Return what an orchestrator's store answers from a session's beginning to its end."""
    store = orchestrator_of(ledger, tenant=tenant)
    upkeep, queries = upkeep_of(store, lambda: at(9)), queries_of(store)
    store.save_session(session(created_at=at(0), updated_at=at(0)))
    store.save_run(run_of(status="running", started_at=at(1), token_usage={"input_tokens": 2}))
    call = {"tool_call_id": "call", "tool_name": "search"}
    store.append_event(event("a", run_id="r", type="tool_call_started", data=call, timestamp=at(2)))
    store.append_event(event("b", run_id="r", timestamp=at(2)))
    store.append_events(events("c", "d", session_id="t", timestamp=at(2)))
    store.flush(
        ExecutionResult(
            session=session("u", created_at=at(3), updated_at=at(3)),
            run=run_of("u", "q", status="completed", started_at=at(3), ended_at=at(4)),
            events=events("e", "f", session_id="u", run_id="q", timestamp=at(3)),
        )
    )
    file = NewEvent({"artifact_id": "x", "key": "x.txt"}, "artifact.registered", occurred_at=at(2))
    for id in ("t", "u"):
        ledger.append(id, file, tenant=tenant)
    running = store.get_active_run("s")
    told = [
        *(running and running.id, store.get_run("r").status, ids(store.list_runs("s"))),
        store.update_run("r", lambda one: replace(one, metadata={"n": 1})).metadata,
        store.update_session("s", lambda one: replace(one, status="active")).status,
        *(store.get_session("s").status, ids(store.list_sessions())),
        *(ids(store.get_events("s")), store.get_latest_sequence("s")),
        *(ids(queries.search_sessions().sessions), ids(queries.search_runs().items)),
        *(ids(queries.search_events().items), queries.count_events()),
        *(queries.get_session_stats("s").run_count, queries.get_usage_summary()),
        *(queries.get_cost_summary(), ids(queries.export_session("s").events)),
        len(queries.export_session("u", include_artifacts=True).artifacts),
        *(upkeep.health_check(), upkeep.clean_orphaned_artifacts()),
        upkeep.prune_session_events("s", RetentionPolicy(max_events_per_session=1)),
        *(ids(store.get_events("s")), store.get_latest_sequence("s")),
        ids(store.get_events("s", limit=1)),
    ]
    end = store.get_latest_sequence("s")
    told += [store.get_events("s", after=end, before=end + 9, wait_timeout_ms=20)]
    store.delete_session("s")
    store.append_event(event("a", timestamp=at(5)))  # of the next life
    begun = session(created_at=at(5), updated_at=at(5))
    store.flush(ExecutionResult(session=begun, run=run_of(), events=events("b", timestamp=at(5))))
    told += [ids(store.get_events("s")), store.get_session("s").status]
    upkeep = upkeep_of(store, lambda: at(10**8))
    policy = RetentionPolicy(max_completed_session_age_days=1, hard_delete_after_days=1)
    told += [ids(store.list_sessions()), upkeep.soft_delete_expired_sessions(policy)]
    return [*told, upkeep.hard_delete_expired_sessions(policy), upkeep.health_check()]


def of_answers(ledger: Any, tenant: str) -> list[Any]:
    """Return what a store of answers, its lifecycle and its cache answer."""
    store = answers_of(ledger, tenant=tenant, clock=lambda: START)
    lifecycle, cache = lifecycle_of(store), cache_of(store)
    told: list[Any] = []
    theirs = ledger_session_id("v", "u")
    ledger.append(theirs, NewEvent({}, "session.created"), tenant=tenant)
    for id, question in (("blank", " "), ("gone", "Gone?"), ("left", "And where?")):
        told += [store.create_qa_entry("v", question, "There.", qa_id=id, user_id="u").sequence]
    told += [store.delete_qa_entry("v", "gone", user_id="u")]
    told += [one.label for one in lifecycle.session_records(user_id="u").items]
    for id in ("s", "t"):
        lifecycle.ensure_and_touch(id, dataset_id=DATASET)
        filled(store, id)
        told += [store.add_feedback(id, "qa", score=2), read_all(store, id)]
    # Told again, these are the same; told otherwise, they are others.
    told += [store.create_qa_entry("s", "question", "answer", qa_id="qa").sequence]
    told += [store.save_trace_step("s", step(trace_id="st", session_feedback="fine")).sequence]
    told += [store.create_session_context("s", lesson(id="c")).sequence]
    lifecycle.accumulate_usage("s", model="m", tokens_in=1, cost_usd=0.5)
    told += [
        *(questions(store.history("s", matching="question")), store.latest_qa_id("s")),
        *(len(store.recall("s", "question")), len(store.recall_across_sessions("question"))),
        *(questions(store.search("question").items), questions(lifecycle.new_entries("s", "x"))),
        *(len(lifecycle.new_trace_steps("s", "x")), lifecycle.advance_watermark("s", "x", 5)),
        *(lifecycle.watermark("s", "x").sequence, questions(lifecycle.new_entries("s", "x"))),
        *(len(lifecycle.new_trace_steps("s", "x")), lifecycle.count_sessions()),
        *(lifecycle.stats(), lifecycle.cost_by_model()),
        *(lifecycle.session_records().items, lifecycle.stats(everyone=True)),
        lifecycle.session_detail("s").msg_count,
        *(store.rate_session_context("s", "c", helpful=1), store.delete_feedback("s", "qa")),
        *(store.delete_qa_entry("s", "qa"), store.delete_session_context("s")),
        *(
            read_all(store)["all"],
            lifecycle.mark_ended("s"),
            len(lifecycle.session_detail("s").qas),
        ),
    ]
    cache.set_value("k", 1)
    cache.log_usage("u", {"n": 1})
    told += [cache.get_value("k"), len(cache.get_usage_logs("u")), cache.delete_value("k")]
    told += [store.forget_elements(["e"]), store.delete_session("s"), store.delete_dataset(DATASET)]
    asked(store, "again", "and again")
    cache.set_value("k", 2)
    told += [questions(store.get_all_qa_entries("s")), store.prune(), cache.get_value("k")]
    told += [cache.get_usage_logs("u"), store.get_all_qa_entries("s")]
    short = answers_of(ledger, tenant=tenant, session_ttl_s=3_600)  # by the log's clock
    asked(short, "and at last", "in the end", user_id="u")
    said = NewEvent({"role": "user", "content": "Hi"}, "message.appended")
    ledger.append(ledger_session_id("s", "u"), said, tenant=tenant)
    told += [questions(short.get_all_qa_entries("s", user_id="u")), short.prune()]
    return [*told, short.get_all_qa_entries("s", user_id="u")]


def of_snapshots(ledger: Any, tenant: str) -> list[Any]:
    """Return what a store of whole sessions answers."""
    store = snapshots_of(ledger, tenant=tenant)
    saved = store.save(session_of(external_id="ext"))
    told: list[Any] = [saved.version, contents(store.load("s")), contents(store.load("ext"))]
    store.save(saved.with_message(*turn(2)).allowing("x"))
    for _ in range(2):
        call = runtime_event("toolCallStarted", tool_name="search", args_json="{}")
        told += [store.append_event("s", call, event_id="e", call_id="c")]
    end = runtime_event("toolCallFinished", tool_name="search", summary="3 hits")
    told += [store.append_event("s", end), store.events("s")[-1].data["call_id"]]
    store.append_event("s", NewEvent({"step": "after_user_input"}, "checkpoint.saved"))
    changed = store.update("s", lambda one: one.trimmed(1))
    told += [changed.version, contents(store.load("s", version=saved.version))]
    told += [contents(store.load("s")), store.load("s").always_allowed_actions]
    told += [[one.type for one in store.events("s")], len(store.versions("s"))]
    told += [store.checkpoint("s").step, len(store.checkpoints("s")), store.list()]
    with pytest.raises(SequenceConflict):
        store.save(saved)
    asking = NewEvent({"approval_id": "p", "action_key": "y"}, "approval.requested")
    loaded = store.load("s")
    store.append_event("s", asking)
    told += [store.save(loaded.allowing("y")).always_allowed_actions]
    told += [store.list_page().items, store.delete("ext"), store.load("s"), store.list()]
    store.append_event("s", NewEvent({"n": 1}, "note"), event_id="e")  # of the next life
    again = store.save(session_of(external_id="ext"))
    return [*told, contents(store.load("ext")) == contents(again), store.events("s")[0].event_id]


STORIES: dict[str, Story] = {
    "orchestrator": of_an_orchestrator,
    "answers": of_answers,
    "snapshots": of_snapshots,
}


@pytest.fixture
def tenants(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The tenants that ledger and views were asked about."""
    seen: set[str] = set()
    usual = Door.tenant_key

    def spied(door: Door, tenant: object) -> str:
        key = usual(door, tenant)
        seen.add(key)
        return key

    monkeypatch.setattr(Door, "tenant_key", spied)
    # Few rows are many: what a long session is read by is asked, too.
    monkeypatch.setattr(labels, "ROWS_AT_ONCE", 1)
    monkeypatch.setattr(reading, "LIMITS", (5, None))
    return seen


@pytest.mark.parametrize("name", STORIES)
def test_u_14_a_store_of_a_tenant_answers_as_one_without(
    ledger: Any, tenants: set[str], name: str
) -> None:
    with Ledger.open("memory:") as alone:
        told = STORIES[name](alone, "")
    for tenant in "ab":
        tenants.clear()
        assert STORIES[name](ledger, tenant) == told
        assert {one[:1] for one in tenants} == {tenant}
    assert ledger.list_session_ids().session_ids == []
