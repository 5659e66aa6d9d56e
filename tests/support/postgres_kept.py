"""A database whose tables stay from test to test: making them takes longer than most tests do.

After each test the catalogs are compared with what they were. New tables are dropped; had anything
else been changed, by the test or by an ANALYZE, everything is dropped and made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import psycopg

from ledger import Ledger
from ledger.backends.postgres.migrations import BUCKETS_DEFAULT
from ledger.limits import BUCKETS_MAX
from projections import Views

#: Emptied with DELETE a table stays as large as it was. The planner takes one that was never analysed
#: for as large as this at least.
_EMPTIED_BYTES_MAX = 80_000

END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid();
"""

DROP_ALL = r"""
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT nspname FROM pg_namespace
        WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
    LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
    CREATE SCHEMA public;
END $$;
"""

# What belongs to the database, and to no schema.
_LEFT = """
SELECT 'setting', setconfig::text FROM pg_db_role_setting AS s
    JOIN pg_database AS d ON d.oid = s.setdatabase WHERE d.datname = current_database()
UNION ALL SELECT 'right', datacl::text FROM pg_database
    WHERE datname = current_database() AND datacl IS NOT NULL
UNION ALL SELECT 'extension', extname FROM pg_extension WHERE extname <> 'plpgsql'
UNION ALL SELECT 'event trigger', evtname FROM pg_event_trigger
UNION ALL SELECT 'publication', pubname FROM pg_publication;
"""

_DROP_NEW = r"""
DO $$
DECLARE names text;
BEGIN
    SELECT string_agg(quote_ident(nspname), ', ') INTO names FROM pg_namespace
    WHERE nspname NOT LIKE 'pg\_%' AND nspname NOT IN ('information_schema', 'public', 'ledger');
    IF names IS NOT NULL THEN
        EXECUTE 'DROP SCHEMA ' || names || ' CASCADE';
    END IF;
    SELECT string_agg(c.oid::regclass::text, ', ') INTO names
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid > NEWEST AND c.relkind = 'r' AND n.nspname IN ('public', 'ledger');
    IF names IS NOT NULL THEN
        EXECUTE 'DROP TABLE ' || names || ' CASCADE';
    END IF;
END $$;
"""

# A row that was changed or is new is of a younger transaction, one that is gone is not counted.
_CATALOGS = {
    "pg_namespace": r"nspname NOT LIKE 'pg\_%'",
    "pg_class": "oid >= 16384",
    "pg_attribute": "attrelid >= 16384",
    "pg_attrdef": "true",
    "pg_constraint": "oid >= 16384",
    "pg_index": "indexrelid >= 16384",
    "pg_trigger": "true",
    "pg_proc": "oid >= 16384",
    "pg_policy": "true",
    "pg_rewrite": "oid >= 16384",
    "pg_statistic": "starelid >= 16384",
    "pg_statistic_ext": "true",
    "pg_default_acl": "true",
    "pg_extension": "true",
    "pg_event_trigger": "true",
    "pg_publication": "true",
    "pg_database": "datname = current_database()",
    "pg_db_role_setting": "true",
}
_CATALOG = (
    "SELECT (SELECT sum(reltuples) FROM pg_class WHERE oid >= 16384), "
    + ", ".join(
        f"(SELECT concat(count(*), ' ', max(xmin::text::bigint)) FROM {name} WHERE {which})"
        for name, which in _CATALOGS.items()
    )
    + ";"
)

_EMPTY = f"""
DO $$
DECLARE
    names text;
    one record;
BEGIN
    SET LOCAL session_replication_role = replica; -- of triggers, which refuse to delete events
    SELECT string_agg(oid::regclass::text, ', ') INTO names FROM pg_class
    WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'r';
    EXECUTE 'LOCK TABLE ' || names; -- until the last of the others has ended
    FOR one IN SELECT oid::regclass AS name, pg_relation_size(oid) AS bytes FROM pg_class
        WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'r'
            AND relname NOT IN ('ledger_info', 'buckets' KEPT) AND pg_relation_size(oid) > 0
    LOOP
        IF one.bytes > {_EMPTIED_BYTES_MAX} THEN
            EXECUTE format('TRUNCATE %s', one.name);
        ELSE
            EXECUTE format('DELETE FROM %s', one.name);
        END IF;
    END LOOP;
    UPDATE ledger.view_checkpoints SET position = 0 WHERE position <> 0;
    UPDATE ledger.buckets SET position = 0, recorded_us = 0 WHERE position <> 0 OR recorded_us <> 0;
    UPDATE ledger.ledger_info SET ledger_id = gen_random_uuid()::text,
        created_us = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
END $$;
"""

