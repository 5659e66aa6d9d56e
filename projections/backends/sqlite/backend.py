"""Views as tables in the ledger's file: its writer stores, its readers read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import apsw
import msgspec

from ledger.backends.sqlite import SqliteBackend

from ...errors import TableMismatch
from ...folding import Change
from ...tables import Key, Row, Table
from ..base import RowQuery
from .statements import SQL, TableStatements, definition


class _Moved(Exception):
    """Leaves the transaction, so that it is rolled back; never leaves the backend."""


class SqliteViews:
    """A few prepared statements per table."""

    def __init__(self, log: SqliteBackend) -> None:
        self._log = log
        self._statements: dict[str, TableStatements] = {}

    def prepare(self, tables: Sequence[Table]) -> None:
        with self._log.reader() as connection:
            if self._ready(connection, tables):
                return
        with self._log.transaction() as connection:
            connection.execute(SQL["create_checkpoints"])
            for table in tables:
                if not _layout(connection, table):
                    # Somebody dropped the table: it is folded again from the start.
                    connection.execute(SQL["forget_checkpoints"], _identity(table))
                for statement in self._of(table).create:
                    connection.execute(statement)
                connection.execute(SQL["create_checkpoint"], _identity(table))
                self._check_layout(connection, table)

    def checkpoints(self, bucket: int) -> Mapping[tuple[str, int], int]:
        with self._log.reader() as connection:
            rows: list[Any] = connection.execute(SQL["checkpoints"], (bucket,)).fetchall()
        return {(projection, version): position for projection, version, position in rows}

    def positions(self, table: Table) -> list[int]:
        with self._log.reader() as connection:
            rows: list[Any] = connection.execute(SQL["positions"], _identity(table)).fetchall()
        return [position for (position,) in rows]

    def load(
        self, bucket: int, wanted: Sequence[tuple[Table, Sequence[Key]]]
    ) -> list[dict[Key, Row]]:
        found = []
        with self._log.reader() as connection:
            for table, keys in wanted:
                statements = self._of(table)
                parameters = (bucket, msgspec.json.encode(keys).decode())
                rows = connection.execute(statements.load, parameters).fetchall()
                found.append({table.key_of_row(row): statements.row(row) for row in rows})
        return found

    def store(self, bucket: int, changes: Sequence[Change]) -> bool:
        try:
            with self._log.transaction() as connection:
                for change in changes:
                    places = (bucket, *_identity(change.table), change.before, change.after)
                    connection.execute(SQL["move_checkpoint"], places)
                    if connection.changes() != 1:
                        raise _Moved
                for change in changes:
                    self._apply(connection, bucket, change)
        except _Moved:
            return False
        return True

    def select(self, query: RowQuery) -> list[Row]:
        statements = self._of(query.table)
        with self._log.reader() as connection:
            rows = connection.execute(*statements.select(query)).fetchall()
        return [statements.row(row) for row in rows]

    def _apply(self, connection: apsw.Connection, bucket: int, change: Change) -> None:
        statements = self._of(change.table)
        connection.executemany(statements.clear, ((bucket, *key) for key in change.cleared))
        connection.executemany(statements.delete, ((bucket, *key) for key in change.gone))
        bound = (statements.bound(bucket, row) for row in change.rows)
        connection.executemany(statements.upsert, bound)

    def _ready(self, connection: apsw.Connection, tables: Sequence[Table]) -> bool:
        if not connection.execute(SQL["has_checkpoints"]).get:
            return False
        for table in tables:
            counted: int = connection.execute(SQL["count_checkpoints"], _identity(table)).get
            if counted != self._log.info.buckets or not _layout(connection, table):
                return False
            self._check_layout(connection, table)
        return True

    def _check_layout(self, connection: apsw.Connection, table: Table) -> None:
        expected, found = self._of(table).layout, _layout(connection, table)
        if found != expected:
            raise TableMismatch(table.name, expected, found)

    def _of(self, table: Table) -> TableStatements:
        found = self._statements.get(table.name)
        if found is None or found.table is not table:
            found = self._statements[table.name] = TableStatements(table)
        return found


def _identity(table: Table) -> tuple[str, int]:
    return table.projection.name, table.projection.version


def _layout(connection: apsw.Connection, table: Table) -> frozenset[str]:
    rows: list[Any] = connection.execute(SQL["layout"], (table.name,)).fetchall()
    return frozenset(definition(name, type_, bool(not_null)) for name, type_, not_null in rows)
