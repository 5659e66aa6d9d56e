"""The ledger's tables as somebody sees them who may write to the database at will."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw
import psycopg

SQLITE_COLUMNS = "SELECT name FROM pragma_table_info(?)"
POSTGRES_COLUMNS = (
    "SELECT column_name FROM information_schema.columns "
    "WHERE table_schema = 'ledger' AND table_name = ? ORDER BY ordinal_position"
)
TRIGGERS = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'events'"


class Raw:
    """A connection that knows nothing of the ledger, with its triggers out of the way."""

    def __init__(self, url: str) -> None:
        self.sqlite = url.startswith("sqlite:")
        if self.sqlite:
            self._connection: Any = apsw.Connection(url.removeprefix("sqlite:///"))
            for (name,) in list(self._connection.execute(TRIGGERS)):
                self._connection.execute(f"DROP TRIGGER {name}")
        else:
            self._connection = psycopg.connect(url, autocommit=True)
            self._connection.execute("SET search_path = ledger")
            self._connection.execute("SET session_replication_role = replica")

    def execute(self, statement: str, *values: Any) -> list[Any]:
        if self.sqlite:
            return list(self._connection.execute(statement, values))
        cursor = self._connection.execute(statement.replace("?", "%s"), values)
        return cursor.fetchall() if cursor.description else []

    def accepts(self, statement: str, *values: Any) -> bool:
        """Execute a statement; False if the database itself refuses it."""
        try:
            self.execute(statement, *values)
        except (apsw.Error, psycopg.Error, ValueError):
            return False
        return True

    def columns(self, table: str = "events") -> list[str]:
        statement = SQLITE_COLUMNS if self.sqlite else POSTGRES_COLUMNS
        return [row[0] for row in self.execute(statement, table)]

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """Return all rows of a table, text as bytes, in no order."""
        columns = self.columns(table)
        if self.sqlite:
            as_bytes = "CASE typeof({0}) WHEN 'text' THEN CAST({0} AS BLOB) ELSE {0} END"
            columns = [as_bytes.format(column) for column in columns]
        return self.execute(f"SELECT {', '.join(columns)} FROM {table}")

    def copy(self, table: str) -> None:
        """Keep a table's rows for `restore`."""
        self.execute(f"CREATE TABLE copy_of_{table} AS SELECT * FROM {table}")

    def restore(self, table: str) -> None:
        """Put back the rows that `copy` kept."""
        self.execute(f"DELETE FROM {table}")
        self.execute(f"INSERT INTO {table} SELECT * FROM copy_of_{table}")

    def close(self) -> None:
        self._connection.close()


@contextmanager
def raw(url: str) -> Iterator[Raw]:
    connection = Raw(url)
    try:
        yield connection
    finally:
        connection.close()
