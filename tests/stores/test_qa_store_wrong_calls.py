"""Calls that would answer something else than was asked are refused; names carry cognee's ids."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ledger import InvalidArgument, InvalidEvent
from projections.session_stores.qa import SessionQAUpdate
from tests.support.cognee import (
    asked,
    cache_of,
    each_backend,
    filled,
    lesson,
    lifecycle_of,
    step,
    store_of,
)

WRONG: dict[str, tuple[str, Callable[[Any, Any], object]]] = {
    "search everyone": ("everyone", lambda store, lists: store.search("fox", everyone="no")),
    "recall everyone": (
        "everyone",
        lambda store, lists: store.recall_across_sessions("q", everyone="no"),
    ),
    "records everyone": ("everyone", lambda store, lists: lists.session_records(everyone="no")),
    "count everyone": ("everyone", lambda store, lists: lists.count_sessions(everyone=1)),
    "stats everyone": ("everyone", lambda store, lists: lists.stats(everyone=0)),
    "costs everyone": ("everyone", lambda store, lists: lists.cost_by_model(everyone=None)),
    "back": ("back", lambda store, lists: lists.advance_watermark("s", "x", 1, back="no")),
    "no user": ("user_id", lambda store, lists: store.recall_across_sessions("q", user_id="")),
    "users": ("user_id", lambda store, lists: store.recall_across_sessions("q", user_id=["u"])),
    "bytes": ("user_id", lambda store, lists: store.recall_across_sessions("q", user_id=b"u")),
    "user and all": (
        "user_id",
        lambda store, lists: store.recall_across_sessions("q", user_id="u", everyone=True),
    ),
    "text of no words": ("text", lambda store, lists: store.recall_across_sessions(5)),
    "scope in an iterator": (
        "scopes",
        lambda store, lists: store.recall("s", "fox", scopes=iter(["session", "graph"])),
    ),
}


@each_backend
@pytest.mark.parametrize("wrong", WRONG)
def test_m_01_what_is_no_answer_to_a_call_is_refused(ledger: Any, wrong: str) -> None:
    store = store_of(ledger)
    lists = lifecycle_of(store)
    asked(store, "red fox")
    assert lists.advance_watermark("s", "x", 2)
    head = ledger.head("s")
    argument, call = WRONG[wrong]
    with pytest.raises(InvalidArgument) as refused:
        call(store, lists)
    assert refused.value.argument == argument
    assert ledger.head("s") == head


@each_backend
def test_m_19_scopes_may_come_one_by_one(ledger: Any) -> None:
    store = store_of(ledger)
    asked(store, "red fox")
    [found] = store.recall("s", "fox", scopes=iter(["trace", "session"]))
    assert (found.source, found.item.question) == ("session", "red fox")


BAD: dict[str, Any] = {"feedback_score": 9}
NAN = float("nan")
#: The field that a refusal names -> calls that have it wrong, of a store, its lifecycle, its cache.
REFUSED: dict[str, list[Callable[[Any, Any, Any], object]]] = {
    "question": [lambda store, lists, cache: store.create_qa_entry("s", 5, "a")],
    "feedback_score": [
        lambda store, lists, cache: store.create_qa_entry("s", "q", "a", feedback_score=6),
        lambda store, lists, cache: store.create_qa_entry("s", "q", "a", "c", qa_id="n", **BAD),
        lambda store, lists, cache: store.update_qa_entry("there", "qa", SessionQAUpdate(**BAD)),
        lambda store, lists, cache: store.update_qa_entry("s", "none", SessionQAUpdate(**BAD)),
        lambda store, lists, cache: cache.update_qa_entry(None, "there", "qa", **BAD),
    ],
    "used_graph_element_ids.nodes": [
        lambda store, lists, cache: store.create_qa_entry(
            "s", "q", "a", used_graph_element_ids={"nodes": []}
        )
    ],
    "entry": [
        lambda store, lists, cache: store.create_qa_entry("s", "q" * 2**20, "a"),
    ],
    "updates": [
        lambda store, lists, cache: store.update_qa_entry(
            "there", "qa", SessionQAUpdate(answer="a" * 2**20)
        )
    ],
    "method_return_value": [
        lambda store, lists, cache: store.save_trace_step("s", step(method_return_value=NAN))
    ],
    "confidence": [
        lambda store, lists, cache: store.create_session_context("s", lesson(confidence=3)),
        lambda store, lists, cache: store.update_session_context("there", "c", {"confidence": 3}),
    ],
    "helpful": [lambda store, lists, cache: store.rate_session_context("s", "c", helpful="1")],
    "context": [lambda store, lists, cache: store.set_graph_context("s", 5)],
    "tokens_in": [lambda store, lists, cache: lists.accumulate_usage("s", tokens_in=-1)],
    "value": [lambda store, lists, cache: cache.set_value("k", object())],
    "value.a[1]": [lambda store, lists, cache: cache.set_value("k", {"a": [0, object()]})],
    "log_entry.n": [lambda store, lists, cache: cache.log_usage("u", {"n": object()})],
}


@each_backend
@pytest.mark.parametrize("field", REFUSED)
def test_bp_13_a_refusal_names_what_was_given(ledger: Any, field: str) -> None:
    store = store_of(ledger)
    filled(store, "there")
    head = ledger.feed().cursor
    for call in REFUSED[field]:
        with pytest.raises(InvalidEvent) as refused:
            call(store, lifecycle_of(store), cache_of(store))
        assert (refused.value.field, refused.value.place) == (field, "")
    assert ledger.feed().cursor == head


@each_backend
def test_bp_13_a_clock_before_1970_is_refused_by_its_name(ledger: Any) -> None:
    store = store_of(ledger, clock=lambda: datetime(1960, 1, 1, tzinfo=UTC))
    with pytest.raises(InvalidEvent) as refused:
        asked(store, "s")
    assert refused.value.field == "clock"


@each_backend
def test_bp_29_a_dict_is_no_entry_and_is_told_what_is(ledger: Any) -> None:
    store, dump = store_of(ledger), {"kind": "context", "content": "Be brief."}
    for call in (
        lambda: store.create_session_context("s", dump),
        lambda: cache_of(store).create_session_context_entry("u", "s", dump),
    ):
        with pytest.raises(InvalidArgument, match="SessionContextEntry or a SessionFeedbackEntry"):
            call()
