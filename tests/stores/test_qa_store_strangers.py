"""Values of strangers in the question-and-answer store: kept as JSON says them, or refused."""

import enum
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from ledger import InvalidArgument, InvalidEvent, LedgerError
from projections.session_stores import snapshot
from projections.session_stores.qa import SessionBusy, SessionQAUpdate
from tests.support.builders import on_memory, only_sync
from tests.support.cognee import (
    asked,
    each_backend,
    each_backend_crossed,
    lesson,
    lifecycle_of,
    step,
    store_of,
)


class Detached:
    """A row without its database, which answers no question, not even what it stands for."""

    @property
    def id(self) -> str:
        raise RuntimeError("not bound to a session")

    def __str__(self) -> str:
        raise RuntimeError("not bound to a session")


class Proxy(Detached):
    @property
    def __class__(self) -> Any:
        raise RuntimeError("working outside of context")


class Closed(Mapping[str, Any]):
    def __getitem__(self, name: str) -> Any:
        raise ValueError("closed")

    def __iter__(self) -> Iterator[str]:
        raise ValueError("closed")

    def __len__(self) -> int:
        return 1


class Owner:
    id = Detached()


class Colour(enum.StrEnum):
    RED = "red"


class Size(enum.IntEnum):
    ONE = 1


class Name(str):
    """As libraries for databases have them."""

    __slots__ = ()


@each_backend
def test_bp_27_objects_that_answer_nothing_are_told_by_their_type(ledger: Any) -> None:
    store = store_of(ledger)
    given: dict[Any, Any] = {
        "row": Detached(),
        "proxy": Proxy(),
        "mapping": Closed(),
        "owner": [Owner()],
        Detached(): 1,
    }
    store.save_trace_step("s", step(method_params=given, method_return_value=Detached()))
    [found] = store.read_trace_steps("s")
    assert found.method_params == {
        "row": {"type": "Detached"},
        "proxy": {"type": "Proxy"},
        "mapping": {"type": "Closed"},
        "owner": [{"type": "Owner"}],
        "Detached": 1,
    }
    assert found.method_return_value == {"type": "Detached"}


@each_backend_crossed
def test_bp_27_members_of_enumerations_are_their_values(ledger: Any) -> None:
    store = store_of(ledger)
    store.save_trace_step("s", step(method_return_value=[Colour.RED, Size.ONE, {Name("x")}]))
    [found] = store.read_trace_steps("s")
    assert found.method_return_value == ["red", 1, ["x"]]


@each_backend_crossed
def test_bp_27_names_that_read_the_same_are_refused_and_none_is_lost(ledger: Any) -> None:
    store = store_of(ledger)
    for same in (
        {1: "one", "1": "text one"},
        {None: 1, "None": 2},
        {"deep": [{True: 1, "True": 2}]},
    ):
        with pytest.raises(InvalidArgument, match=r"names beside each other read '(1|None|True)'"):
            store.save_trace_step("s", step(method_params=same))
    for half in ({"\ud800": 1}, {"deep": {"\udfff": 2}}):
        with pytest.raises(InvalidArgument, match="lone surrogate in the name") as refused:
            store.save_trace_step("s", step(method_params=half))
        assert str(refused.value).encode()
    for half_value in ("\ud800", {"\ud800", "x"}):
        with pytest.raises(InvalidEvent, match="lone surrogate"):
            store.save_trace_step("s", step(method_return_value=half_value))
    assert store.count_trace_steps("s") == 0


@each_backend
def test_bp_31_what_cannot_be_changed_is_named_in_plain_text(ledger: Any) -> None:
    store = store_of(ledger)
    entry = store.create_session_context("s", lesson()).id
    changes: dict[Any, Any]
    for changes, named in (
        ({"\ud800": 1}, "cannot change '\\\\ud800'"),
        ({1: 1, "b": 2, None: 3}, "cannot change 'b', 1, None"),
        ({f"x{number:02}": 1 for number in range(11)}, "'x09', …"),
    ):
        with pytest.raises(InvalidArgument, match=named) as refused:
            store.update_session_context("s", entry, changes)
        assert str(refused.value).encode()


LONG = "x" * 200_000
WRONG: dict[str, Callable[[Any, Any], object]] = {
    "session": lambda store, lists: store.get_all_qa_entries(LONG),
    "user": lambda store, lists: store.get_all_qa_entries("s", user_id=LONG),
    "qa_id": lambda store, lists: store.delete_qa_entry("s", LONG),
    "last_n": lambda store, lists: store.get_latest_qa_entries("s", LONG),
    "qa_ids": lambda store, lists: store.get_qa_entries_by_ids("s", LONG),
    "score": lambda store, lists: store.add_feedback("s", "q", score=LONG),
    "dataset": lambda store, lists: store.delete_dataset("x" * 500),
    "updates": lambda store, lists: store.update_qa_entry("s", "q", LONG),
    "question": lambda store, lists: store.update_qa_entry(
        "s",
        "q",
        SessionQAUpdate(feedback_score=LONG),  # type: ignore[arg-type]
    ),
    "changes": lambda store, lists: store.update_session_context("s", "c", {LONG: 1}),
    "many changes": lambda store, lists: store.update_session_context(
        "s", "c", {f"{number}{LONG}": 1 for number in range(20)}
    ),
    "names": lambda store, lists: store.save_trace_step(
        "s", step(method_params={LONG + "1": {1: 1, "1": 1}, LONG: {LONG: 1, Name(LONG): 2}})
    ),
    "scopes": lambda store, lists: store.recall("s", "text", scopes=[LONG]),
    "limit": lambda store, lists: store.recall("s", "text", limit=LONG),
    "status": lambda store, lists: lists.mark_ended("s", LONG),
    "listed status": lambda store, lists: lists.session_records(status=LONG),
    "order": lambda store, lists: lists.session_records(order_by=LONG),
    "cursor": lambda store, lists: lists.session_records(cursor=LONG),
    "abandoned": lambda store, lists: lifecycle_of(store, abandoned_after_s=LONG),
    "sequence": lambda store, lists: lists.advance_watermark("s", "x", LONG),
    "ttl": lambda store, lists: store_of(store.core.ledger, session_ttl_s=LONG),
    "long ttl": lambda store, lists: store_of(store.core.ledger, session_ttl_s=10**4_000),
}


@on_memory
@only_sync
@pytest.mark.parametrize("wrong", WRONG)
def test_a_refusal_is_short_whatever_was_given(ledger: Any, wrong: str) -> None:
    store = store_of(ledger)
    asked(store, "q")
    store.create_session_context("s", lesson(id="c"))
    with pytest.raises(LedgerError) as refused:
        WRONG[wrong](store, lifecycle_of(store))
    assert len(str(refused.value)) < 1_500


def test_the_busy_session_that_the_store_speaks_of_is_the_one_of_all_stores() -> None:
    assert SessionBusy is snapshot.SessionBusy
