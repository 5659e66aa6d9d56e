"""What the databases do to find conversations: an index is used, nothing is scanned."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apsw
import psycopg
import pytest

from ledger import Append, Ledger, NewEvent
from projections import Views
from projections.backends.postgres.backend import PostgresViews
from projections.backends.postgres.many_sessions import ManySessions
from projections.backends.postgres.statements import TableStatements as PostgresStatements
from projections.backends.row_queries import RowQuery, of_session
from projections.backends.session_rows import SessionRows
from projections.backends.sqlite.backend import SqliteViews
from projections.backends.sqlite.statements import TableStatements as SqliteStatements
from projections.session_stores.conversation import OPEN, ConversationStore
from projections.session_stores.conversation.reading import PAGE_SESSIONS
from projections.session_stores.conversation.rows import PROJECTIONS, REMAINDER
from tests.contract.test_views_plans import is_scanned, is_sorted, noting
from tests.support.conversations import AGENT, SCENARIO, at, uuid
from tests.support.postgres_databases import PostgresDatabases, vacuum

TENANTS, SESSIONS, STEPS = 12, 60, 12
T1 = uuid(50)
Places = Sequence[tuple[int, str]]
Explain = Callable[[RowQuery, Places], str]
ASKED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a_37 step": (
        lambda s: s.find_sessions_by_step_hash(T1, SCENARIO, 1, "hash 7"),
        "scenarios_v1_i1",
    ),
    "channel": (lambda s: [s.get_by_channel(T1, "webchat", "user 7")], "sessions_v1_i15"),
    "channel, open": (
        lambda s: [s.get_by_channel(T1, "webchat", "user 7", statuses=OPEN)],
        "sessions_v1_i15",
    ),
    "agent": (lambda s: s.list_by_agent(T1, AGENT, limit=5), "sessions_v1_i7"),
    "customer": (lambda s: s.list_by_customer(T1, uuid(63), limit=5), "sessions_v1_i10"),
}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ConversationStore, Explain]]:
    """A store with conversations of many tenants, and what its database would do for a query."""
    if request.param == "sqlite":
        path = f"{tmp_path_factory.mktemp('plans')}/ledger.db"
        with Ledger.open(f"sqlite:///{path}") as ledger:
            store = populated(ledger)
            connection = apsw.Connection(path)

            def explain(query: RowQuery, sessions: Places) -> str:
                one = of_session(query, *sessions[0]) if sessions else query
                made = SqliteStatements(query.table).read(one)
                rows = connection.execute("EXPLAIN QUERY PLAN " + made[0], made[1]).fetchall()
                return "\n".join(str(row[3]) for row in rows)

            yield store, explain
            connection.close()
        return
    server: PostgresDatabases = request.getfixturevalue("postgres_server")
    with server.temporary_database() as url, Ledger.open(url) as ledger:
        store = populated(ledger)
        with psycopg.connect(url, autocommit=True) as connected:
            vacuum(connected)

            def explain_there(query: RowQuery, sessions: Places) -> str:
                if sessions:
                    [call] = ManySessions("ledger", distributed=False).of_each(query, sessions)
                else:
                    call = PostgresStatements(query.table, "ledger").select(query)
                rows = connected.execute(b"EXPLAIN " + call.statement, call.parameters).fetchall()
                return "\n".join(str(row[0]) for row in rows)

            yield store, explain_there


def populated(ledger: Ledger) -> ConversationStore:
    for tenant in range(TENANTS):
        key = str(uuid(49 + tenant))
        ledger.append_many(
            [Append(str(uuid(1_000 + n)), facts(n), tenant=key) for n in range(SESSIONS)]
        )
    views = Views(ledger, projections=PROJECTIONS)
    views.catch_up()
    return ConversationStore(ledger, views)


def facts(n: int) -> list[NewEvent]:
    named = {"agent_id": str(AGENT), "channel": "webchat", "user_channel_id": f"user {n}"}
    named |= {"customer_profile_id": str(uuid(60 + n % 5))}
    created = named | {"config_version": 1, "status": "active"}
    step = {
        "step_id": str(uuid(100 + n)),
        "step_name": None,
        "step_content_hash": f"hash {n % STEPS}",
    }
    place = {"scenario_id": str(SCENARIO), "scenario_version": 1}
    return [
        NewEvent(created, "session.created", occurred_at=at(n)),
        NewEvent(place | {"primary": True}, "scenario.started", occurred_at=at(n)),
        NewEvent(place | step, "scenario.step_entered", occurred_at=at(n)),
        # Of a table without rows there is nothing to look up.
        NewEvent({"name": "a", "value": n}, "variable.set", occurred_at=at(n)),
        NewEvent({"name": REMAINDER, "state": {"format": 1}}, "snapshot.saved", occurred_at=at(n)),
    ]


def noting_all(method: Any, seen: list[Any]) -> Any:
    def noted(self: Any, bucket: int, queries: Sequence[RowQuery], *rest: Any) -> Any:
        seen.extend((query, ()) for query in queries)
        return method(self, bucket, queries, *rest)

    return noted


def noting_session(method: Any, seen: list[Any]) -> Any:
    def noted(self: Any, bucket: int, session: Any, wanted: SessionRows) -> Any:
        seen.extend((query, ()) for query in wanted.of(bucket, session))
        return method(self, bucket, session, wanted)

    return noted


def noting_each(method: Any, seen: list[Any]) -> Any:
    def noted(self: Any, queries: Sequence[RowQuery], sessions: Places) -> Any:
        seen.extend((query, sessions) for query in queries)
        return method(self, queries, sessions)

    return noted


@pytest.mark.parametrize("asked", ASKED)
def test_a_37_what_is_found_comes_out_of_its_index(
    opened: tuple[ConversationStore, Explain],
    monkeypatch: pytest.MonkeyPatch,
    asked: str,
) -> None:
    store, explain = opened
    seen: list[Any] = []
    for owner in (SqliteViews, PostgresViews):
        for name in ("select", "read", "current"):
            monkeypatch.setattr(owner, name, noting(getattr(owner, name), name, seen))
        monkeypatch.setattr(owner, "snapshot", noting_all(owner.snapshot, seen))
        monkeypatch.setattr(owner, "together", noting_session(owner.together, seen))
        monkeypatch.setattr(owner, "snapshot_of_each", noting_each(owner.snapshot_of_each, seen))
    read, index = ASKED[asked]
    assert read(store)
    found = [explain(query, sessions or []) for query, sessions in seen]
    assert f"view_{index} " in found[0] + " ", found[0]
    assert len(found) > 5
    for plan in found:
        # What belongs to one session is a handful of rows of its own.
        assert not is_scanned(plan), plan
    if seen[0][0].limit < PAGE_SESSIONS:  # what is all read anyway may be sorted, too
        assert not is_sorted(found[0]), found[0]
