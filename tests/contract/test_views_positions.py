"""Finding sessions by the step they stand at equals looking at every event."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import apsw
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import Event, InvalidArgument, Ledger, NewEvent
from ledger.catalogue import ScopeFilter
from projections import SCENARIOS
from projections.backends.postgres.statements import TableStatements as PostgresStatements
from projections.backends.row_queries import RowQuery
from projections.backends.sqlite.statements import TableStatements as SqliteStatements
from projections.engine.tables import Table
from tests.support.builders import on_durable, only_sync, whole_feed
from tests.support.views import views_of

pytestmark = pytest.mark.usefixtures("all_views")

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
_tenants = itertools.count()


def said(type: str, payload: dict[str, Any], minutes: int = 0) -> NewEvent:
    return NewEvent(payload, type, occurred_at=START + timedelta(minutes=minutes))


def entered(
    hash: str | None = "#a", version: int | None = 1, scenario: str = "x", minutes: int = 0
) -> NewEvent:
    step = {
        "scenario_id": scenario,
        "scenario_version": version,
        "step_id": "a",
        "step_name": "A",
        "step_content_hash": hash,
    }
    return said("scenario.step_entered", step, minutes)


scenarios = st.sampled_from(["x", "y"])
steps = st.builds(
    entered,
    st.sampled_from(["#a", "#b", None]),
    st.sampled_from([1, 2, None]),
    scenarios,
    st.integers(0, 3),
)
moves = st.builds(
    lambda verb, scenario, minutes: said(
        f"scenario.{verb}", {"scenario_id": scenario} | STARTING.get(verb, {}), minutes
    ),
    st.sampled_from(["started", "paused", "resumed", "completed", "exited"]),
    scenarios,
    st.integers(0, 3),
)
STARTING = {"started": {"scenario_version": 1}}
statuses = st.builds(
    lambda status: said("session.status_changed", {"status": status}),
    st.sampled_from(["active", "idle", "closed"]),
)
histories = st.lists(
    st.tuples(st.sampled_from("abc"), st.one_of(steps, steps, moves, statuses)), max_size=30
)


def positions(events: list[Event]) -> list[tuple[str, str, int, str]]:
    """Return (session, scenario, version, hash) of what is active, event by event, by hand."""
    status: dict[str, str] = {}
    ended: set[str] = set()
    held: dict[tuple[str, str], dict[str, Any]] = {}
    for event in events:
        data, session = event.data, event.session_id
        status.setdefault(session, "active")
        if event.type == "session.status_changed":
            if session not in ended:
                status[session] = data["status"]
            if data["status"] == "closed":
                ended.add(session)
            continue
        verb, key = event.type.split(".")[1], (session, data["scenario_id"])
        if verb == "exited":
            held.pop(key, None)
            continue
        if verb == "started" and held.get(key, {}).get("status") == "completed":
            del held[key]
        one = held.setdefault(key, {"status": "active", "version": None, "hash": None})
        one["at"] = event.occurred_at
        if verb == "step_entered":
            version = data["scenario_version"]
            one["version"] = one["version"] if version is None else version
            one["hash"] = data["step_content_hash"]
        elif verb == "started":
            one |= {"status": "active", "version": data["scenario_version"]}
        elif one["status"] != "completed":
            one["status"] = "active" if verb == "resumed" else verb
    found = [
        (one["at"], session, scenario, one["version"], one["hash"])
        for (session, scenario), one in held.items()
        if one["status"] == status[session] == "active" and None not in one.values()
    ]
    return [place[1:] for place in sorted(found)]


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories)
def test_what_is_found_equals_a_fold_of_every_event_by_hand(
    ledger: Any, history: list[tuple[str, NewEvent]]
) -> None:
    tenant = f"t{next(_tenants)}"
    for session_id, event in history:
        ledger.append(session_id, event, tenant=tenant)
    views = views_of(ledger)
    expected = positions(whole_feed(ledger, tenant=tenant))
    for scenario, version, hash in itertools.product("xy", (1, 2), ("#a", "#b")):
        found = views.scenario_positions(scenario, version, hash, tenant=tenant)
        assert [
            (one.session.session_id, one.scenario.scenario_id, version, hash) for one in found
        ] == [place for place in expected if place[1:] == (scenario, version, hash)]


def test_pages_go_on_and_sessions_that_are_left_out_do_not_shorten_them(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.readers.scenario_positions.PAGE_ROWS", 2)
    views = views_of(ledger)
    for number in range(7):
        ledger.append(f"s{number}", entered(minutes=number // 2))
    for number in (1, 2, 3):
        ledger.append(f"s{number}", said("session.status_changed", {"status": "idle"}))
    ledger.append("s5", said("session.archived", {}))

    def ids(found: list[Any]) -> list[str]:
        return [one.session.session_id for one in found]

    first = views.scenario_positions("x", 1, "#a", limit=2)
    assert ids(first) == ["s0", "s4"]
    assert ids(views.scenario_positions("x", 1, "#a", after=first[-1])) == ["s6"]
    assert views.scenario_positions("x", 1, "#a", limit=0) == []


def test_a_filter_and_a_mark_are_seen_with_the_position(ledger: Any) -> None:
    views = views_of(ledger)
    for number, channel in enumerate(("webchat", "sms", None)):
        created = {"status": "active", "channel": channel} if channel else {"status": "active"}
        ledger.append(f"s{number}", said("session.created", created, -number * 24 * 60))
        ledger.append(f"s{number}", entered())
    mark = {"target_version": 2, "anchor_content_hash": "#a", "migration_plan_id": "p"}
    ledger.append("s1", NewEvent(mark, "migration.marked"))

    def ids(now: datetime = START, **conditions: Any) -> list[str]:
        scope = ScopeFilter(**conditions)
        found = views.scenario_positions("x", 1, "#a", scope_filter=scope, now=now)
        return [one.session.session_id for one in found]

    assert ids() == ["s0", "s1", "s2"]
    assert ids(include_channels=["webchat", "sms"], exclude_channels=["sms"]) == ["s0"]
    assert ids(exclude_channels=["sms"]) == ["s0", "s2"]
    assert ids(include_current_nodes=["B"]) == ids(exclude_current_nodes=["A"]) == []
    assert ids(max_session_age_days=1) == ["s0", "s1"]
    assert ids(min_session_age_days=1, now=START + DAY / 2) == ["s1", "s2"]
    marked = [one.is_marked for one in views.scenario_positions("x", 1, "#a")]
    assert marked == [False, True, False]
    with pytest.raises(InvalidArgument) as caught:
        ids(custom_conditions=["x"])
    assert caught.value.argument == "scope_filter"


def test_sessions_of_another_status_are_found_where_it_is_asked_for(ledger: Any) -> None:
    views = views_of(ledger)
    for number, status in enumerate(("pending", "active", "paused")):
        ledger.append(f"s{number}", [said("session.created", {"status": status}), entered()])

    def ids(**asked: Any) -> list[str]:
        return [one.session.session_id for one in views.scenario_positions("x", 1, "#a", **asked)]

    assert ids() == ids(status="active") == ["s1"]
    assert ids(status=("active", "pending")) == ["s0", "s1"]
    assert ids(status=None) == ["s0", "s1", "s2"]
    assert ids(status=()) == ids(status="idle") == []
    with pytest.raises(InvalidArgument) as caught:
        ids(status=7)
    assert caught.value.argument == "status"


def test_another_tenant_scenario_version_or_hash_finds_nothing(ledger: Any) -> None:
    views = views_of(ledger)
    ledger.append("s", entered())
    assert len(views.scenario_positions("x", 1, "#a")) == 1
    assert views.scenario_positions("x", 1, "#a", tenant="other") == []
    for scenario, version, hash in (("y", 1, "#a"), ("x", 2, "#a"), ("x", 1, "#b")):
        assert views.scenario_positions(scenario, version, hash) == []


@on_durable
@only_sync
def test_positions_are_found_through_their_index(ledger: Ledger, url: str) -> None:
    views_of(ledger).catch_up()
    table = Table(SCENARIOS)
    query = RowQuery(
        table=table,
        bucket=None,
        equal=(
            ("tenant", ""),
            ("scenario_id", "x"),
            ("scenario_version", 1),
            ("step_content_hash", "#a"),
            ("status", "active"),
        ),
        order=("last_active_at", "session_id"),
        limit=10,
    )
    if url.startswith("sqlite"):
        statement, values = SqliteStatements(table).select(query)
        connection = apsw.Connection(url.removeprefix("sqlite:///"))
        plan = str(connection.execute("EXPLAIN QUERY PLAN " + statement, values).fetchall())
    else:
        call = PostgresStatements(table, "ledger").select(query)
        with psycopg.connect(url) as connected:
            connected.execute("SET enable_seqscan = off")
            plan = str(connected.execute(b"EXPLAIN " + call.statement, call.parameters).fetchall())
    assert "view_scenarios_v1_i1" in plan
