"""Databases that tests use one after the other: none meets what another left."""

from collections.abc import Iterator

import psycopg
import pytest

from ledger import Ledger
from projections import SESSIONS, Views
from tests.support.postgres_databases import PostgresDatabases
from tests.support.postgres_kept import KeptDatabase, buckets_wanted
from tests.support.views import TALLY, counted

#: What is neither rows nor new tables: everything is made again.
CHANGES = (
    "ALTER TABLE ledger.events DISABLE TRIGGER ALL",
    "ALTER TABLE ledger.view_sessions_v1 SET (autovacuum_enabled = off)",
    "CREATE INDEX ON ledger.view_sessions_v1 (first_sequence)",
    "DROP TABLE ledger.view_sessions_v1",
    "CREATE FUNCTION public.one() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "GRANT SELECT ON ledger.events TO PUBLIC",
    "ANALYZE ledger.buckets",
    "DELETE FROM ledger.buckets WHERE bucket = 5",
    "UPDATE ledger.ledger_info SET schema_version = 1",
    "DELETE FROM ledger.view_checkpoints WHERE bucket = 5 AND projection = 'sessions'",
    "UPDATE ledger.view_checkpoints SET built = false WHERE projection = 'sessions'",
)


@pytest.fixture
def kept(postgres_server: PostgresDatabases) -> Iterator[KeptDatabase]:
    """A database of this test's own, in which all views were used."""
    with postgres_server.temporary_database() as url:
        kept = KeptDatabase(url, tables=True, checkpoints=True)
        yield kept
        kept.close()


def content(url: str) -> dict[str, object]:
    """Return everything that is in a database, but for the ledger's identity and age."""
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        rows = {
            f"{schema}.{name}": sorted(
                row for (row,) in connection.execute(f'SELECT t::text FROM {schema}."{name}" AS t')
            )
            for schema, name in names
        }
        rows["ledger.ledger_info"] = connection.execute(
            "SELECT buckets, schema_version FROM ledger.ledger_info"
        ).fetchall()
        return {**rows}


def test_what_a_test_leaves_is_not_met_by_the_next(kept: KeptDatabase) -> None:
    before = content(kept.ready())
    identities = set()
    for buckets in (None, 3, 100):
        buckets_wanted(kept.url, buckets)
        with Ledger.open(kept.url, buckets=buckets) as ledger:
            identities.add(ledger.ledger_id)
            ledger.append("s", [counted() for _ in range(400)])  # too many to be deleted
            views = Views(ledger, projections=[SESSIONS, TALLY])
            assert views.session("s") is not None
            views.catch_up()
        with psycopg.connect(kept.url, autocommit=True) as other:
            other.execute("CREATE SCHEMA theirs CREATE TABLE note (body text)")
            other.execute("CREATE TABLE public.note (body text)")
        kept.clean()
        assert content(kept.ready()) == before
    assert len(identities) == 3


def test_what_cannot_be_emptied_is_made_again(kept: KeptDatabase) -> None:
    before = content(kept.ready())
    for made, change in enumerate(CHANGES, start=2):
        with psycopg.connect(kept.url, autocommit=True) as other:
            other.execute("SET session_replication_role = replica")
            other.execute(change)
        kept.clean()
        assert (content(kept.ready()), kept.made) == (before, made), change


def test_a_test_may_end_all_connections(kept: KeptDatabase) -> None:
    with psycopg.connect(kept.ready(), autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    kept.clean()
    assert kept.made == 1


def test_what_cannot_be_dropped_is_told(postgres_server: PostgresDatabases) -> None:
    with postgres_server.temporary_database() as url:
        emptied = KeptDatabase(url, tables=False, checkpoints=False)
        name = url.rpartition("/")[2]
        with psycopg.connect(emptied.ready(), autocommit=True) as other:
            other.execute(f"ALTER DATABASE {name} SET work_mem = '64kB'")
        with pytest.raises(AssertionError, match="work_mem"):
            emptied.clean()
        emptied.close()