_CONTENT = """
SELECT
    (SELECT concat(count(*), ' ', sum(schema_version), ' ', sum(buckets)) FROM ledger.ledger_info),
    (SELECT concat(count(*), ' ', sum(bucket)) FROM ledger.buckets),
    (SELECT concat(count(*), ' ', sum(hashtext(c::text))) FROM ledger.view_checkpoints AS c);
"""

_OTHER_BUCKETS = """
DELETE FROM ledger.view_checkpoints;
DELETE FROM ledger.buckets WHERE bucket >= WANTED;
INSERT INTO ledger.buckets (bucket) SELECT generate_series(0, WANTED - 1) ON CONFLICT DO NOTHING;
UPDATE ledger.ledger_info SET buckets = WANTED;
"""


class KeptDatabase:
    """A database in which are the tables of the ledger and of its views, and nothing else.

    With `checkpoints` the built-in views were used before: they stand at the log's beginning.
    Otherwise there is no trace of them but their tables. Without `tables` there is nothing.
    """

    by_url: ClassVar[dict[str, KeptDatabase]] = {}

    def __init__(self, url: str, *, tables: bool, checkpoints: bool) -> None:
        self.url = url
        self._tables = tables
        self.by_url[url] = self
        self._empty = _EMPTY.replace("KEPT", ", 'view_checkpoints'" if checkpoints else "")
        self._connection: psycopg.Connection[Any] | None = None
        self._catalog: object = None
        self._content: object = None
        self._newest = 0
        self._buckets = BUCKETS_DEFAULT
        self.made = 0

    def ready(self) -> str:
        """Return the URL; the tables are there."""
        if self._tables and self._catalog is None:
            self._run(END_OTHERS + DROP_ALL)
            with Ledger.open(self.url) as ledger:
                Views(ledger).catch_up()
            self._catalog, self._content = self._emptied()
            [[self._newest]] = self._run("SELECT max(oid)::bigint FROM pg_class")
            self._buckets = BUCKETS_DEFAULT
            self.made += 1
        return self.url

    def set_buckets(self, buckets: int) -> None:
        """Let the ledger in here be one that was created with so many buckets."""
        if self._tables and buckets != self._buckets:
            self._run(_OTHER_BUCKETS.replace("WANTED", str(buckets)))
            self._buckets = buckets

    def clean(self) -> None:
        """Take away what the test left."""
        if not self._tables:
            left = self._run(END_OTHERS + DROP_ALL + _LEFT)
            assert left == [], f"the test left this in a database that others use: {left}"
            return
        catalog = self._run(END_OTHERS + _DROP_NEW.replace("NEWEST", str(self._newest)) + _CATALOG)
        if catalog != self._catalog:
            self._catalog = None
            return
        if self._buckets != BUCKETS_DEFAULT:
            self._run(_OTHER_BUCKETS.replace("WANTED", str(BUCKETS_DEFAULT)))
            self._buckets = BUCKETS_DEFAULT
        self._catalog, content = self._emptied()
        if content != self._content:
            self._catalog = None

    def close(self) -> None:
        """Close the connection; the database goes with its maker."""
        del self.by_url[self.url]
        if self._connection is not None:
            self._connection.close()

    def _emptied(self) -> tuple[object, object]:
        return self._run(self._empty + _CATALOG), self._run(_CONTENT)

    def _run(self, statements: str) -> Sequence[Any]:
        """Run statements as one transaction and return the rows of the last.

        On a connection that stays: a new one has to fill its caches first.
        """
        try:
            cursor = self._connected().execute(statements)
        except psycopg.OperationalError:  # a test has ended all connections, this one too
            self._connected().close()
            cursor = self._connected().execute(statements)
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self.url, autocommit=True)
        return self._connection


def buckets_wanted(url: str, buckets: object) -> None:
    """Prepare a kept database for a ledger that is now opened with so many buckets.

    A number that is refused is left to be refused.
    """
    kept = KeptDatabase.by_url.get(url)
    if kept is not None and type(buckets) is int and 1 <= buckets <= BUCKETS_MAX:
        kept.set_buckets(buckets)
