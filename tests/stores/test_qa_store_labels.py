"""What sessions of the question-and-answer store are called; names carry cognee's ids."""

from typing import Any

import pytest

from ledger import NewEvent
from projections.backends.memory import MemoryViews
from projections.session_stores.qa import SessionQAUpdate
from projections.session_stores.qa import labels as labels_module
from projections.session_stores.qa.labels import ROWS_AT_ONCE
from tests.support.builders import on_memory, only_sync
from tests.support.cognee import (
    asked,
    each_backend,
    each_backend_crossed,
    lifecycle_of,
    step,
    store_of,
)
from tests.support.views import views_of


def labels(store: Any) -> dict[str, str | None]:
    """Return the label of each session, by which lists, records and details agree."""
    lists = lifecycle_of(store)
    found = {one.session_id: one.label for one in lists.session_records(limit=3).items}
    for session, label in found.items():
        assert lists.session_record(session).label == label
        assert lists.session_detail(session).record.label == label
        assert lists.ensure_and_touch(session).label == label
    return found


@each_backend
def test_l_10_a_deleted_question_is_no_label_and_the_first_that_is_left_is(ledger: Any) -> None:
    store = store_of(ledger)
    store.save_trace_step("s", step("plan"))
    first, *others = asked(store, "My card is 4111.", " ", "Second?", "Third?")
    assert labels(store) == {"s": "My card is 4111."}
    assert store.delete_qa_entry("s", first)
    assert labels(store) == {"s": "Second?"}
    [row] = views_of(ledger).sessions()
    assert (row.label, row.label_source) == (None, "question")
    asked(store, "Last?")  # which is not the first that is left
    assert labels(store) == {"s": "Second?"}
    for qa_id in others:
        assert store.delete_qa_entry("s", qa_id)
    assert labels(store) == {"s": "Last?"}
    assert store.delete_qa_entry("s", store.latest_qa_id("s"))
    assert labels(store) == {"s": "plan"}


@each_backend_crossed
def test_l_10_an_amended_question_is_the_label_as_it_reads_now(ledger: Any) -> None:
    store = store_of(ledger)
    store.save_trace_step("s", step("plan"))
    first, second = asked(store, "My card is 4111.", "Second?")
    assert store.update_qa_entry("s", second, SessionQAUpdate(question="Or else?"))
    assert labels(store) == {"s": "My card is 4111."}
    assert store.update_qa_entry("s", first, SessionQAUpdate(question="w" * 200))
    assert labels(store) == {"s": "w" * 120}
    assert store.update_qa_entry("s", first, SessionQAUpdate(question=" "))
    assert labels(store) == {"s": "Or else?"}
    assert store.update_qa_entry("s", first, SessionQAUpdate(question="First?"))
    assert labels(store) == {"s": "First?"}
    assert store.delete_qa_entry("s", first)
    assert store.update_qa_entry("s", second, SessionQAUpdate(question=""))
    assert labels(store) == {"s": "plan"}


@each_backend
def test_l_10_what_is_forgotten_is_no_label(ledger: Any) -> None:
    store = store_of(ledger)
    drew = {"used_graph_element_ids": {"node_ids": ["n9"]}}
    asked(store, "about n9", session="both", **drew)
    asked(store, "Second?", session="both")
    store.save_trace_step("steps", step("search", memory_context="n9"))
    store.save_trace_step("steps", step("plan"))
    asked(store, "about n9", session="gone", **drew)
    assert store.forget_elements(["n9"]) == 3
    assert labels(store) == {"both": "Second?", "steps": "plan", "gone": None}
    store.save_trace_step("steps", step("last"))
    assert labels(store)["steps"] == "plan"


@each_backend_crossed
def test_l_10_the_first_question_is_found_behind_many_that_are_empty(ledger: Any) -> None:
    store = store_of(ledger)
    [first] = asked(store, "First?")
    asked(store, *[""] * 25, "Second?")
    store.delete_qa_entry("s", first)
    assert labels(store) == {"s": "Second?"}


