"""Orders, ends and sums of lifecycle records, each told from the others; names carry cognee's ids."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest

from ledger import Append, InvalidCursor, NewEvent
from ledger.catalogue.sessions import SessionStatus
from projections.session_stores.qa import ledger_session_id
from projections.session_stores.qa.lifecycle_records import SAID, STATUSES
from tests.support.builders import on_memory, only_sync
from tests.support.cognee import START, Clock, each_backend, lifecycle_of, store_of
from tests.support.views import views_of

#: By each order another session is the first, and another the last.
USED: dict[str, dict[str, Any]] = {
    "cheap": {"cost_usd": 0.25, "tokens_in": 30, "tokens_out": 2},
    "dear": {"cost_usd": 4.0, "tokens_in": 20, "tokens_out": 3},
    "middling": {"cost_usd": 1.0, "tokens_in": 10, "tokens_out": 1},
}
ORDERED: dict[str, list[str]] = {
    "cost_usd": ["dear", "middling", "cheap"],
    "tokens_in": ["cheap", "dear", "middling"],
    "tokens_out": ["dear", "cheap", "middling"],
    "started_at": ["middling", "dear", "cheap"],
    "last_activity_at": ["cheap", "middling", "dear"],
}


@each_backend
def test_l_06_each_order_is_by_what_it_is_called(ledger: Any) -> None:
    clock = Clock()
    lists = lifecycle_of(store_of(ledger, clock=clock))
    for session in USED:
        lists.ensure_and_touch(session, user_id="u")
        clock.forward(1)
    for session in ("dear", "middling", "cheap"):
        lists.accumulate_usage(session, user_id="u", model="m", **USED[session])
        clock.forward(1)

    def listed(**options: Any) -> list[str]:
        found: list[str] = []
        page = lists.session_records(user_id="u", limit=2, **options)
        found += [one.session_id for one in page.items]
        if page.cursor is not None:
            page = lists.session_records(user_id="u", limit=2, cursor=page.cursor, **options)
            found += [one.session_id for one in page.items]
        return found

    for order, sessions in ORDERED.items():
        assert listed(order_by=order) == sessions, order
        assert listed(order_by=order, descending=False) == sessions[::-1], order
    assert listed() == ORDERED["last_activity_at"]


ENDED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "completed": ("completed", "session.status_changed", {"status": "completed"}),
    "failed": ("failed", "session.status_changed", {"status": "failed"}),
    "cancelled": ("failed", "session.status_changed", {"status": "cancelled"}),
    "closed": ("completed", "session.closed", {"reason": "done"}),
}


@each_backend
def test_l_08_whoever_ends_a_session_it_is_completed_or_failed(ledger: Any) -> None:
    lists = lifecycle_of(store_of(ledger, clock=Clock()))
    for name, (status, type_, said) in ENDED.items():
        lists.ensure_and_touch(name)
        ledger.append(name, NewEvent(said, type_, occurred_at=START))
        record = lists.session_record(name)
        assert (record.status, record.effective_status, record.ended_at) == (status, status, START)
    assert views_of(ledger).session("closed").status == "closed"
    for status, names in (
        ("completed", ["closed", "completed"]),
        ("failed", ["cancelled", "failed"]),
    ):
        listed = lists.session_records(status=status, descending=False).items
        assert [one.session_id for one in listed] == names
    stats = lists.stats()
    assert (stats.completed, stats.failed, stats.running, stats.abandoned) == (2, 2, 0, 0)
    assert stats.success_rate == pytest.approx(0.5)


@each_backend
def test_l_04_why_a_session_ended_is_told_to_everybody(ledger: Any) -> None:
    lists = lifecycle_of(store_of(ledger))
    for session, options in (("told", {"reason": "gave up"}), ("untold", {})):
        lists.ensure_and_touch(session)
        assert lists.mark_ended(session, "failed", **options) is True
    rows = [views_of(ledger).session(session) for session in ("told", "untold")]
    assert [(row.status, row.status_reason) for row in rows] == [
        ("failed", "gave up"),
        ("failed", None),
    ]
    [told] = ledger.read("told", types=["session.status_changed"])
    assert told.data == {"status": "failed", "reason": "gave up"}


@each_backend
def test_l_09_u_14_a_models_costs_are_those_of_the_owner_who_is_asked_for(ledger: Any) -> None:
    lists = lifecycle_of(store_of(ledger))
    lists.accumulate_usage("s", model="nobody's", cost_usd=1.0, tokens_in=1)
    lists.accumulate_usage("s", user_id="u", model="u's", cost_usd=2.0, tokens_in=2)
    lists.accumulate_usage("s", user_id="v", model="v's", cost_usd=4.0, tokens_in=4)
    # Another store calls u its owner, but its id is nobody's here.
    used = NewEvent({"model": "u's", "cost_usd": 8.0, "input_tokens": 8}, "usage.recorded")
    ledger.append("other", [NewEvent({"owner_id": "u"}, "session.created"), used])

    def costs(**who: Any) -> dict[str, tuple[int, float]]:
        return {one.model: (one.sessions, one.cost_usd) for one in lists.cost_by_model(**who)}

    assert costs(user_id="u") == {"u's": (1, 2.0)}
    assert costs(user_id="v") == {"v's": (1, 4.0)}
    assert costs(user_id="w") == {}
    assert costs() == {"nobody's": (1, 1.0), "u's": (1, 8.0)}
    assert costs(everyone=True) == {"nobody's": (1, 1.0), "u's": (2, 10.0), "v's": (1, 4.0)}
    every: list[Callable[..., Any]] = [
        lambda **who: lists.stats(**who).total_spend_usd,
        lambda **who: sum(one.cost_usd for one in lists.session_records(**who).items),
    ]
    for total in every:
        for who in ({}, {"user_id": "u"}, {"user_id": "v"}, {"user_id": "w"}, {"everyone": True}):
            assert total(**who) == sum(cost for _, cost in costs(**who).values()), who


@each_backend
def test_l_03_l_08_l_09_u_22_sums_of_sessions_and_of_models_are_equal(ledger: Any) -> None:
    lists = lifecycle_of(store_of(ledger))
    for session, cost in (("s", 0.1), ("t", 0.2)):
        lists.accumulate_usage(session, model="m", cost_usd=cost)
    for who in ({}, {"everyone": True}):
        [cost] = lists.cost_by_model(**who)
        stats = lists.stats(**who)
        assert stats.total_spend_usd == cost.cost_usd == 0.3
        assert stats.avg_spend_per_session_usd == 0.15


def test_l_02_a_session_is_asked_for_by_all_that_its_row_may_say() -> None:
    assert set(SAID) == set(STATUSES)
    apart = [one for status in ("running", "completed", "failed") for one in SAID[status]]
    assert sorted(apart) == sorted(get_args(SessionStatus))
    assert set(SAID["abandoned"]) < set(SAID["running"])


def with_sessions(ledger: Any, now: datetime, seed: int) -> None:
    """Store sessions of every status, of some owners and ages."""
    chosen = random.Random(seed)
    appends = []
    for number in range(60):
        key = ledger_session_id(f"s{number}", chosen.choice((None, "u", "v")))
        at = now - timedelta(seconds=chosen.choice((10, 1_000, 10_000)))
        used = {"model": "m", "cost_usd": chosen.random(), "input_tokens": number}
        told = [
            ("session.created", {"status": "active"}),
            ("usage.recorded", used),
            ("session.status_changed", {"status": chosen.choice(get_args(SessionStatus))}),
        ]
        facts = [NewEvent(said, type_, occurred_at=at) for type_, said in told]
        appends.append(Append(key, facts))
    ledger.append_many(appends)


@each_backend
def test_l_02_l_06_l_08_a_status_lists_and_counts_what_stands_so(ledger: Any) -> None:
    now = datetime.now(UTC)
    with_sessions(ledger, now, seed=7)
    clock = Clock()
    clock.now = now
    for options in ({}, {"clock": clock}):
        lists = lifecycle_of(store_of(ledger, **options), abandoned_after_s=500)
        # What may expire is looked at session by session, and these never do.
        slow = lifecycle_of(store_of(ledger, session_ttl_s=1e9, **options), abandoned_after_s=500)
        for who in ({}, {"user_id": "u"}, {"everyone": True}):
            listed = lists.session_records(**who, limit=100).items
            stats = lists.stats(**who)
            assert stats == slow.stats(**who)
            assert stats.sessions == lists.count_sessions(**who) == len(listed) > 0
            for status in STATUSES:
                expected = [one for one in listed if one.effective_status == status]
                found: list[Any] = []
                cursor = None
                while True:
                    page = lists.session_records(**who, status=status, limit=2, cursor=cursor)
                    found += page.items
                    cursor = page.cursor
                    if cursor is None:
                        break
                    clock.forward(0.001)  # a cursor goes on all the same
                assert found == expected != []
                count = lists.count_sessions(**who, status=status)
                assert count == slow.count_sessions(**who, status=status) == len(found)
                assert msgspec.structs.asdict(stats)[status] == count
    cursor = lists.session_records(limit=1, status="running").cursor
    with pytest.raises(InvalidCursor):
        lists.session_records(limit=1, status="failed", cursor=cursor)


@on_memory
@only_sync
def test_l_06_of_sessions_that_stand_otherwise_none_is_read(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = [
        Append(ledger_session_id(f"s{number}", "u"), [NewEvent({}, "session.closed")])
        for number in range(300)
    ]
    ledger.append_many(done)
    store = store_of(ledger)
    lists = lifecycle_of(store)
    lists.ensure_and_touch("one", user_id="u")
    lists.mark_ended("one", "failed", user_id="u")
    lists.ensure_and_touch("other", user_id="u")
    read: list[int] = []
    sessions_page = store.core.views.sessions_page

    def counted(**options: Any) -> Any:
        page = sessions_page(**options)
        read.append(len(page.items))
        return page

    monkeypatch.setattr(store.core.views, "sessions_page", counted)
    for status, count in (("failed", 1), ("running", 1), ("abandoned", 0)):
        for who in ({"user_id": "u"}, {"everyone": True}):
            read.clear()
            assert len(lists.session_records(status=status, **who).items) == count
            assert lists.count_sessions(status=status, **who) == count
            assert sum(read) <= 2 * 2, (status, who)
    # The database adds up; whose a session is by its id is told by its row.
    read.clear()
    assert lists.stats(everyone=True).sessions == lists.count_sessions(everyone=True) == 302
    assert read == []
    # Nobody's are found among all, in pages that grow.
    assert lists.session_records(limit=50).items == []
    assert read == [50, 100, 152]
