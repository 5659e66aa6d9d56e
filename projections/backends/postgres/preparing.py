"""Making what the views of a schema need: checkpoints, tables, and their place on servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ledger.backends.base import LedgerInfo
from ledger.plans import Plan

from ...engine.kinds import check_kinds
from ...engine.tables import Identity, Table, key_line
from ...errors import TableMismatch, VersionDropped
from . import stops
from .calls import COMMIT, Call, Results, Send
from .schema_statements import SchemaStatements, layouts_of
from .statements import TableStatements, layout_line

_CHECKPOINTS = "view_checkpoints"
_CHECKPOINT_COLUMNS = frozenset(
    layout_line(name, type_, not_null=True)
    for name, type_ in (
        ("projection", "text"),
        ("version", "integer"),
        ("position", "bigint"),
        ("active", "boolean"),
        ("built", "boolean"),
        ("fold_digest", "text"),
    )
) | {key_line(("projection", "version"))}


class Preparing:
    """Creates and checks the tables of one schema."""

    def __init__(
        self,
        schema: str,
        info: LedgerInfo,
        statements: SchemaStatements,
        create_stops: Sequence[Call],
        of: Callable[[Table], TableStatements],
    ) -> None:
        self._schema = schema
        self._buckets = info.buckets
        self._distributed = info.distributed
        self._statements = statements
        self._create_stops = create_stops
        self._of = of

    def prepare(self, send: Send, tables: Sequence[Table]) -> Plan[None]:
        """Create what is missing under a lock; look first, for nothing mostly is."""
        if (yield from self._is_ready(send, tables)):
            return
        yield send([*self._statements.begin, Call(self._statements.lock, (self._schema,))])
        layouts = yield from self._layouts(send, tables)
        if _CHECKPOINTS in layouts:
            yield from self._counted(send, tables)
        calls = [Call(self._statements.create_checkpoints), *self._create_stops]
        calls += self._distribute(_CHECKPOINTS, *stops.TABLES)
        # The highest first: where nothing is active yet, it becomes that.
        for table in sorted(tables, key=lambda table: table.identity, reverse=True):
            if table.name not in layouts:
                # If somebody dropped the table, it is folded again from the start.
                calls.append(Call(self._statements.forget_checkpoints, table.identity))
                calls += [Call(statement) for statement in self._of(table).create]
                calls += self._distribute(table.name)
            created = (*table.identity, table.made_by.text, table.projection.name)
            calls.append(Call(self._statements.create_checkpoint, created))
        yield send([*calls, COMMIT])
        self._check(tables, (yield from self._layouts(send, tables)))

    def missing(self, send: Send, tables: Sequence[Table]) -> Plan[list[Table]]:
        """Return those of some tables that are not there."""
        layouts = yield from self._layouts(send, tables)
        return [table for table in tables if table.name not in layouts]

    def _distribute(self, *names: str) -> list[Call]:
        return [self._statements.distribute(one) for one in names] if self._distributed else []

    def _is_ready(self, send: Send, tables: Sequence[Table]) -> Plan[bool]:
        layouts = yield from self._layouts(send, tables)
        needed = (_CHECKPOINTS, *stops.TABLES, *(table.name for table in tables))
        if any(name not in layouts for name in needed):
            return False
        if layouts[_CHECKPOINTS] != _CHECKPOINT_COLUMNS:
            raise TableMismatch(_CHECKPOINTS, _CHECKPOINT_COLUMNS, layouts[_CHECKPOINTS])
        counted = yield from self._counted(send, tables)
        if any(counted.get(table.identity) != self._buckets for table in tables):
            return False
        self._check(tables, layouts)
        return True

    def _counted(self, send: Send, tables: Sequence[Table]) -> Plan[dict[Identity, int]]:
        """Count the checkpoints of all versions; refuse names that are those of another kind."""
        results: Results = yield send([Call(self._statements.count_checkpoints)])
        check_kinds(tables, [(name, digest) for name, _, _, digest in results[0][0]])
        return {(name, version): count for name, version, count, _ in results[0][0]}

    def _layouts(self, send: Send, tables: Sequence[Table]) -> Plan[dict[str, frozenset[str]]]:
        names = [_CHECKPOINTS, *stops.TABLES, *(table.name for table in tables)]
        results: Results = yield send([Call(self._statements.layouts, (self._schema, names))])
        return layouts_of(results[0][0])

    def _check(self, tables: Sequence[Table], layouts: Mapping[str, frozenset[str]]) -> None:
        for table in tables:
            if table.name not in layouts:
                raise VersionDropped(*table.identity)  # just now
            expected, found = self._of(table).layout, layouts[table.name]
            if found != expected:
                raise TableMismatch(table.name, expected, found)
