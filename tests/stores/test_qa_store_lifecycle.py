"""Lifecycle rows and watermarks of the question-and-answer store; names carry cognee's ids."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from ledger import InvalidArgument
from projections.backends.memory import MemoryViews
from tests.support.builders import on_memory, only_sync
from tests.support.cognee import (
    DATASET,
    START,
    Clock,
    asked,
    each_backend,
    lifecycle_of,
    questions,
    step,
    store_of,
)
from tests.support.views import views_of

OTHER_DATASET = "0190f6f5-7b2e-7c3a-9d7e-0a1b2c3d4e60"


@each_backend
def test_l_01_a_session_is_begun_once_and_touched(ledger: Any) -> None:
    clock = Clock()
    store = store_of(ledger, clock=clock)
    lists = lifecycle_of(store)
    first = lists.ensure_and_touch("s", user_id="u")
    assert (first.session_id, first.user_id, first.status) == ("s", "u", "running")
    assert first.started_at == first.last_activity_at == START
    assert first.ended_at is first.dataset_id is None
    clock.forward(60)
    second = lists.ensure_and_touch("s", user_id="u", dataset_id=DATASET)
    assert second.last_activity_at == clock()
    assert second == msgspec.structs.replace(first, last_activity_at=clock(), dataset_id=DATASET)
    clock.forward(60)
    asked(store, "q", user_id="u", dataset_id=OTHER_DATASET)
    third = lists.ensure_and_touch("s", user_id="u", dataset_id=OTHER_DATASET)
    assert (third.dataset_id, third.last_activity_at) == (DATASET, clock())
    assert lists.count_sessions(user_id="u") == 1
    # What has ended is neither moved nor taken up again.
    assert lists.mark_ended("s", user_id="u")
    ended = lists.session_record("s", user_id="u")
    clock.forward(60)
    head = ledger.head("cognee:u:s")
    assert lists.ensure_and_touch("s", user_id="u") == ended
    assert ledger.head("cognee:u:s") == head
    asked(store, "late", user_id="u")
    record = lists.session_record("s", user_id="u")
    assert (record.status, record.last_activity_at) == ("completed", ended.last_activity_at)


@each_backend
def test_l_02_u_22_abandoned_is_how_it_reads_and_never_stored(ledger: Any) -> None:
    clock = Clock()
    store = store_of(ledger, clock=clock)
    lists = lifecycle_of(store, abandoned_after_s=1_800)
    for name in ("stale", "done"):
        lists.ensure_and_touch(name)
    lists.mark_ended("done")
    clock.forward(1_801)
    lists.ensure_and_touch("fresh")

    def listed(status: str | None) -> list[str]:
        return sorted(one.session_id for one in lists.session_records(status=status).items)

    assert listed("abandoned") == ["stale"]
    assert listed("running") == ["fresh"]
    assert listed("completed") == ["done"]
    assert listed("failed") == []
    assert listed(None) == ["done", "fresh", "stale"]
    stale = lists.session_record("stale")
    assert (stale.status, stale.effective_status) == ("running", "abandoned")
    assert views_of(ledger).session("stale").status == "active"
    assert (
        lifecycle_of(store, abandoned_after_s=9_999).session_records(status="abandoned").items == []
    )
    lists.ensure_and_touch("stale")
    assert lists.session_record("stale").effective_status == "running"
    with pytest.raises(InvalidArgument, match="status"):
        listed("over")
    with pytest.raises(InvalidArgument, match="abandoned_after_s"):
        lifecycle_of(store, abandoned_after_s=-1)


@each_backend
def test_l_02_a_session_is_abandoned_when_it_was_idle_for_longer_than_half_an_hour(
    ledger: Any,
) -> None:
    clock = Clock()
    lists = lifecycle_of(store_of(ledger, clock=clock))
    lists.ensure_and_touch("s")
    for second, status in ((1_800, "running"), (1_801, "abandoned")):
        clock.now = START + timedelta(seconds=second)
        assert lists.session_record("s").effective_status == status
        for asked_for in ("running", "abandoned"):
            found = lists.session_records(status=asked_for).items
            assert [one.session_id for one in found] == ["s"] * (asked_for == status)
        stats = lists.stats()
        assert (stats.running, stats.abandoned) == (status == "running", status == "abandoned")


@each_backend
def test_l_03_l_04_usage_adds_up_and_the_first_end_stands(ledger: Any) -> None:
    store = store_of(ledger)
    lists = lifecycle_of(store)
    assert lists.accumulate_usage("s", user_id="u") is None
    assert lists.accumulate_usage("s", user_id="u", model="m") is None
    assert lists.session_record("s", user_id="u") is None
    assert lists.mark_ended("s", user_id="u") is False
    use = [
        {"model": "m1", "tokens_in": 10, "tokens_out": 5, "cost_usd": 0.25},
        {"model": "m1", "tokens_in": 1, "cost_usd": 0.25},
        {"model": "m2", "tokens_out": 7, "cost_usd": 1.0, "errored": True},
    ]
    for one in use:
        assert lists.accumulate_usage("s", user_id="u", **one) == ledger.head("cognee:u:s")
    record = lists.session_record("s", user_id="u")
    assert (record.tokens_in, record.tokens_out, record.cost_usd) == (11, 12, 1.5)
    assert (record.error_count, record.last_model) == (1, "m2")
    for bad in ("running", "abandoned", "over"):
        with pytest.raises(InvalidArgument, match="status"):
            lists.mark_ended("s", bad, user_id="u")
    assert lists.mark_ended("s", "failed", reason="gave up", user_id="u") is True
    assert lists.mark_ended("s", "completed", user_id="u") is False
    ended = lists.session_record("s", user_id="u")
    assert (ended.status, ended.effective_status) == ("failed", "failed")
    assert ended.ended_at is not None
    # What comes late is counted and flagged, in the session's sums and the models' alike.
    lists.accumulate_usage("s", user_id="u", model="m1", tokens_in=100)
    late = lists.session_record("s", user_id="u")
    assert (late.tokens_in, late.ended_at) == (111, ended.ended_at)
    costs = lists.cost_by_model(user_id="u")
    assert sum(one.tokens_in for one in costs) == late.tokens_in
    assert views_of(ledger).session("cognee:u:s").anomaly_count == 1


@each_backend
def test_l_05_l_06_u_20_sessions_are_listed_by_owner_and_in_pages(ledger: Any) -> None:
    clock = Clock()
    store = store_of(ledger, clock=clock)
    lists = lifecycle_of(store)
    for number in range(5):
        for who in ({"user_id": "u"}, {}):
            lists.ensure_and_touch(f"s{number}", dataset_id=DATASET if number else None, **who)
        lists.accumulate_usage(f"s{number}", user_id="u", tokens_in=number % 2 + 1)

    def pages(**options: Any) -> list[list[str]]:
        found, cursor = [], None
        while True:
            page = lists.session_records(cursor=cursor, **options)
            found.append([one.session_id for one in page.items])
            cursor = page.cursor
            if cursor is None:
                return found

    # All of the same moment: the id decides, and pages do not overlap.
    assert pages(user_id="u", limit=2) == [["s4", "s3"], ["s2", "s1"], ["s0"]]
    assert pages(limit=2, descending=False) == [["s0", "s1"], ["s2", "s3"], ["s4"]]
    assert pages(user_id="nobody") == [[]]
    assert len(pages(everyone=True, limit=3)[0]) == 3
    assert pages(user_id="u", order_by="tokens_in") == [["s3", "s1", "s4", "s2", "s0"]]
    assert pages(user_id="u", dataset_id=DATASET) == [["s4", "s3", "s2", "s1"]]
    assert lists.count_sessions(user_id="u") == lists.count_sessions() == 5
    assert lists.count_sessions(everyone=True) == 10
    assert lists.count_sessions(everyone=True, dataset_id=DATASET) == 8
    clock.forward(60)
    first = lists.session_records(user_id="u", limit=3)
    lists.ensure_and_touch("s9", user_id="u")
    assert [one.session_id for one in first.items] == ["s4", "s3", "s2"]
    rest = lists.session_records(user_id="u", limit=3, cursor=first.cursor)
    assert [one.session_id for one in rest.items] == ["s1", "s0"]
    assert pages(user_id="u", since=clock()) == [["s9"]]
    assert pages(user_id="u", until=clock()) == [["s4", "s3", "s2", "s1", "s0"]]
    for wrong in ({"order_by": "ended_at"}, {"limit": -1}, {"user_id": "u", "everyone": True}):
        with pytest.raises(InvalidArgument):
            lists.session_records(**wrong)
    with pytest.raises(InvalidArgument):
        lists.stats(user_id="u", everyone=True)


@each_backend
def test_l_08_l_09_sums_are_of_the_same_facts(ledger: Any) -> None:
    clock = Clock()
    store = store_of(ledger, clock=clock)
    lists = lifecycle_of(store, abandoned_after_s=1_800)
    empty = lists.stats(user_id="u")
    assert (empty.sessions, empty.success_rate, empty.avg_session_s) == (0, 1.0, 0.0)
    assert lists.cost_by_model(everyone=True) == []
    for name in ("done", "failed", "left"):
        lists.ensure_and_touch(name, user_id="u")
        lists.accumulate_usage(name, user_id="u", model="m1", tokens_in=10, cost_usd=0.5)
    clock.forward(100)
    lists.mark_ended("done", user_id="u")
    lists.mark_ended("failed", "failed", user_id="u")
    clock.forward(1_800)
    lists.ensure_and_touch("running", user_id="u")
    lists.accumulate_usage("running", user_id="u", model="m2", tokens_out=2, cost_usd=2.5)
    stats = lists.stats(user_id="u")
    assert (stats.sessions, stats.completed, stats.failed) == (4, 1, 1)
    assert (stats.abandoned, stats.running) == (1, 1)
    assert stats.success_rate == pytest.approx(1 / 3)
    assert (stats.tokens_in, stats.tokens_out, stats.tokens_total) == (30, 2, 32)
    assert (stats.total_spend_usd, stats.avg_spend_per_session_usd) == (4.0, 1.0)
    assert (stats.agent_time_s, stats.avg_session_s) == (200.0, 50.0)
    assert lists.stats() == empty
    assert lists.stats(everyone=True) == stats
    assert lists.stats(user_id="u", since=clock()).sessions == 1
    costs = lists.cost_by_model(user_id="u")
    assert [(one.model, one.sessions, one.cost_usd) for one in costs] == [
        ("m2", 1, 2.5),
        ("m1", 3, 1.5),
    ]
    assert sum(one.cost_usd for one in costs) == stats.total_spend_usd


@each_backend
def test_l_10_a_session_is_shown_with_its_last_answers_and_steps(ledger: Any) -> None:
    store = store_of(ledger)
    lists = lifecycle_of(store)
    store.save_trace_step("s", step("plan"), user_id="u")
    assert lists.session_detail("s", user_id="u").record.label == "plan"
    store.create_qa_entry("s", "Where " * 40, "a", user_id="u")
    for number in range(21):
        store.save_trace_step("s", step(f"f{number}"), user_id="u")
        asked(store, f"q{number}", user_id="u")
    found = lists.session_detail("s", user_id="u")
    assert found.record == lists.session_record("s", user_id="u")
    assert found.record.label == ("Where " * 40)[:120]
    assert (found.msg_count, found.tool_calls) == (22, 22)
    assert questions(found.qas) == [f"q{number}" for number in range(1, 21)]
    assert [one.origin_function for one in found.traces] == [f"f{n}" for n in range(1, 21)]
    assert lists.session_detail("s") is lists.session_detail("t", user_id="u") is None


@each_backend
def test_m_22_a_watermark_lets_every_entry_be_done_once(ledger: Any) -> None:
    store = store_of(ledger)
    lists = lifecycle_of(store)
    done: list[str] = []

    def work(limit: int | None = None) -> int:
        new = lists.new_entries("s", "persist", limit=limit)
        done.extend(questions(new))
        if new:
            assert lists.advance_watermark("s", "persist", new[-1].sequence) is True
        return len(new)

    assert lists.watermark("s", "persist") is None
    assert lists.advance_watermark("s", "persist", 1) is False  # there is no such session
    ids = asked(store, "q1", "q2", "q3")
    assert (work(2), work(), work()) == (2, 1, 0)
    asked(store, "q4", "q5")
    store.save_trace_step("s", step())
    store.delete_qa_entry("s", ids[0])  # what is deleted does not shift the mark
    assert (work(), work()) == (2, 0)
    assert done == ["q1", "q2", "q3", "q4", "q5"]
    mark = lists.watermark("s", "persist")
    assert lists.advance_watermark("s", "persist", mark.sequence) is False
    assert lists.advance_watermark("s", "persist", 1) is False
    assert len(lists.new_trace_steps("s", "persist")) == 1  # after the last answer
    assert len(lists.new_trace_steps("s", "extract")) == 1
    with pytest.raises(InvalidArgument, match="sequence"):
        lists.advance_watermark("s", "extract", ledger.head("s") + 1)  # what is not there yet
    head = ledger.head("s")
    assert lists.advance_watermark("s", "extract", head, state={"overlap": ["t1"]}) is True
    assert lists.watermark("s", "extract").state == {"overlap": ["t1"]}
    assert lists.new_trace_steps("s", "extract") == []
    assert lists.new_entries("s", "other", limit=1)[0].question == "q2"
    # Whoever means it goes back.
    assert lists.advance_watermark("s", "persist", 0, back=True) is True
    assert questions(lists.new_entries("s", "persist")) == ["q2", "q3", "q4", "q5"]
    # More than a page, and none of them twice.
    mark = lists.new_entries("s", "persist")[1].sequence
    lists.advance_watermark("s", "persist", mark)
    asked(store, *(f"n{number}" for number in range(102)))
    new = lists.new_entries("s", "persist")
    assert questions(new) == ["q4", "q5", *(f"n{number}" for number in range(102))]
    assert lists.new_entries("s", "persist", limit=3) == new[:3]
    assert lists.new_entries("s", "persist", limit=0) == []
    with pytest.raises(InvalidArgument, match="limit"):
        lists.new_entries("s", "persist", limit=-1)
    assert store.delete_session("s")
    asked(store, "again")
    assert questions(lists.new_entries("s", "persist")) == ["again"]


@on_memory
@only_sync
def test_m_22_of_a_long_session_no_more_is_read_than_what_is_new(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(ledger)
    lists = lifecycle_of(store)
    asked(store, *(f"q{number}" for number in range(30)))
    for number in range(30):
        store.save_trace_step("s", step(f"f{number}"))
    seen = lists.new_entries("s", "x")[9].sequence
    lists.advance_watermark("s", "x", seen)
    lists.advance_watermark("s", "y", lists.new_trace_steps("s", "x")[9].sequence)
    read: list[int] = []
    for name in ("read", "current"):
        whole = getattr(MemoryViews, name)

        def counted(self: Any, query: Any, whole: Any = whole) -> Any:
            found = whole(self, query)
            if query.table.projection.name in ("qa", "traces"):
                read.append(len(found))
            return found

        monkeypatch.setattr(MemoryViews, name, counted)
    for call, expected in (
        (lambda: len(lists.new_entries("s", "x", limit=5)), 5),
        (lambda: len(lists.new_entries("s", "x")), 20),
        (lambda: len(lists.new_trace_steps("s", "y", limit=5)), 5),
        (lambda: len(lists.new_trace_steps("s", "y")), 20),
    ):
        read.clear()
        assert call() == max(read) == expected
    read.clear()
    assert (store.count_trace_steps("s"), read) == (30, [])
    assert len(lists.session_detail("s").traces) == max(read) == 20


@on_memory
@only_sync
def test_times_of_a_record_are_those_of_its_facts(ledger: Any) -> None:
    clock = Clock()
    store = store_of(ledger, clock=clock)
    asked(store, "q")
    clock.forward(5)
    store.set_graph_context("s", "a -> b")
    record = lifecycle_of(store).session_record("s")
    assert record.last_activity_at - record.started_at == timedelta(seconds=5)
