"""Sessions of the question-and-answer store expire whole; names carry the ids of cognee's lines."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from ledger import Append, InvalidArgument, NewEvent
from ledger.moments import to_microseconds
from ledger.records import Unit
from projections.session_stores.qa import SessionQAUpdate
from tests.support.blocking import Blocking, LoopThread
from tests.support.builders import on_memory, only_sync
from tests.support.cognee import (
    NOTHING,
    READS,
    Clock,
    asked,
    each_backend,
    filled,
    lifecycle_of,
    questions,
    read_all,
    step,
    store_of,
)
from tests.support.views import views_of

TTL = 100


@each_backend
def test_bp_34_bp_35_bp_36_bp_40_u_15_a_write_moves_the_expiry_and_a_read_does_not(
    ledger: Any,
) -> None:
    clock = Clock()
    store = store_of(ledger, session_ttl_s=TTL, clock=clock)
    filled(store, user_id="u")
    clock.forward(TTL - 1)
    before = read_all(store, user_id="u")
    assert not any(value == NOTHING[name] for name, value in before.items())
    head = ledger.head("cognee:u:s")
    store.save_trace_step("s", step(), user_id="u")
    assert ledger.head("cognee:u:s") == head + 1  # whatever the length of the session
    for _ in range(3):
        clock.forward(TTL - 1)
        assert questions(store.get_all_qa_entries("s", user_id="u")) == ["question"]
        assert store.update_qa_entry("s", "qa", SessionQAUpdate(), user_id="u") is True
        assert store.add_feedback("s", "qa", score=3, user_id="u") is True
    for read, _ in READS.values():
        read(store, "s", user_id="u")
    # Nothing to change is no write.
    clock.forward(TTL / 2)
    assert store.update_qa_entry("s", "qa", SessionQAUpdate(), user_id="u") is True
    clock.forward(TTL / 2)
    assert read_all(store, user_id="u") == NOTHING
    for unseen in (lifecycle_of(store).new_entries, lifecycle_of(store).new_trace_steps):
        assert unseen("s", "indexer", user_id="u") == []
    # Without an expiry nothing expires, for as long as you like.
    for ttl in (None, 0):
        assert questions(
            store_of(ledger, session_ttl_s=ttl, clock=clock).get_all_qa_entries("s", user_id="u")
        ) == ["question"]


@each_backend
def test_bp_37_bp_38_bp_39_an_expired_session_is_absent_whole_and_begins_anew(ledger: Any) -> None:
    clock = Clock()
    store = store_of(ledger, session_ttl_s=TTL, clock=clock)
    lists = lifecycle_of(store)
    filled(store)
    lists.advance_watermark("s", "x", 2)
    clock.forward(TTL - 1)
    asked(store, "late")  # keeps steps and guidance alive as well
    clock.forward(TTL - 1)
    assert read_all(store)["steps"]
    assert read_all(store)["context"]
    clock.forward(1)
    assert read_all(store) == NOTHING
    assert store.search("question").items == store.search("late", everyone=True).items == []
    assert lists.session_record("s") is lists.session_detail("s") is None
    assert lists.session_records().items == lists.session_records(everyone=True).items == []
    assert lists.stats(everyone=True).sessions == lists.count_sessions() == 0
    assert lists.watermark("s", "x") is None
    assert lists.mark_ended("s") is lists.advance_watermark("s", "x", 9) is False
    changes: list[Any] = [
        store.update_qa_entry("s", "qa", SessionQAUpdate(answer="x")),
        store.add_feedback("s", "qa", score=1),
        store.delete_feedback("s", "qa"),
        store.delete_qa_entry("s", "qa"),
        store.update_session_context("s", "c", {"content": "x"}),
        store.rate_session_context("s", "c", helpful=1),
        store.delete_session_context_entry("s", "c"),
        store.delete_session_context("s"),
        store.delete_session("s"),
    ]
    assert changes == [False] * len(changes)
    # It is hidden by its age, not by a sweep that might be late; the log keeps it until a write.
    assert "qa.recorded" in {one.type for one in ledger.read("s")}
    assert store.create_qa_entry("s", "new", "a", qa_id="qa").sequence > 5
    assert questions(store.get_all_qa_entries("s")) == ["new"]
    assert store.read_trace_steps("s") == store.get_session_context("s") == []
    assert store.get_graph_context("s") is None
    assert questions(views_of(ledger).qa("s")) == ["new"]
    assert [one.data for one in ledger.read("s", deleted=True, types=["session.deleted"])] == [
        {"reason": "expired"}
    ]
    assert lists.session_record("s").started_at == clock()


@each_backend
def test_bp_35_a_write_counts_when_it_is_stored_whatever_time_it_tells(
    ledger: Any, loop: LoopThread | None
) -> None:
    store = store_of(ledger, session_ttl_s=TTL)  # goes by the log's clock
    lists = lifecycle_of(store)
    backend = ledger.backend if loop is None else Blocking(ledger.backend, loop)

    def write(session_id: str, told: datetime, stored: datetime) -> None:
        said = {"question": session_id, "answer": "", "qa_id": "q"}
        given = NewEvent(said, "qa.recorded", occurred_at=told)
        [part] = ledger.door.batch([Append(session_id, [given])]).unit.parts
        draft = replace(part.drafts[0], recorded_us=to_microseconds(stored))
        [_] = backend.append([Unit((replace(part, drafts=(draft,)),))], wait=True)

    now = datetime.now(UTC)
    long_ago, late = now - timedelta(days=1), now + timedelta(days=1)
    write("alive", told=long_ago, stored=now)
    write("over", told=late, stored=long_ago)
    for session_id in ("alive", "over"):
        shown = [session_id] if session_id == "alive" else []
        assert questions(store.get_all_qa_entries(session_id)) == shown
        assert [one.session_id for one in [lists.session_record(session_id)] if one] == shown
    assert [one.session_id for one in lists.session_records().items] == ["alive"]
    assert (lists.count_sessions(), lists.stats().sessions) == (1, 1)
    assert questions(store.search("over").items + store.search("alive").items) == ["alive"]


@on_memory
@only_sync
def test_what_is_no_expiry_is_refused(ledger: Any) -> None:
    for bad in (-1, "100", True, float("nan"), float("inf")):
        with pytest.raises(InvalidArgument, match="session_ttl_s"):
            store_of(ledger, session_ttl_s=bad)
