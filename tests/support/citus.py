"""A cluster to test on: a real one, or a single server that is told to have Citus.

CI has no Citus. All statements that a ledger on several servers uses are PostgreSQL's own, so that a
server on which Citus' three functions do nothing tells whether they are right; whether Citus takes
them is told by a cluster, named by LEDGER_TEST_CITUS_URL: its coordinator, in a database that has
the extension.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

CLUSTER_URL = os.environ.get("LEDGER_TEST_CITUS_URL")
#: More than a test needs, on two servers and more.
SHARDS = 8

#: The tables and functions of Citus that a ledger asks.
_PRETENDED = """
    SET allow_system_table_mods = on;
    CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass PRIMARY KEY, beside text);
    CREATE FUNCTION pg_catalog.citus_is_coordinator() RETURNS boolean LANGUAGE sql AS 'SELECT true';
    CREATE FUNCTION pg_catalog.create_reference_table(name regclass) RETURNS void
    LANGUAGE sql AS 'INSERT INTO pg_catalog.pg_dist_partition VALUES (name, NULL)';
    CREATE FUNCTION pg_catalog.create_distributed_table(
        name regclass, distributed_by text, colocate_with text, shard_count integer DEFAULT 32
    ) RETURNS void
    LANGUAGE sql AS 'INSERT INTO pg_catalog.pg_dist_partition VALUES (name, colocate_with)';
    CREATE FUNCTION pg_catalog.create_distributed_function(
        name regprocedure, distributed_by text, colocate_with text
    ) RETURNS void
    LANGUAGE sql AS 'SELECT';
"""
_HAS_BUCKETS = """
    SELECT c.relname, EXISTS (
        SELECT FROM pg_catalog.pg_dist_partition AS p WHERE p.logicalrelid = c.oid
    )
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'bucket'
    WHERE c.relnamespace = quote_ident(%s)::regnamespace AND c.relkind = 'r'
"""


def pretend(url: str) -> None:
    """Tell a server's database that it has Citus."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_PRETENDED.encode())


@contextmanager
def new_schema(url: str) -> Iterator[str]:
    """Yield the name of a schema that nobody else uses, and drop it at the end."""
    name = f"ledger_{uuid.uuid4().hex}"
    yield name
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


def spread(url: str, schema: str) -> dict[str, bool]:
    """Return the tables with a bucket, and whether each is spread over the servers."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(_HAS_BUCKETS, (schema,)).fetchall()
        return dict(rows)
