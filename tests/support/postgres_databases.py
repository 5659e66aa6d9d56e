"""Databases on a server that is already running, whoever started it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tests.support.builders import eventually

_VIEWS = """
    SELECT oid::regclass::text, relallvisible = relpages FROM pg_class
    WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'r' AND relname LIKE 'view%'
"""


@dataclass(frozen=True)
class PostgresDatabases:
    """Creates and drops databases through an administrator's URL."""

    admin_url: str

    def url(self, database: str = "postgres") -> str:
        """Return the URL of one database on this server."""
        return urlunsplit(urlsplit(self.admin_url)._replace(path=f"/{database}"))

    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL."""
        # template0: nobody can be connected to it, so parallel creation never fails.
        # wal_log: copies 7 MB of catalogues through the log, where file_copy forces two checkpoints.
        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 STRATEGY wal_log").format(
                sql.Identifier(name)
            )
        )
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, ending its connections."""
        self._execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )

    @contextmanager
    def temporary_database(self) -> Iterator[str]:
        """Yield the URL of an empty database that is dropped at the end."""
        name = f"test_{uuid.uuid4().hex}"
        url = self.create_database(name)
        try:
            yield url
        finally:
            self.drop_database(name)

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(statement)


def vacuum(connection: psycopg.Connection) -> None:
    """Vacuum a database until its planner knows that everybody sees what is in the views.

    Else it would look there behind each entry of an index. Once is not enough while the server
    analyzes a table by itself, for then it still has a snapshot from before the rows.
    """
    eventually(lambda: _vacuumed(connection))


def _vacuumed(connection: psycopg.Connection) -> bool:
    views = ", ".join(name for name, _ in connection.execute(_VIEWS))
    # Written anew first: pages that were added in advance have no rows, and are never known to be
    # visible. Of all tables it would wait for those that all databases share.
    connection.execute(f"VACUUM FULL {views}".encode())
    connection.execute("VACUUM ANALYZE")
    return all(is_visible for _, is_visible in connection.execute(_VIEWS))
