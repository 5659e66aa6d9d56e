"""Calls that would answer something else than was asked are refused; names carry cognee's ids."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger import InvalidArgument
from tests.support.cognee import asked, each_backend, lifecycle_of, store_of

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
