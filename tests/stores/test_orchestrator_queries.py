"""The query port: searches, pages, sums and the export."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from ledger import NewEvent
from projections.session_stores.orchestrator import OrchestratorQueries
from projections.session_stores.orchestrator import OrchestratorStore as Store
from tests.stores.orchestrator_cases import (
    another,
    at,
    event,
    ids,
    queries_of,
    refused,
    run_of,
    session,
)
from tests.support.builders import on_memory

MODEL = {"model": "m-large-1"}


@pytest.fixture
def full(store: Store) -> OrchestratorQueries:
    """Three sessions of two agents, three runs of two providers, four events."""
    for number, fields in enumerate(
        (
            {"tags": ["x", "y"], "status": "active"},
            {"tags": ["x"], "agent_id": "b"},
            {"deleted_at": at(50), "agent_id": "b"},
        )
    ):
        one = session(f"s{number}", created_at=at(number), updated_at=at(100 - number), **fields)
        store.save_session(one)
    used = {"input_tokens": 200, "output_tokens": 80, "total_tokens": 300}
    for run in (
        run_of("s0", "r0", status="completed", provider="p", token_usage=used, cost_usd=12.5),
        run_of("s0", "r1", provider="q", token_usage={"input_tokens": 100, "output_tokens": 50},
               provider_metadata=MODEL),
        run_of("s1", "r2", status="failed"),
    ):  # fmt: skip
        store.save_run(replace(run, started_at=at(int(run.id[1:]))))
    for id, type, session_id, fields in (
        ("e0", "run_started", "s0", {"run_id": "r0", "provider": "p"}),
        ("e1", "message_received", "s0", {"run_id": "r0", "correlation_id": "c"}),
        ("e2", "message_received", "s0", {"run_id": "r1"}),
        ("e3", "run_started", "s1", {"data": {"odd": 1}}),
    ):
        store.append_event(
            event(id, type, session_id=session_id, timestamp=at(int(id[1:])), **fields)
        )
    return queries_of(store)


def paged(search: Callable[..., Any], items: str, **options: Any) -> list[str]:
    """Return the ids on all pages of one row each."""
    found: list[str] = []
    cursor = None
    while True:
        page = search(limit=1, cursor=cursor, **options)
        found += ids(getattr(page, items))
        cursor = page.cursor
        if cursor is None:
            return found


SESSIONS: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {"s0", "s1"}),
    ({"include_deleted": True}, {"s0", "s1", "s2"}),
    ({"agent_id": "b", "include_deleted": True}, {"s1", "s2"}),
    ({"status": "active"}, {"s0"}),
    ({"status": ["active", "pending"]}, {"s0", "s1"}),
    ({"status": []}, set()),
    ({"provider": "q"}, {"s0"}),
    ({"provider": ["p", "q"]}, {"s0"}),
    ({"provider": []}, set()),
    ({"tags": ["x"]}, {"s0", "s1"}),
    ({"tags": ["x", "y"]}, {"s0"}),
    ({"tags": []}, set()),
    ({"tags": (), "include_deleted": True}, set()),
    ({"tags": None}, {"s0", "s1"}),
    ({"created_after": at(1)}, {"s1"}),
    ({"created_before": at(0)}, {"s0"}),
]
RUNS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["r2", "r1", "r0"]),
    ({"order_by": "started_at_asc"}, ["r0", "r1", "r2"]),
    ({"order_by": "token_usage_desc", "min_tokens": 300}, ["r0"]),
    ({"session_id": "s0"}, ["r1", "r0"]),
    ({"provider": "p"}, ["r0"]),
    ({"status": ["pending", "failed"]}, ["r2", "r1"]),
    ({"started_after": at(1), "started_before": at(1)}, ["r1"]),
]
EVENTS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["e3", "e0", "e1", "e2"]),
    ({"session_ids": "s0"}, ["e0", "e1", "e2"]),
    ({"session_ids": []}, []),
    ({"run_ids": ["r0"]}, ["e0", "e1"]),
    ({"types": "run_started", "order_by": "timestamp_asc"}, ["e0", "e3"]),
    ({"types": []}, []),
    ({"providers": "p"}, ["e0"]),
    ({"correlation_id": "c"}, ["e1"]),
    ({"since": at(1), "until": at(2)}, ["e1", "e2"]),
    ({"order_by": "timestamp_desc"}, ["e3", "e2", "e1", "e0"]),
]


def test_asm_40_events_are_found_and_counted(store: Store, full: OrchestratorQueries) -> None:
    store.append_event(event("gone", session_id="deleted"))
    store.delete_session("deleted")
    other = another(store, tenant="other")
    other.append_event(event("theirs", session_id="s0"))
    for filters, expected in EVENTS:
        assert ids(full.search_events(**filters).items) == expected, filters
        assert paged(full.search_events, "items", **filters) == expected, filters
        counted = {name: value for name, value in filters.items() if name != "order_by"}
        assert full.count_events(**counted) == len(expected)
    assert full.search_events(session_ids="s1").items[0].data == {"odd": 1}


WRONG_PRICES: list[Any] = [
    5,
    {"q": "text"},
    {"q": {"input": 0.01}},
    *({"q": {"m": {"input": rate}}} for rate in ("0.01", -0.01, float("nan"), float("inf"))),
]


@on_memory
def test_wrong_questions_are_refused(full: OrchestratorQueries) -> None:
    for limit in (-1, 0, 1_001, 100_000, "x", True):
        for search in (full.search_sessions, full.search_runs, full.search_events):
            with refused("validation_error"):
                search(limit=limit)
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("search_sessions", {"status": "odd"}),
        ("search_sessions", {"status": 1}),
        ("search_sessions", {"order_by": "odd"}),
        ("search_sessions", {"created_after": "today"}),
        ("search_sessions", {"agent_id": 1}),
        ("search_sessions", {"tags": "x"}),
        ("search_runs", {"status": ["running", "odd"]}),
        ("search_runs", {"min_tokens": "many"}),
        ("search_runs", {"session_id": 1}),
        ("search_events", {"types": "odd"}),
        ("search_events", {"since": 5}),
        ("search_events", {"run_ids": [1]}),
        ("search_events", {"session_ids": ["x"] * 1_001}),
        ("search_events", {"correlation_id": object()}),
        ("get_usage_summary", {"since": "today"}),
        ("get_usage_summary", {"provider": ["p"]}),
        ("get_cost_summary", {"agent_id": 1}),
        ("get_cost_summary", {"provider": ["p"]}),
        ("search_sessions", {"order_by": ["created_at_asc"]}),
        ("search_sessions", {"status": [["active"]]}),
        ("search_runs", {"status": [{}]}),
        ("search_events", {"types": [[]]}),
        *(("get_cost_summary", {"pricing_table": table}) for table in WRONG_PRICES),
    ]
    for name, filters in wrong:
        with refused("validation_error"):
            getattr(full, name)(**filters)
    for name in ("search_sessions", "search_runs", "search_events"):
        with pytest.raises(TypeError, match="statuses"):
            getattr(full, name)(statuses="active")


def test_sessions_and_runs_are_found(store: Store, full: OrchestratorQueries) -> None:
    _check_sessions(full)
    _check_runs(full)
    _check_cursors(store, full)


def _check_sessions(full: OrchestratorQueries) -> None:
    for filters, expected in SESSIONS:
        found = full.search_sessions(**filters)
        assert (set(ids(found.sessions)), found.total_count) == (expected, len(expected)), filters
        one = full.search_sessions(**filters, limit=1)
        assert (len(one.sessions), one.total_count) == (min(1, len(expected)), len(expected))
    for order, expected in (
        ("created_at_asc", ["s0", "s1", "s2"]),
        ("created_at_desc", ["s2", "s1", "s0"]),
    ):
        options = {"order_by": order, "include_deleted": True}
        assert ids(full.search_sessions(**options).sessions) == expected
        assert paged(full.search_sessions, "sessions", **options) == expected
    moments = [one.updated_at for one in full.search_sessions().sessions]
    assert moments == sorted(moments, key=str, reverse=True)


def _check_runs(full: OrchestratorQueries) -> None:
    for filters, expected in RUNS:
        assert ids(full.search_runs(**filters).items) == expected, filters
        assert paged(full.search_runs, "items", **filters) == expected, filters


def _check_cursors(store: Store, full: OrchestratorQueries) -> None:
    cursor = full.search_runs(limit=1).cursor
    other = queries_of(another(store, tenant="other"))
    for call in (
        lambda: full.search_runs(limit=1, cursor=cursor, provider="p"),
        lambda: other.search_runs(limit=1, cursor=cursor),
        lambda: full.search_runs(limit=1, cursor="odd"),
        lambda: full.search_runs(limit=1, cursor=cursor, order_by="started_at_asc"),
        lambda: full.search_events(limit=1, cursor=cursor),
    ):
        with refused("invalid_cursor"):
            call()


def test_sums_and_the_export(store: Store, full: OrchestratorQueries) -> None:
    _check_statistics(full)
    _check_usage(full)
    _check_cost(full)
    _check_export(store, full)


def _check_statistics(full: OrchestratorQueries) -> None:
    found = full.get_session_stats("s0")
    assert (found.event_count, found.run_count) == (3, 2)
    tokens = found.token_totals
    assert (tokens.input_tokens, tokens.output_tokens, tokens.total_tokens) == (300, 130, 300)
    assert found.providers_used == ["p", "q"]
    assert (found.first_event_at, found.last_event_at) == (at(0), at(2))
    assert found.status_counts == {"completed": 1, "pending": 1}
    assert full.get_session_stats("s2").event_count == 0
    with refused("session_not_found"):
        full.get_session_stats("unknown")


def _check_usage(full: OrchestratorQueries) -> None:
    found = full.get_usage_summary()
    assert (found.total.input_tokens, found.total.total_tokens) == (300, 300)
    assert {name: one.run_count for name, one in found.by_provider.items()} == {
        "p": 1,
        "q": 1,
        "unknown": 1,
    }
    assert full.get_usage_summary(session_id="s1").total.run_count == 1
    assert full.get_usage_summary(provider="q").total.input_tokens == 100
    assert full.get_usage_summary(since=at(1), until=at(1)).total.input_tokens == 100


def _check_cost(full: OrchestratorQueries) -> None:
    prices = {"q": {"m": {"input": 0.01}, "m-large": {"input": 0.01, "output": 0.02}}}
    found = full.get_cost_summary(pricing_table=prices)
    assert (found.total_cost_usd, found.run_count, found.unmapped_runs) == (14.5, 3, 1)
    assert {name: one.cost_usd for name, one in found.by_provider.items()} == {"p": 12.5, "q": 2.0}
    model = found.by_model["m-large-1"]
    assert (model.cost_usd, model.input_tokens, model.output_tokens) == (2.0, 100, 50)
    assert full.get_cost_summary(session_id="s0").total_cost_usd == 12.5
    by_agent = full.get_cost_summary(agent_id="b")
    assert (by_agent.run_count, by_agent.unmapped_runs) == (1, 1)
    by_default = full.get_cost_summary(provider="q", pricing_table={"q": {"default": {"input": 1}}})
    assert by_default.total_cost_usd == 100.0


@on_memory
def test_each_kind_of_token_has_its_rate_and_what_was_saved_is_not_computed_again(
    store: Store,
) -> None:
    used = {
        "input_tokens": 1,
        "output_tokens": 10,
        "cache_read_tokens": 100,
        "cache_creation_tokens": 1_000,
    }
    named: dict[str, Any] = {"provider": "p", "provider_metadata": MODEL, "token_usage": used}
    store.save_run(run_of("s", "computed", **named))
    store.save_run(run_of("free", "free", cost_usd=0.0, **named))
    questions = queries_of(store)
    for rates, expected in (
        ({"input": 2.0, "output": 3.0, "cache_read": 5.0, "cache_creation": 7.0}, 7_532.0),
        ({"input": 2.0, "output": 3.0, "cache_read": 5.0}, 2_532.0),  # as input costs
        ({"input": 2.0, "output": 3.0, "cache_creation": 7.0}, 7_232.0),
        ({"input": 2.0}, 2_202.0),
        ({"output": 3.0}, 30.0),
        ({"cache_read": 5.0}, 500.0),
        ({"cache_creation": 7.0}, 7_000.0),
    ):
        table = {"p": {"default": rates}}
        for session_id, cost in (("s", expected), ("free", 0.0), (None, expected)):
            found = questions.get_cost_summary(session_id=session_id, pricing_table=table)
            assert (found.total_cost_usd, found.unmapped_runs) == (cost, 0), (rates, session_id)


def _check_export(store: Store, full: OrchestratorQueries) -> None:
    registered = NewEvent({"artifact_id": "f", "key": "k"}, "artifact.registered")
    store.ledger.append("s0", registered)
    bare = full.export_session("s0")
    assert (bare.session.id, ids(bare.runs), ids(bare.events)) == (
        "s0",
        ["r0", "r1"],
        ["e0", "e1", "e2"],
    )
    assert bare.artifacts is None
    artifacts = full.export_session("s0", include_artifacts=True).artifacts
    assert artifacts is not None
    assert [one.artifact_id for one in artifacts] == ["f"]
    with refused("session_not_found"):
        full.export_session("unknown")
