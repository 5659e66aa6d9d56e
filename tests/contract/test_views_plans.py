"""What the databases do for each list, count and search: an index is used, nothing is sorted."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import apsw
import psycopg
import pytest

from ledger import Append, Ledger, NewEvent
from projections import Views
from projections.backends.postgres.backend import PostgresViews
from projections.backends.postgres.statements import TableStatements as PostgresStatements
from projections.backends.row_queries import RowQuery
from projections.backends.sqlite.backend import SqliteViews
from projections.backends.sqlite.statements import TableStatements as SqliteStatements
from projections.readers import found_rows
from tests.support.postgres_databases import PostgresDatabases, vacuum

START = datetime(2026, 1, 1, tzinfo=UTC)
LATER = START + timedelta(minutes=20)
TENANTS, SESSIONS = 20, 100
RECORDED = "qa.recorded"
STATUSES = ("active", "idle", "completed", "failed")
Explain = Callable[[RowQuery, bool], str]


def count_sessions(views: Any, **filters: Any) -> Any:
    return views.count_sessions(tenant="t1", **filters)


# What is asked, and the index that answers it: its table's name, then what stands behind it.
SORTED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "newest first": (lambda v: v.sessions_page(tenant="t1", limit=5), "sessions_v1_i1"),
    "in a time": (
        lambda v: v.sessions(tenant="t1", since=START, until=LATER, limit=5),
        "sessions_v1_i1",
    ),
    "status": (lambda v: v.sessions(tenant="t1", status="idle", limit=5), "sessions_v1_i2"),
    "abandoned": (lambda v: v.sessions(tenant="t1", status="abandoned", limit=5), "sessions_v1_i2"),
    "statuses": (
        lambda v: v.sessions(tenant="t1", status=["failed", "idle"], limit=5),
        "sessions_v1_i2",
    ),
    "a page of statuses": (
        lambda v: v.sessions_page(
            tenant="t1",
            status=["failed", "idle"],
            limit=2,
            cursor=v.sessions_page(tenant="t1", status=["failed", "idle"], limit=2).cursor,
        ),
        "sessions_v1_i2",
    ),
    "statuses of a channel's user": (
        lambda v: v.sessions(
            tenant="t1", channel="c1", user_channel_id="u1", status=["active", "idle"], limit=5
        ),
        "sessions_v1_i15",
    ),
    "agent": (lambda v: v.sessions(tenant="t1", agent_id="a1", limit=5), "sessions_v1_i7"),
    "owner": (lambda v: v.sessions(tenant="t1", owner_id="o1", limit=5), "sessions_v1_i8"),
    "channel": (lambda v: v.sessions(tenant="t1", channel="c1", limit=5), "sessions_v1_i9"),
    "customer": (
        lambda v: v.sessions(tenant="t1", customer_profile_id="p1", limit=5),
        "sessions_v1_i10",
    ),
    "channel's user": (
        lambda v: v.sessions(tenant="t1", channel="c1", user_channel_id="u1", limit=5),
        "sessions_v1_i15",
    ),
    "external id": (lambda v: v.sessions(tenant="t1", external_id="e1"), "sessions_v1_i12"),
    "interlocutor": (
        lambda v: v.sessions(tenant="t1", interlocutor_id="i1", limit=5),
        "sessions_v1_i11",
    ),
    "data set": (lambda v: v.sessions(tenant="t1", dataset_id="d1", limit=5), "sessions_v1_i13"),
    "parent": (
        lambda v: v.sessions(tenant="t1", parent_session_id="s1", limit=5),
        "sessions_v1_i14",
    ),
    "by creation": (
        lambda v: v.sessions(tenant="t1", order_by="created_at", limit=5),
        "sessions_v1_i3",
    ),
    "by cost": (
        lambda v: v.sessions(tenant="t1", order_by="cost_nano_usd", limit=5),
        "sessions_v1_i4",
    ),
    "by input": (
        lambda v: v.sessions(tenant="t1", order_by="input_tokens", limit=5),
        "sessions_v1_i5",
    ),
    "by output, ascending": (
        lambda v: v.sessions(tenant="t1", order_by="output_tokens", descending=False, limit=5),
        "sessions_v1_i6",
    ),
    "a session's runs": (lambda v: v.runs("s1", tenant="t1", limit=5), "runs_v1_i1"),
    "a run by id": (lambda v: v.find_run("r1", tenant="t1"), "runs_v1_i2"),
    "runs": (lambda v: v.runs_page(tenant="t1", limit=5), "runs_v1_i3"),
    "runs by status": (
        lambda v: v.runs_page(tenant="t1", status="running", limit=5),
        "runs_v1_i4",
    ),
    "runs by statuses": (
        lambda v: v.runs_page(tenant="t1", status=["running", "failed"], limit=5),
        "runs_v1_i4",
    ),
    "a session's runs by statuses": (
        lambda v: v.runs("s1", tenant="t1", status=["completed", "failed"], limit=5),
        "runs_v1_i1",
    ),
    "runs by agent": (lambda v: v.runs_page(tenant="t1", agent_id="a1", limit=5), "runs_v1_i5"),
    "runs in a time": (
        lambda v: v.runs_page(tenant="t1", since=START, until=LATER, limit=5),
        "runs_v1_i3",
    ),
    "a session's questions": (lambda v: v.qa("s1", tenant="t1", last_n=5), "qa_v1_i1"),
    "questions": (lambda v: v.qa_page(tenant="t1", limit=5), "qa_v1_i2"),
    "questions of a user": (lambda v: v.qa_page(tenant="t1", user_id="u1", limit=5), "qa_v1_i3"),
    "questions of a run": (lambda v: v.qa_page(tenant="t1", run_id="asking1", limit=5), "qa_v1_i4"),
    "messages": (lambda v: v.messages("s1", tenant="t1", limit=5), "messages_v1_i1"),
    "recent turns": (lambda v: v.recent_turns(tenant="t1", limit=5), "turns_v1_i2"),
    "approvals to be decided": (
        lambda v: v.pending_approvals(tenant="t1", limit=5),
        "approvals_v1_i1",
    ),
    "an artifact by key": (lambda v: v.artifact_by_key("k1", tenant="t1"), "artifacts_v1_i1"),
}
COUNTED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "sessions": (lambda v: v.count_sessions(tenant="t1"), "sessions_v1_i"),
    "sessions by status": (
        lambda v: v.count_sessions(tenant="t1", status="idle"),
        "sessions_v1_i2",
    ),
    "sessions by statuses": (
        lambda v: v.count_sessions(tenant="t1", status=["idle", "failed"]),
        "sessions_v1_i2",
    ),
    "sessions by agent": (lambda v: v.count_sessions(tenant="t1", agent_id="a1"), "sessions_v1_i7"),
    "runs": (lambda v: v.count_runs(tenant="t1"), "runs_v1_i"),
    "runs by status": (lambda v: v.count_runs(tenant="t1", status="running"), "runs_v1_i4"),
    "questions": (lambda v: v.count_qa(tenant="t1"), "qa_v1_i"),
    "questions of a user": (lambda v: v.count_qa(tenant="t1", user_id="u1"), "qa_v1_i3"),
    "questions of a run": (lambda v: v.count_qa(tenant="t1", run_id="asking1"), "qa_v1_i4"),
    **{
        f"sessions by {name}": (partial(count_sessions, **{name: value}), f"sessions_v1_i{number}")
        for name, value, number in (
            ("owner_id", "o1", 8),
            ("channel", "c1", 9),
            ("customer_profile_id", "p1", 10),
            ("interlocutor_id", "i1", 11),
            ("dataset_id", "d1", 13),
            ("parent_session_id", "s1", 14),
            ("since", LATER, 1),
        )
    },
}
# The words are looked up in an index; what is found is put in order.
FOUND: dict[str, tuple[Callable[[Any], Any], tuple[str, str]]] = {
    "words in questions": (
        lambda v: v.search("rare parcel", tenant="t1", kinds=["qa"]),
        ("qa_v1_search", "qa_v1_w"),
    ),
    "words in messages": (
        lambda v: v.search("rare", tenant="t1", session_id="s1", kinds=["messages"]),
        ("messages_v1_search", "messages_v1_"),
    ),
    "tags": (
        lambda v: v.sessions(tenant="t1", tags=["rare"], limit=5),
        ("sessions_v1_search", "sessions_v1_w"),
    ),
    "labels": (
        lambda v: v.sessions(tenant="t1", labels={"n": "1"}, limit=5),
        ("sessions_v1_search", "sessions_v1_w"),
    ),
}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Views, Explain, str]]:
    """Views of many sessions of many tenants, and what their database would do for a query."""
    if request.param == "sqlite":
        path = f"{tmp_path_factory.mktemp('plans')}/ledger.db"
        with Ledger.open(f"sqlite:///{path}") as ledger:
            views = populated(ledger)
            connection = apsw.Connection(path)

            def explain(query: RowQuery, counted: bool) -> str:
                statements = SqliteStatements(query.table)
                made = statements.count(query) if counted else statements.read(query)
                rows = connection.execute("EXPLAIN QUERY PLAN " + made[0], made[1]).fetchall()
                return "\n".join(str(row[3]) for row in rows)

            yield views, explain, "sqlite"
            connection.close()
        return
    server: PostgresDatabases = request.getfixturevalue("postgres_server")
    with server.temporary_database() as url, Ledger.open(url) as ledger:
        views = populated(ledger)
        with psycopg.connect(url, autocommit=True) as connected:
            vacuum(connected)

            def explain_there(query: RowQuery, counted: bool) -> str:
                statements = PostgresStatements(query.table, "ledger")
                call = statements.count(query) if counted else statements.select(query)
                rows = connected.execute(b"EXPLAIN " + call.statement, call.parameters).fetchall()
                return "\n".join(str(row[0]) for row in rows)

            yield views, explain_there, "postgres"


def populated(ledger: Ledger) -> Views:
    for tenant in range(TENANTS):
        ledger.append_many(
            [Append(f"s{n}", facts(n), tenant=f"t{tenant}") for n in range(SESSIONS)]
        )
    # A session that is long enough for an order to be worth an index.
    for n in range(300):
        asked = NewEvent({"question": "", "answer": "", "qa_id": f"long{n}"}, "qa.recorded")
        said = NewEvent({"role": "user", "content": ""}, "message.appended")
        ran = NewEvent({}, "run.finished", run_id=f"long{n}")
        ledger.append("s1", [asked, said, ran], tenant="t1")
    views = Views(ledger)
    views.catch_up()
    return views


def facts(n: int) -> list[NewEvent]:
    named = {"agent_id": f"a{n % 5}", "owner_id": f"o{n % 10}", "channel": f"c{n % 4}"}
    named |= {"customer_profile_id": f"p{n % 5}", "user_channel_id": f"u{n}"}
    named |= {"external_id": f"e{n}", "parent_session_id": f"s{n // 20}"}
    named |= {"interlocutor_id": f"i{n % 5}", "dataset_id": f"d{n % 5}"}
    about = {"tags": ["all", "rare" if n == 1 else "other"], "labels": {"n": str(n)}}
    words = "a rare parcel" if n == 1 else "a usual parcel"
    made = [
        ({"status": STATUSES[n % 4], **named, **about}, "session.created", None),
        ({"agent_id": f"a{n % 5}"}, "run.started", f"r{n}"),
        (
            {"question": words, "answer": "", "qa_id": f"q{n}", "user_id": f"u{n % 20}"},
            RECORDED,
            None,
        ),
        ({"question": words, "answer": "", "qa_id": f"q{n}b"}, RECORDED, f"asking{n % 10}"),
        ({"role": "user", "content": words}, "message.appended", None),
        ({"turn_id": f"t{n}"}, "turn.started", None),
        ({"approval_id": f"a{n}"}, "approval.requested", None),
        ({"artifact_id": f"a{n}", "key": f"k{n}"}, "artifact.registered", None),
        ({"cost_usd": n / 8, "input_tokens": n}, "usage.recorded", None),
        *([({}, "run.finished", f"r{n}")] if n % 3 else []),
        *([({"qa_id": "stray"}, "qa.deleted", None)] if n == 1 else []),
    ]
    moment = START + timedelta(minutes=n)
    return [
        NewEvent(payload, type, run_id=run_id, occurred_at=moment) for payload, type, run_id in made
    ]


@pytest.fixture
def plans(
    opened: tuple[Views, Explain, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Any], Any]], list[str]]:
    """A function that returns the plans of all queries which a reader sends."""
    views, explain, _ = opened
    seen: list[tuple[RowQuery, bool]] = []
    for owner in (SqliteViews, PostgresViews):
        for name in ("select", "read", "count", "current"):
            if hasattr(owner, name):
                monkeypatch.setattr(owner, name, noting(getattr(owner, name), name, seen))

    def plans_of(read: Callable[[Any], Any]) -> list[str]:
        seen.clear()
        assert read(views) is not None
        assert seen, "nothing was asked of the database"
        return [explain(*one) for one in seen]

    return plans_of


def noting(method: Any, name: str, seen: list[tuple[RowQuery, bool]]) -> Any:
    def noted(self: Any, query: RowQuery) -> Any:
        seen.append((query, name == "count"))
        return method(self, query)

    return noted


def is_sorted(plan: str) -> bool:
    return "TEMP B-TREE" in plan or "Sort  (" in plan  # a merge has a key, too


def is_scanned(plan: str) -> bool:
    # What is merged from parts has the name of their table.
    parts = plan.replace("SCAN v", "", 1) if "CO-ROUTINE v" in plan else plan
    return "SCAN v" in parts or "Seq Scan" in parts


@pytest.mark.parametrize("asked", SORTED)
def test_a_list_comes_out_of_its_index_in_order(plans: Any, asked: str) -> None:
    read, index = SORTED[asked]
    for plan in plans(read):
        assert f"view_{index} " in plan + " ", plan
        assert not is_sorted(plan), plan
        assert not is_scanned(plan), plan


@pytest.mark.parametrize("asked", COUNTED)
def test_a_count_reads_an_index_alone(plans: Any, asked: str) -> None:
    read, index = COUNTED[asked]
    [plan] = plans(read)
    assert f"view_{index}" in plan, plan
    assert "COVERING INDEX" in plan or "Index Only Scan" in plan, plan


@pytest.mark.parametrize("asked", FOUND)
def test_what_is_found_by_words_is_looked_up_by_them(
    plans: Any,
    opened: tuple[Views, Explain, str],
    asked: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(found_rows, "AMONG_ROWS", 5)
    read, (in_sqlite, in_postgres) = FOUND[asked]
    *among, plan = plans(read)
    if opened[2] == "sqlite":
        assert plan.startswith("SCAN f VIRTUAL TABLE INDEX"), plan
        assert "SEARCH v USING INTEGER PRIMARY KEY" in plan, plan
        assert in_sqlite
    else:
        assert f"view_{in_postgres}" in plan, plan
    assert not is_scanned(plan), plan
    # What is common would be met before, among the first rows of the order.
    for first in among:
        assert "SEARCH v USING COVERING INDEX" in first or "Index Scan Backward" in first, first
        assert not is_sorted(first), first


def test_the_anomalies_of_a_tenant_come_from_the_rows_that_have_some(plans: Any) -> None:
    found = plans(lambda views: views.anomalies(tenant="t1"))
    # The tables with rows; of an empty one there is nothing to look up.
    filled = ("sessions", "runs", "messages", "qa")
    for name in filled:
        plan, *_ = [plan for plan in found if f"view_{name}_v1" in plan]
        assert f"view_{name}_v1_i0" in plan, plan
        assert not is_scanned(plan), plan


def test_a_page_of_anomalies_reads_no_more_rows_of_a_view_than_it_has(
    opened: tuple[Views, Explain, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    views, _, _ = opened
    seen: list[tuple[RowQuery, bool]] = []
    for owner in (SqliteViews, PostgresViews):
        monkeypatch.setattr(owner, "read", noting(owner.read, "read", seen))
    assert len(views.anomalies(tenant="t2", limit=2)) == 2
    assert {query.limit for query, _ in seen} == {2}


def test_what_became_of_sessions_is_added_up_where_they_are(
    opened: tuple[Views, Explain, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    views, _, _ = opened
    seen: list[tuple[RowQuery, bool]] = []
    for owner in (SqliteViews, PostgresViews):
        for name in ("select", "read", "current"):
            monkeypatch.setattr(owner, name, noting(getattr(owner, name), name, seen))
    assert views.session_stats(tenant="t1").session_count == SESSIONS
    assert seen == []
