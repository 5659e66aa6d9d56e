"""Lists and counts by several statuses: what they find, and that it is all of one moment."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle, product
from typing import Any

import pytest

from ledger import Append, InvalidArgument, InvalidCursor, NewEvent
from projections import RUNS, SESSIONS
from projections.folds.approvals import APPROVALS
from projections.folds.scenarios import SCENARIOS
from projections.readers.listing_queries import STATUSES_MAX
from tests.support.moving import written_between
from tests.support.views import all_pages, views_of

START = datetime(2026, 1, 1, tzinfo=UTC)
STATUSES = ("active", "idle", "processing", "completed", "failed")
SEVERAL = (["active", "idle"], ("idle", "failed", "idle"), ["idle"], [], ["gone"], [*STATUSES])
ORDERS = ("last_activity_at", "created_at", "cost_nano_usd")


def at(minutes: int, payload: dict[str, Any], type: str, **header: Any) -> NewEvent:
    return NewEvent(payload, type, occurred_at=START + timedelta(minutes=minutes), **header)


def facts(n: int) -> list[NewEvent]:
    named = {"status": STATUSES[n % 5], "agent_id": f"a{n % 2}", "channel": "c"}
    about = {"user_channel_id": f"u{n % 3}", "tags": ["one"] if n % 4 else []}
    ended = [at(n % 7, {}, "run.finished", run_id="r")] if n % 3 else []
    return [
        at(n % 7, named | about, "session.created"),
        at(n % 7, {"agent_id": f"a{n % 2}"}, "run.started", run_id="r"),
        at(n % 7, {"cost_usd": n % 3}, "usage.recorded"),
        *ended,
    ]


@pytest.fixture
def views(ledger: Any) -> Any:
    ledger.append_many([Append(f"s{n:02}", facts(n)) for n in range(40)])
    ledger.append_many([Append(f"s{n:02}", facts(n), tenant="elsewhere") for n in range(3)])
    return views_of(ledger, SESSIONS, RUNS)


def filters() -> Iterator[dict[str, Any]]:
    """Filters that different indexes answer, and one that is answered by words."""
    yield {}
    yield {"agent_id": "a1"}
    yield {"channel": "c", "user_channel_id": "u1"}
    yield {"tags": ["one"]}
    yield {"since": START + timedelta(minutes=2), "until": START + timedelta(minutes=6)}


def test_sessions_of_several_statuses_are_those_of_any_in_one_order(views: Any) -> None:
    for filter_, order_by, descending in product(filters(), ORDERS, (True, False)):
        order = {"order_by": order_by, "descending": descending}
        listed = views.sessions(**filter_, **order)
        for status in SEVERAL:
            expected = [one for one in listed if one.status in status]
            asked = filter_ | order | {"status": status}
            assert views.sessions(**asked) == expected, asked
            assert views.sessions(**asked, limit=None) == expected
            assert views.sessions(**asked, limit=3) == expected[:3]
            assert (
                views.sessions(**asked, limit=3, after=listed[5])
                == [one for one in expected if one in listed[6:]][:3]
            )
            assert views.count_sessions(**filter_, status=status) == len(expected)
    for status in SEVERAL:
        order = {"status": status, "order_by": "last_activity_at"}
        assert all_pages(views.sessions_page, 3, **order) == views.sessions(**order)


def test_common_words_are_met_among_the_first_rows_of_several_statuses(
    views: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for among in (2, 5, 30):
        monkeypatch.setattr("projections.readers.found_rows.AMONG_ROWS", among)
        listed = views.sessions(tags=["one"])
        for limit in (1, 3, 9):
            expected = [one for one in listed if one.status in ("active", "failed")][:limit]
            found = views.sessions(tags=["one"], status=["active", "failed"], limit=limit)
            assert found == expected


def test_runs_of_several_statuses_are_those_of_any_in_one_order(ledger: Any, views: Any) -> None:
    ledger.append("s01", [at(n, {}, "run.started", run_id=f"r{n}") for n in range(6)])
    ledger.append("s01", [at(9, {}, "run.failed", run_id=f"r{n}") for n in range(2)])
    for options in ({}, {"agent_id": "a1"}, {"session_id": "s01"}, {"descending": False}):
        listed = all_pages(views.runs_page, 100, **options)
        assert listed
        for status in (["running", "failed"], ["completed"], ["completed", "running"], []):
            expected = [run for run in listed if run.status in status]
            assert all_pages(views.runs_page, 3, status=status, **options) == expected
            asked = {name: value for name, value in options.items() if name != "descending"}
            assert views.count_runs(status=status, **asked) == len(expected)
    of_session = views.runs("s01")
    found = views.runs("s01", status=("failed", "running"), limit=3)
    assert found == [run for run in of_session if run.status in ("failed", "running")][:3]
    assert views.runs("s01", status=[]) == []


def test_scenarios_and_approvals_of_a_session_are_found_by_several_statuses(ledger: Any) -> None:
    views = views_of(ledger, SCENARIOS, APPROVALS)
    for n, status in enumerate(("deny", "allow_once", None)):
        ledger.append("s", NewEvent({"approval_id": f"a{n}"}, "approval.requested"))
        ledger.append(
            "s", NewEvent({"scenario_id": f"x{n}", "scenario_version": 1}, "scenario.started")
        )
        if status is not None:
            decided = {"approval_id": f"a{n}", "decision": status}
            ledger.append("s", NewEvent(decided, "approval.decided"))
            ledger.append("s", NewEvent({"scenario_id": f"x{n}"}, "scenario.completed"))
    for read in (views.approvals, views.scenarios):
        listed = read("s")
        statuses = {one.status for one in listed}
        assert len(statuses) > 1
        assert read("s", status=sorted(statuses)) == listed
        for status in statuses:
            assert read("s", status=[status, "x"]) == read("s", status=status) != listed


def test_abandoned_is_asked_for_alone(views: Any) -> None:
    now = START + timedelta(days=1)
    abandoned = views.sessions(status="abandoned", now=now)
    assert views.sessions(status=["abandoned"], now=now) == abandoned != []
    live = {"status": ["active", "idle"], "abandoned_after_s": 3_600, "now": START}
    assert views.sessions(**live) == views.sessions(status=["active", "idle"])
    assert views.sessions(**live | {"now": now}) == []
    ended = {"status": ["completed", "failed"], "abandoned_after_s": 60, "now": now}
    assert views.sessions(**ended) == views.sessions(status=["completed", "failed"])
    for wrong in (
        {"status": ["abandoned", "active"]},
        {"status": ["active", "failed"], "abandoned_after_s": 60},
    ):
        for read in (views.sessions, views.sessions_page, views.count_sessions):
            with pytest.raises(InvalidArgument) as caught:
                read(**wrong)
            assert caught.value.argument == "status"


def test_what_is_no_status_is_refused_and_a_cursor_is_of_its_statuses(views: Any) -> None:
    many = [str(n) for n in range(STATUSES_MAX + 1)]
    for wrong in (5, [5], b"active", ["\0"], {"active": 1}, {"active"}, many):
        for read in (
            views.sessions,
            views.sessions_page,
            views.count_sessions,
            views.runs_page,
            views.count_runs,
            lambda **asked: views.runs("s01", **asked),
        ):
            with pytest.raises(InvalidArgument) as caught:
                read(status=wrong)
            assert caught.value.argument == "status"
    for read, status in ((views.sessions_page, "active"), (views.runs_page, "completed")):
        cursor = read(status=[status, "running"], limit=1).cursor
        assert read(status=("running", status, "running"), limit=1, cursor=cursor).items
        for other in (status, [status], ["running", "idle"], None):
            with pytest.raises(InvalidCursor):
                read(status=other, limit=1, cursor=cursor)


def test_who_always_has_one_of_several_statuses_is_always_found(ledger: Any) -> None:
    ledger.append("s", at(0, {"status": "active"}, "session.created"))
    ledger.append("s", at(0, {}, "run.started", run_id="r"))
    turn = cycle(("processing", "idle", "active"))

    def move() -> None:
        ledger.append("s", at(1, {"status": next(turn)}, "session.status_changed"))
        ledger.append("s", at(1, {}, "run.finished", run_id="r"))

    for read in (
        lambda views: views.sessions(status=["active", "idle", "processing"]),
        lambda views: views.sessions_page(status=["active", "idle", "processing"]).items,
        lambda views: views.sessions(status="abandoned", until=START + timedelta(hours=1)),
        lambda views: views.runs("s", status=["running", "completed"]),
        lambda views: views.runs_page(status=["completed", "running"]).items,
    ):
        views = written_between(views_of(ledger, SESSIONS, RUNS), [move] * 9)
        assert len(read(views)) == 1
