"""Orders, ends and sums of lifecycle records, each told from the others; names carry cognee's ids."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger import NewEvent
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