@each_backend
def test_l_10_a_step_is_the_label_and_no_call_before_it(ledger: Any) -> None:
    store = store_of(ledger)
    [first] = asked(store, "First?")
    calls = [{"call_id": f"c{number}", "tool_name": "call"} for number in range(ROWS_AT_ONCE + 2)]
    ledger.append("s", [NewEvent(one, "tool.started") for one in calls])
    store.save_trace_step("s", step("plan"))
    store.delete_qa_entry("s", first)
    assert {one.name for one in views_of(ledger).traces("s")} == {"call", "plan"}
    assert labels(store) == {"s": "plan"}


@each_backend
def test_l_10_behind_a_given_label_that_is_taken_back_is_the_first_question(ledger: Any) -> None:
    store = store_of(ledger)
    asked(store, "First?")
    for label in ("Mine", None):
        ledger.append("s", NewEvent({"label": label}, "session.labelled"))
        assert labels(store) == {"s": label or "First?"}
    asked(store, "Second?")
    assert labels(store) == {"s": "First?"}


@on_memory
@only_sync
def test_l_10_rows_are_read_for_a_label_only_where_one_was_taken_away(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(ledger)
    lists = lifecycle_of(store)
    lists.ensure_and_touch("new")
    for session in ("a", "b"):
        store.save_trace_step(session, step("plan"))
    [first, _, _] = asked(store, "First?", "Second?", "Third?", session="b")
    read: list[int] = []
    whole = MemoryViews.read

    def counted(self: Any, query: Any) -> Any:
        found = whole(self, query)
        if query.table.projection.name in ("qa", "traces"):
            read.append(len(found))
        return found

    monkeypatch.setattr(MemoryViews, "read", counted)

    def listed() -> dict[str, str | None]:
        return {one.session_id: one.label for one in lists.session_records().items}

    assert listed() == {"new": None, "a": "plan", "b": "First?"}
    assert read == []
    store.delete_qa_entry("b", first)
    read.clear()
    assert listed() == {"new": None, "a": "plan", "b": "Second?"}
    assert read == [2]
    read.clear()
    assert (lists.count_sessions(), lists.stats().sessions, read) == (3, 3, [])


@on_memory
def test_l_10_the_labels_of_a_page_are_read_at_once(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(ledger)
    lists = lifecycle_of(store)
    expected: dict[str, str | None] = {}
    for number in range(30):
        session = f"s{number}"
        store.save_trace_step(session, step("plan"))
        [first] = asked(store, "First?", session=session)
        store.delete_qa_entry(session, first)
        expected[session] = "plan"
        if number % 3:  # these were asked anew, one of them behind blank rows alone
            blank = ROWS_AT_ONCE + 2 if number == 1 else 2
            asked(store, *[" "] * blank, "Second?", session=session)
            expected[session] = "Second?"
    read: list[tuple[str, int]] = []
    many, single = MemoryViews.snapshot_of_each, MemoryViews.read

    def counted_many(self: Any, queries: Any, sessions: Any) -> Any:
        read.extend((query.table.projection.name, len(sessions)) for query in queries)
        monkeypatch.setattr(MemoryViews, "read", single)
        try:
            return many(self, queries, sessions)
        finally:
            monkeypatch.setattr(MemoryViews, "read", counted_single)

    def counted_single(self: Any, query: Any) -> Any:
        if query.table.projection.name in ("qa", "traces"):
            read.append((query.table.projection.name, 1))
        return single(self, query)

    def listed() -> dict[str, str | None]:
        return {one.session_id: one.label for one in lists.session_records().items}

    assert listed() == expected  # and whatever was not folded yet is
    monkeypatch.setattr(MemoryViews, "snapshot_of_each", counted_many)
    monkeypatch.setattr(MemoryViews, "read", counted_single)
    assert listed() == expected
    assert read == [("qa", 30), ("qa", 1), ("traces", 10)]


@each_backend_crossed
def test_l_10_a_page_longer_than_is_read_at_once_has_all_labels(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels_module, "SESSIONS_AT_ONCE", 2)
    store = store_of(ledger)
    for number in range(5):
        [first, _] = asked(store, "First?", f"Second {number}?", session=f"s{number}")
        store.delete_qa_entry(f"s{number}", first)
    page = lifecycle_of(store).session_records(limit=10)
    assert {one.session_id: one.label for one in page.items} == {
        f"s{number}": f"Second {number}?" for number in range(5)
    }
