"""The storage operations, as plans over `send`: one round trip for several statements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ledger.plans import Plan

from ...errors import TableMismatch
from ...folding import Change
from ...tables import BUCKET, Key, Row, Table
from ..base import RowQuery
from .statements import Call, SchemaStatements, TableStatements, layout_line

#: Per statement, the rows it returned and how many it touched.
Results = list[tuple[list[Any], int]]
Send = Callable[[Sequence[Call]], Any]

_CHECKPOINTS = "view_checkpoints"
_BEGIN = Call(b"BEGIN ISOLATION LEVEL READ COMMITTED")
_COMMIT = Call(b"COMMIT")
_ROLLBACK = Call(b"ROLLBACK")


class Storing:
    """The views of one schema."""

    def __init__(self, schema: str, buckets: int) -> None:
        self._schema = schema
        self._buckets = buckets
        self._statements = SchemaStatements(schema)
        self._tables: dict[str, TableStatements] = {}

    def prepare(self, send: Send, tables: Sequence[Table]) -> Plan[None]:
        """Create what is missing under a lock; look first, for nothing mostly is."""
        if (yield from self._is_ready(send, tables)):
            return
        yield send([_BEGIN, Call(self._statements.lock, (self._schema,))])
        layouts = yield from self._layouts(send, tables)
        calls = [Call(self._statements.create_checkpoints)]
        for table in tables:
            identity = _identity(table)
            if table.name not in layouts:
                # If somebody dropped the table, it is folded again from the start.
                calls.append(Call(self._statements.forget_checkpoints, identity))
                calls += [Call(statement) for statement in self._of(table).create]
            calls.append(Call(self._statements.create_checkpoint, identity))
        yield send([*calls, _COMMIT])
        self._check(tables, (yield from self._layouts(send, tables)))

    def checkpoints(self, send: Send, bucket: int) -> Plan[Mapping[tuple[str, int], int]]:
        """Read one bucket's checkpoints."""
        results: Results = yield send([Call(self._statements.checkpoints, (bucket,))])
        return {(name, version): position for name, version, position in results[0][0]}

    def positions(self, send: Send, table: Table) -> Plan[list[int]]:
        """Read one projection's checkpoints."""
        results: Results = yield send([Call(self._statements.positions, _identity(table))])
        return [position for (position,) in results[0][0]]

    def load(
        self, send: Send, bucket: int, wanted: Sequence[tuple[Table, Sequence[Key]]]
    ) -> Plan[list[dict[Key, Row]]]:
        """Read the rows of all tables in one round trip."""
        calls = [self._of(table).load(bucket, keys) for table, keys in wanted]
        results: Results = yield send(calls)
        return [
            {table.key_of_row(row): self._of(table).row(row) for row in rows}
            for (table, _), (rows, _) in zip(wanted, results, strict=True)
        ]

    def store(self, send: Send, bucket: int, changes: Sequence[Change]) -> Plan[bool]:
        """Move the checkpoints, then, only if all of them moved, change the rows.

        Checkpoints are locked in one order, and rows only by who holds their checkpoint: there is
        nothing to deadlock on.
        """
        ordered = sorted(changes, key=lambda change: change.table.name)
        moves = [self._move(bucket, change) for change in ordered]
        results: Results = yield send([_BEGIN, *moves])
        if any(touched != 1 for _, touched in results[1:]):
            yield send([_ROLLBACK])
            return False
        calls: list[Call] = []
        for change in ordered:
            statements = self._of(change.table)
            calls += [statements.clear(bucket, session) for session in change.cleared]
            calls += [statements.delete(bucket, key) for key in change.gone]
            if change.rows:
                calls.append(statements.upsert(bucket, change.rows))
        yield send([*calls, _COMMIT])
        return True

    def select(self, send: Send, query: RowQuery) -> Plan[list[Row]]:
        """Read a reader's rows."""
        statements = self._of(query.table)
        results: Results = yield send([statements.select(query)])
        return [statements.row(row) for row in results[0][0]]

    def _move(self, bucket: int, change: Change) -> Call:
        places = (change.after, bucket, *_identity(change.table), change.before)
        return Call(self._statements.move_checkpoint, places)

    def _is_ready(self, send: Send, tables: Sequence[Table]) -> Plan[bool]:
        layouts = yield from self._layouts(send, tables)
        if any(name not in layouts for name in (_CHECKPOINTS, *(table.name for table in tables))):
            return False
        results: Results = yield send([Call(self._statements.count_checkpoints)])
        counted = {(name, version): count for name, version, count in results[0][0]}
        if any(counted.get(_identity(table)) != self._buckets for table in tables):
            return False
        self._check(tables, layouts)
        return True

    def _layouts(self, send: Send, tables: Sequence[Table]) -> Plan[dict[str, frozenset[str]]]:
        names = [_CHECKPOINTS, *(table.name for table in tables)]
        results: Results = yield send([Call(self._statements.layouts, (self._schema, names))])
        found: dict[str, set[str]] = {}
        for table, column, type_, not_null in results[0][0]:
            lines = found.setdefault(table, set())
            if column != BUCKET:
                lines.add(layout_line(column, type_, not_null))
        return {table: frozenset(lines) for table, lines in found.items()}

    def _check(self, tables: Sequence[Table], layouts: Mapping[str, frozenset[str]]) -> None:
        for table in tables:
            expected, found = self._of(table).layout, layouts.get(table.name, frozenset())
            if found != expected:
                raise TableMismatch(table.name, expected, found)

    def _of(self, table: Table) -> TableStatements:
        found = self._tables.get(table.name)
        if found is None or found.table is not table:
            found = self._tables[table.name] = TableStatements(table, self._schema)
        return found


def _identity(table: Table) -> tuple[str, int]:
    return table.projection.name, table.projection.version
