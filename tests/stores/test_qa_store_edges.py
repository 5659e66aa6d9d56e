"""What callers get wrong, and what is rare, in the question-and-answer store; with cognee's ids."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from ledger import InvalidArgument, InvalidEvent, NewEvent
from projections.session_stores.qa import (
    IdTaken,
    SessionFeedbackEntry,
    SessionQAUpdate,
    ledger_session_id,
)
from projections.session_stores.qa import recall as qa_recall
from tests.support.awkward import endless, nested
from tests.support.builders import on_memory, only_sync
from tests.support.cognee import (
    DATASET,
    asked,
    cache_of,
    each_backend,
    each_backend_crossed,
    filled,
    lesson,
    lifecycle_of,
    questions,
    step,
    store_of,
)
from tests.support.interrupting import calls_of
from tests.support.views import views_of


@on_memory
@only_sync
def test_m_01_u_18_a_wrong_call_is_told_so_and_stores_nothing(ledger: Any) -> None:
    store = store_of(ledger)
    cache, lists = cache_of(store), lifecycle_of(store)
    filled(store)
    store.create_session_context("s", SessionFeedbackEntry(id="f", raw_text="hm"))
    head = ledger.feed().cursor
    wrong: list[Callable[[], Any]] = [
        lambda: store.get_qa_entries_by_ids("s", None),
        lambda: store.recall("s", "fox", scopes=None),
        lambda: lists.session_records(order_by=["tokens_in"]),
        lambda: lists.advance_watermark("s", "x", 1_000),  # it would hide all until then
        lambda: cache.append_agent_trace_step("u", "s", None, "f", "ok"),
        lambda: cache.append_agent_trace_step("u", "s", 1.5, "f", "ok"),
        lambda: cache.append_agent_trace_step("u", "s", "t", "f", "ok", method_params="abc"),
        lambda: cache.log_usage("u", None),
        lambda: cache.log_usage("u", "abc"),
        lambda: store_of(ledger, clock=datetime.now, session_ttl_s=5).latest_qa_id("s"),
    ]
    for limit in (None, "5", True, -1, 1.5):
        wrong.append(lambda limit=limit: store.search("fox", limit=limit))
        wrong.append(lambda limit=limit: lists.session_records(limit=limit))
        wrong.append(lambda limit=limit: store.recall("s", "fox", limit=limit))
    wrong += [
        lambda ids=ids: store.forget_elements(ids) for ids in (None, "n1", [""], [" "], [None], [7])
    ]
    wrong += [
        lambda after_s=after_s: lifecycle_of(store, abandoned_after_s=after_s)
        for after_s in (None, "5", True, -1, float("nan"), float("inf"), 1e12)
    ]
    wrong += [
        lambda count=count: store.update_session_context("s", "c", {"helpful_count": count})
        for count in (None, "3", -5, True)
    ]
    looped: list[Any] = []
    looped.append(looped)
    wrong.append(lambda: store.save_trace_step("s", step(method_return_value=looped)))
    for call in wrong:
        with pytest.raises(InvalidArgument):
            call()
    # Content is looked at before what is stored under its id.
    for bad in ({"question": object()}, {"answer": 1}, {"feedback_score": 9}):
        said = {"question": "question", "answer": "answer"} | bad
        with pytest.raises(InvalidEvent):
            store.create_qa_entry("s", qa_id="qa", **said)
    for moment in (datetime(2026, 1, 1), "yesterday", 5):  # no time zone, no time
        with pytest.raises(InvalidEvent):
            store.create_session_context("s", lesson(created_at=moment))
    assert ledger.feed().cursor == head


@each_backend
def test_bp_30_bp_31_every_change_of_guidance_comes_back(ledger: Any) -> None:
    store = store_of(ledger)
    store.create_session_context("s", lesson(id="c", source_trace_ids=("t",), extra={"a": (1,)}))
    before = store.get_session_context("s")[0]
    assert (before.source_trace_ids, before.extra) == (["t"], {"a": [1]})
    served = datetime(2026, 1, 2, tzinfo=UTC)
    changes = {"last_served_at": served, "helpful_count": 2, "content": "Be short."}
    assert store.update_session_context("s", "c", changes) is True
    after = store.get_session_context("s")[0]
    assert after == msgspec.structs.replace(before, **changes)
    emptied = {"last_served_at": None, "source_trace_ids": None, "extra": None, "section": None}
    assert store.update_session_context("s", "c", emptied) is True
    found = store.get_session_context("s")[0]
    assert (found.last_served_at, found.source_trace_ids, found.extra) == (None, [], {})
    assert (found.section, found.content, found.helpful_count) == (None, "Be short.", 2)
    head = ledger.head("s")
    assert store.rate_session_context("s", "c") is True
    assert ledger.head("s") == head  # nothing was counted
    for number, rating in enumerate(([], {}, 0, False, "", None, [1, {"a": None}])):
        said = SessionFeedbackEntry(id="f", raw_text="", rating=rating, referenced_qa_rating=rating)
        store.create_session_context("s", said)
        assert store.get_session_context("s")[-1] == said, number
    # What judges an answer is no entry of the context, whoever learns its id.
    [qa_id] = asked(store, "q")
    assert store.add_feedback("s", qa_id, score=2)
    [given] = ledger.read("s", types=["feedback.given"], newest_first=True, limit=1)
    assert store.update_session_context("s", given.event_id, {"raw_text": "x"}) is False
    assert store.delete_session_context_entry("s", given.event_id) is False
    assert len(views_of(ledger).feedback("s", qa_id=qa_id)) == 1


@each_backend_crossed
def test_br_24_bp_27_texts_of_a_step_are_kept_and_sets_have_an_order(ledger: Any) -> None:
    store = store_of(ledger)
    whole = step(
        trace_id="t",
        memory_query=" what\n",
        memory_context="\tthat ",
        error_message=" no\n",
        session_feedback=" so ",
        method_return_value={f"{number}" for number in range(9)},
    )
    store.save_trace_step("s", whole)
    [found] = store.read_trace_steps("s")
    for name in ("memory_query", "memory_context", "error_message", "session_feedback"):
        assert getattr(found, name) == getattr(whole, name)
    assert found.method_return_value == [f"{number}" for number in range(9)]


@each_backend
def test_m_25_elements_are_found_as_they_are_written(ledger: Any) -> None:
    store = store_of(ledger)
    element = UUID(int=0xABC)
    for number, text in enumerate((str(element), element.hex, element.hex.upper(), "a-b", "x")):
        used = {"node_ids": [text]}
        store.create_qa_entry("s", f"q{number}", "a", used_graph_element_ids=used)
    assert store.forget_elements(["a"]) == 0
    assert store.forget_elements({"x"}) == 1  # any collection
    assert store.forget_elements([element]) == 1
    assert questions(store.get_all_qa_entries("s")) == ["q2", "q3"]
    assert store.forget_elements([element.hex.upper()]) == 1
    assert questions(store.get_all_qa_entries("s")) == ["q3"]


@each_backend_crossed
def test_bp_37_what_others_bring_in_from_long_ago_has_not_expired(ledger: Any) -> None:
    store = store_of(ledger, session_ttl_s=1_000)
    long_ago = datetime.now(UTC) - timedelta(days=9)
    said = {"role": "user", "content": "imported"}
    ledger.append("s", NewEvent(said, "message.appended", occurred_at=long_ago))
    assert lifecycle_of(store).session_record("s").label == "imported"
    asked(store, "q")
    assert [one.content for one in views_of(ledger).messages("s")] == ["imported"]
    assert questions(store.get_all_qa_entries("s")) == ["q"]


@each_backend
def test_bp_41_bp_43_a_tenant_of_any_length_has_values_and_is_pruned(ledger: Any) -> None:
    stores = [store_of(ledger, tenant=tenant) for tenant in ("t" * 1_024, "t" * 1_023, "t")]
    for number, store in enumerate(stores):
        filled(store)
        cache_of(store).set_value("k", number)
        cache_of(store).log_usage("u", {"n": number})
    assert [cache_of(store).get_value("k") for store in stores] == [0, 1, 2]
    assert stores[0].prune() == 1
    assert [cache_of(store).get_value("k") for store in stores] == [None, 1, 2]
    assert [len(cache_of(store).get_usage_logs("u")) for store in stores] == [0, 1, 1]
    cache_of(stores[2]).set_value("k", None)  # a value like any other
    assert cache_of(stores[2]).get_value("k") is None
    assert cache_of(stores[2]).delete_value("k") is True
    assert cache_of(stores[2]).delete_value("k") is False


@on_memory
@only_sync
def test_m_20_a_search_asks_once_however_many_sessions_it_finds(ledger: Any) -> None:
    store = store_of(ledger)
    for number in range(20):
        asked(store, "red fox", session=f"s{number}", user_id="u" if number % 2 else None)
    asked(store, "red fox", session="rare", user_id="v")
    asked(store, "a fox", session="a", user_id="v")
    for number in range(99):
        asked(store, "red fox", session=f"t{number}", user_id="u")

    def pages(user: str | None, limit: int, **options: Any) -> tuple[list[str], int]:
        found, calls, cursor = [], 0, None
        while True:
            plan = qa_recall.search(
                store.core, "fox", None, user, limit=limit, cursor=cursor, **options
            )
            page, more = calls_of(plan)
            found += [one.session_id for one in page.items]
            calls, cursor = calls + more, page.cursor
            if cursor is None:
                return found, calls

    everyones, calls = pages(None, 200, everyone=True)
    assert (len({*everyones}), len(everyones), calls) == (121, 121, 1)
    for limit in (1, 2, 10):
        mine, calls = pages("v", limit, everyone=False)
        assert (mine, calls < 12) == (["a", "rare"], True)
        nobodys, _ = pages(None, limit, everyone=False)
        assert nobodys == [f"s{number}" for number in range(18, -1, -2)]
    lists = lifecycle_of(store)
    plan = lists._plans.page(
        "v",
        everyone=False,
        status=None,
        order_by="started_at",
        limit=1,
        cursor=None,
        descending=True,
    )
    assert [one.session_id for one in calls_of(plan)[0].items] == ["a"]
    plan = lists._plans.page(
        None,
        everyone=False,
        status=None,
        order_by="started_at",
        limit=1,
        cursor=None,
        descending=True,
    )
    page, calls = calls_of(plan)
    assert ([one.session_id for one in page.items], calls < 6) == (["s18"], True)


@on_memory
@only_sync
def test_l_05_a_name_that_nobody_told_is_the_ledgers(ledger: Any) -> None:
    store = store_of(ledger)
    user = "ö" * 256
    long_id = ledger_session_id("k" * 900, user)
    for metadata in ({}, {"cognee": "mine"}, {"cognee": {}}):
        ledger.append(long_id, NewEvent({"metadata": metadata}, "session.created"))
        [record] = lifecycle_of(store).session_records(everyone=True).items
        assert (record.session_id, record.user_id) == (long_id, None)
        ledger.delete(long_id)


@each_backend_crossed
def test_l_05_a_session_is_its_owners_whoever_began_it(ledger: Any) -> None:
    store = store_of(ledger)
    key, child = ledger_session_id("s", "u"), ledger_session_id("t", "u")
    ledger.append(key, NewEvent({"status": "active"}, "session.created"))
    asked(store, "q", user_id="u")
    ledger.fork(key, ledger.head(key), child)
    store.save_trace_step("t", step(), user_id="u", dataset_id=DATASET)
    listed = lifecycle_of(store).session_records(user_id="u", descending=False).items
    assert [(one.session_id, one.user_id) for one in listed] == [("s", "u"), ("t", "u")]
    assert views_of(ledger).session(child).dataset_id == DATASET
    head = ledger.head(key)
    asked(store, "more", user_id="u")
    assert ledger.head(key) == head + 1  # said once


@each_backend_crossed
def test_bp_43_a_mark_or_a_judged_run_makes_no_session_ours(ledger: Any) -> None:
    store = store_of(ledger)
    mark = NewEvent({"consumer": "indexer", "sequence": 1}, "consumer.offset_advanced")
    judged = NewEvent({"run_id": "r", "score": 3}, "feedback.given")
    for session, fact in (("marked", mark), ("judged", judged), ("both", judged)):
        ledger.append(session, [NewEvent({"status": "active"}, "session.created"), fact])
    asked(store, "q", session="both")
    assert store.prune() == 1
    views = views_of(ledger)
    assert {one.session_id for one in views.sessions()} == {"marked", "judged", "both"}
    assert len(views.feedback("both", judged_run_id="r")) == 1
    assert views.consumer("marked", "indexer").sequence == 1
    assert views.qa("both") == []
    assert store.prune() == 0


@on_memory
@only_sync
@pytest.mark.parametrize("kind", ["deep", "in itself"])
def test_u_18_what_is_nested_without_end_is_told_so(ledger: Any, kind: str) -> None:
    value = nested(3_000) if kind == "deep" else endless()
    store = store_of(ledger)
    filled(store)
    said = SessionFeedbackEntry(id="f", candidate_updates=[value])
    head = ledger.feed().cursor
    wrong: list[Callable[[], Any]] = [
        lambda: store.create_session_context("s", lesson(extra=value)),
        lambda: store.create_session_context("s", lesson(id="c", extra=value)),
        lambda: store.create_session_context("s", said),
        lambda: store.create_session_context("s", SessionFeedbackEntry(rating=value)),
        lambda: store.update_session_context("s", "c", {"extra": value}),
        lambda: store.create_qa_entry("s", "q", "a", used_graph_element_ids=value),
        lambda: store.update_qa_entry("s", "qa", SessionQAUpdate(used_graph_element_ids=value)),
        lambda: store.save_trace_step("s", step(method_params=value)),
        lambda: store.save_trace_step("s", step(method_return_value=value)),
        lambda: lifecycle_of(store).advance_watermark("s", "x", 1, state=value),
        lambda: cache_of(store).set_value("k", value),
        lambda: cache_of(store).log_usage("u", value),
    ]
    for number, call in enumerate(wrong):
        with pytest.raises((InvalidArgument, InvalidEvent)):
            call()
        assert ledger.feed().cursor == head, number


@each_backend
def test_bp_41_bp_42_what_expires_behind_the_last_moment_never_does(ledger: Any) -> None:
    cache = cache_of(store_of(ledger))
    cache.set_value("k", 1, ttl=1e12)
    cache.log_usage("u", {"n": 1}, ttl=1e12)
    assert (cache.get_value("k"), cache.get_usage_logs("u")) == (1, [{"n": 1}])
    for call in (
        lambda: cache.set_value("k", 2, ttl=1e15),
        lambda: cache.log_usage("u", {}, ttl=1e15),
    ):
        with pytest.raises(InvalidArgument) as refused:
            call()
        assert refused.value.argument == "ttl"


@each_backend
def test_the_fact_of_an_answer_names_whose_it_is_and_nothing_that_was_not_given(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    said = {"qa_id": "qa", "question": "q", "answer": "a"}
    store.create_qa_entry("s", "q", "a", qa_id="qa")
    store.create_qa_entry("s", "q", "a", context="why", qa_id="qa", user_id="u")
    of_nobody, of_u = ledger.read("s")[-1].data, ledger.read(ledger_session_id("s", "u"))[-1].data
    assert (of_nobody, of_u) == (said, said | {"context": "why", "user_id": "u"})
    assert [one.user_id for one in views_of(ledger).qa(ledger_session_id("s", "u"))] == ["u"]


class Said(str):
    """Text of a class of its own, as template engines and libraries for agents have it."""


class Score(int):
    """A number of a class of its own."""


@each_backend
def test_what_is_of_a_class_of_its_own_can_be_said_again(ledger: Any) -> None:
    store = store_of(ledger)
    given: dict[str, Any] = {"qa_id": "qa", "feedback_score": Score(5)}
    given["used_session_context_ids"] = [Said("c")]
    first = store.create_qa_entry("s", Said("q"), Said("a"), **given)
    assert store.create_qa_entry("s", Said("q"), Said("a"), **given) == first
    assert store.create_qa_entry("s", "q", "a", **given | {"feedback_score": 5}) == first
    with pytest.raises(IdTaken):
        store.create_qa_entry("s", Said("q"), Said("another"), **given)
    told: dict[str, Any] = {"trace_id": "t", "error_message": Said("no net")}
    kept = store.save_trace_step("s", step("search", **told))
    assert store.save_trace_step("s", step("search", **told)) == kept


@on_memory
@only_sync
def test_pruning_takes_every_value_however_many_pages_they_are(ledger: Any) -> None:
    store = store_of(ledger)
    cache = cache_of(store)
    keys = [f"k{number}" for number in range(1_001)]  # a page of ids has a thousand
    for key in keys:
        cache.set_value(key, 1)
    store.prune()
    assert {cache.get_value(key) for key in keys} == {None}
