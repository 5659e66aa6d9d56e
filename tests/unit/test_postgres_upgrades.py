"""Ledgers of earlier schema versions: opened, they become what a new one is, and lose nothing."""

import threading
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ledger import CallError, IncarnationConflict, Ledger, NewEvent
from ledger.backends.base import OpenOptions
from ledger.backends.postgres import PostgresBackend, appending, open_postgres
from ledger.backends.postgres.arrays import register_arrays
from ledger.backends.postgres.statements import OpeningStatements
from tests.support.builders import (
    DEADLINE_S,
    background,
    eventually,
    note,
    notes,
    sequences,
    texts,
    together,
)
from tests.support.postgres_units import unit

NEWEST = 3
FUNCTIONS = """
    SELECT p.proname, p.pronargs FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = %s ORDER BY 1, 2
"""


INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'ledger' ORDER BY 1"


def make_version(url: str, version: int) -> str:
    """Make a ledger as an earlier version did, with one event."""
    statements = OpeningStatements("ledger")
    functions = Path(__file__).with_name("golden") / f"postgres_functions_{version}.sql"
    with psycopg.connect(url) as old:
        old.execute(statements["create_schema"])
        for migration in statements.migrations()[:version]:
            old.execute(migration)
        old.execute(statements["create_info"], {"ledger_id": f"made-by-{version}", "buckets": 64})
        old.execute(statements["create_buckets"], {"buckets": 64})
        old.execute(statements["settle_buckets"])
        old.execute(sql.SQL(functions.read_text("utf-8")).format(schema=sql.Identifier("ledger")))
        old.execute(statements["set_version"], {"version": version})
    with OldProcess(url, version) as process:
        process.append("s", "first")
    return url


@pytest.fixture
def version_1(postgres_url: str) -> str:
    """The URL of a ledger as version 1 made it."""
    return make_version(postgres_url, 1)


class OldProcess:
    """Appends as a version did, with statements that its connection has prepared."""

    def __init__(self, url: str, version: int = 1) -> None:
        # Since the second one both functions know what incarnation a session is in.
        self._known = slice(None, -1 if version == 1 else None)
        self._connection = psycopg.connect(url, autocommit=True, prepare_threshold=0)
        register_arrays(self._connection)

    def __enter__(self) -> "OldProcess":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._connection.close()

    def append(self, session_id: str, *event_ids: str) -> None:
        """Store events: one by append_event, several by append_events."""
        units = [unit(session_id, *event_ids)]
        single = appending.single(units)
        name, parameters = (
            ("append_event", (True, *single[self._known]))
            if single is not None
            else ("append_events", (True, *appending.several(units)[self._known]))
        )
        marks = sql.SQL(", ").join([sql.Placeholder()] * len(parameters))
        call = sql.SQL("SELECT ledger.{}({})").format(sql.Identifier(name), marks)
        [row] = self._connection.execute(call, parameters, binary=True).fetchall()
        assert row[0] is not None


def functions_of(url: str) -> list[tuple[str, int]]:
    with psycopg.connect(url) as connection:
        return connection.execute(FUNCTIONS, ["ledger"]).fetchall()


def indexes_of(url: str) -> list[tuple[str, str]]:
    with psycopg.connect(url) as connection:
        return connection.execute(INDEXES).fetchall()


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_a_ledger_of_every_version_becomes_what_a_new_one_is(
    postgres_url: str, version: int
) -> None:
    make_version(postgres_url, version)
    with OldProcess(postgres_url, version) as process:
        process.append("s", "second", "third")
        with Ledger.open(postgres_url) as ledger:
            assert ledger.ledger_id == f"made-by-{version}"
            assert ledger.backend.info.schema == NEWEST
            process.append("s", "fourth")
            process.append("s", "fifth", "sixth")
            ledger.append("s", NewEvent({"sequences": [2]}, "content.redacted"))
            assert sequences(ledger.read("s")) == list(range(1, 8))
            assert sequences(ledger.read("s", types=["content.redacted"])) == [7]
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE fresh")
    fresh = postgres_url.rpartition("/")[0] + "/fresh"
    Ledger.open(fresh).close()
    assert functions_of(postgres_url) == functions_of(fresh)
    assert indexes_of(postgres_url) == indexes_of(fresh)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("DROP DATABASE fresh")


def test_a_ledger_of_version_1_is_upgraded_under_those_who_still_run_it(version_1: str) -> None:
    with OldProcess(version_1) as process:
        process.append("s", "second")
        process.append("s", "third", "fourth")
        with Ledger.open(version_1) as ledger:
            assert (ledger.ledger_id, ledger.backend.info.schema) == ("made-by-1", NEWEST)
            assert [event.event_id for event in ledger.read("s")] == [
                "first",
                "second",
                "third",
                "fourth",
            ]
            process.append("s", "fifth")
            process.append("s", "sixth", "seventh")
            assert ledger.append("s", note("eighth"), incarnation=0).sequence == 8
            ledger.delete("s")
            process.append("s", "tenth")
            with pytest.raises(IncarnationConflict):
                ledger.append("s", notes("ab"), incarnation=0)
            assert ledger.append("s", notes("ab"), incarnation=9)[1].sequence == 12
            assert texts(ledger.read("s"))[1:] == ["a", "b"]


def test_an_upgrade_that_breaks_off_changes_nothing(
    version_1: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = functions_of(version_1)
    with monkeypatch.context() as broken:
        broken.setattr(OpeningStatements, "functions", lambda self, **_: [b"SELECT 1 / 0"])
        with pytest.raises(CallError, match="division by zero"):
            open_postgres(version_1, OpenOptions())
    assert functions_of(version_1) == before
    with OldProcess(version_1) as process:
        process.append("s", "second", "third")
    with Ledger.open(version_1) as ledger:
        assert ledger.append("s", note(), incarnation=0).sequence == 4
        assert [event.event_id for event in ledger.read("s")][:3] == ["first", "second", "third"]


def test_an_upgrade_takes_longer_than_the_server_lets_statements_take(version_1: str) -> None:
    hurried = f"{version_1}?options=-c%20statement_timeout%3D50"
    waits = (
        "SELECT FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event = 'relation' AND clock_timestamp() > query_start + interval '200 ms'"
    )
    with psycopg.connect(version_1) as writer:
        writer.execute("LOCK TABLE ledger.events IN ROW EXCLUSIVE MODE")
        opening = background(lambda: Ledger.open(hurried))
        with psycopg.connect(version_1, autocommit=True) as observer:
            eventually(lambda: opening.done() or observer.execute(waits).fetchone() is not None)
    with opening.result(DEADLINE_S) as ledger:
        assert ledger.backend.info.schema == NEWEST


def test_many_may_upgrade_the_same_ledger_at_once(version_1: str) -> None:
    start = threading.Barrier(4)

    def upgrade() -> PostgresBackend:
        start.wait()
        return open_postgres(version_1, OpenOptions())

    backends = together([upgrade] * 4)
    for backend in backends:
        assert backend.info.schema == NEWEST
        backend.close()
    with Ledger.open(version_1) as ledger:
        assert ledger.append("s", note(), incarnation=0).sequence == 2


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_who_owns_a_database_and_is_nothing_else_can_upgrade(owned_url: str, version: int) -> None:
    make_version(owned_url, version)
    with Ledger.open(owned_url) as ledger, psycopg.connect(owned_url) as mine:
        ledger.append("s", note())
        ledger.append("s", note(), connection=mine)
        mine.commit()
        assert sequences(ledger.read("s")) == [1, 2, 3]
