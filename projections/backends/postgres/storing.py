"""The storage operations, as plans over `send`: one round trip for several statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from psycopg.errors import UndefinedTable

from ledger.backends.base import LedgerInfo
from ledger.plans import Plan

from ...engine.folding import Change
from ...engine.stops import Failure, Skip
from ...engine.tables import Identity, Key, Row, Table, table_name
from ..backlogs import checkpoints_of
from ..base import (
    Ahead,
    Backlog,
    Behind,
    Checkpoint,
    Instant,
    Instants,
    Overview,
    Place,
    RowPlace,
    Standing,
)
from ..marks import Mark, MarksQuery
from ..row_queries import RowQuery
from ..session_rows import SessionRows
from ..totals import Totals, TotalsQuery
from . import stops
from .ahead import ahead_of, behind_call, behind_of, behind_statement
from .calls import BEGIN_READING, COMMIT, ROLLBACK, Call, Results, Send
from .many_sessions import ManySessions, instants, rows_of_each, views_of_each
from .marks import marks_call, marks_of
from .preparing import Preparing
from .schema_statements import SchemaStatements
from .statements import TableStatements
from .storing_few import StoringFew
from .together import Together
from .totals import totals, totals_call

_WITHOUT_FLUSH = Call(b"SET LOCAL synchronous_commit TO off")
#: More checkpoints than these are moved by one statement, which costs as much as three simple ones.
_MOVES_MAX = 3


class Storing:
    """The views of one schema."""

    def __init__(self, schema: str, info: LedgerInfo, lock_timeout_s: float) -> None:
        self._schema = schema
        self._info = info
        self._statements = SchemaStatements(schema, info, lock_timeout_s)
        self._stops = stops.Stops(schema)
        self._preparing = Preparing(schema, info, self._statements, self._stops.create, self._of)
        self._few = StoringFew(schema, self._of, distributed=info.distributed)
        self._many_sessions = ManySessions(schema, distributed=info.distributed)
        self._together = Together(schema)
        self._behind = behind_statement(schema)
        self._tables: dict[str, TableStatements] = {}

    def prepare(self, send: Send, tables: Sequence[Table]) -> Plan[None]:
        """Create what is missing."""
        return self._preparing.prepare(send, tables)

    def missing(self, send: Send, tables: Sequence[Table]) -> Plan[list[Table]]:
        """Return those of some tables that are not there."""
        return self._preparing.missing(send, tables)

    def checkpoints(self, send: Send, bucket: int) -> Plan[Mapping[Identity, Checkpoint]]:
        """Read one bucket's checkpoints."""
        results: Results = yield send([Call(self._statements.checkpoints, (bucket, bucket))])
        return checkpoints_of(results[0][0])

    def backlog(
        self, send: Send, bucket: int, wanted: Sequence[Identity], limit: int, row: Place | None
    ) -> Plan[Backlog]:
        """Read what is left to be folded, and a row, in one statement."""
        return self._few.backlog(send, bucket, wanted, limit, row)

    def standings(self, send: Send, names: Sequence[str]) -> Plan[list[Standing]]:
        """Read the checkpoints of all versions of some projections."""
        results: Results = yield send([Call(self._statements.standings, (list(names),))])
        return stops.standings(results[0][0], self._info)

    def mark_built(self, send: Send, identity: Identity) -> Plan[None]:
        """Set a version's flag."""
        lock = self._statements.lock_versions(identity[0])
        mark = Call(self._statements.mark_built, identity)
        yield send([*self._statements.begin, *lock, mark, COMMIT])

    def accept(self, send: Send, table: Table) -> Plan[None]:
        """Set a version's digest."""
        lock = self._statements.lock_versions(table.identity[0])
        accept = Call(self._statements.accept, (table.made_by.text, *table.identity))
        yield send([*self._statements.begin, *lock, accept, COMMIT])

    def switch(self, send: Send, identity: Identity) -> Plan[bool]:
        """Set the flags of all versions of a projection."""
        name, version = identity
        lock = self._statements.lock_versions(name)
        move = Call(self._statements.switch, (version, name, name, version))
        results: Results = yield send([*self._statements.begin, *lock, move, COMMIT])
        return results[-2][1] > 0

    def drop(self, send: Send, identity: Identity) -> Plan[bool]:
        """Remove a version under the lock under which tables are made."""
        results: Results = yield send(
            [
                *self._statements.begin,
                Call(self._statements.lock, (self._schema,)),
                *self._statements.lock_versions(identity[0]),
                Call(self._statements.is_active, identity),
            ]
        )
        if results[-1][0][0][0]:
            yield send([ROLLBACK])
            return False
        yield send([Call(self._statements.forget_checkpoints, identity)])
        # Not in a pipeline: behind it the driver makes the server forget what it has prepared,
        # and would take what was prepared in the same pipeline for being there still.
        yield send([self._statements.drop_table(table_name(identity))])
        yield send([COMMIT])
        return True

    def load(
        self, send: Send, bucket: int, wanted: Sequence[tuple[Table, Sequence[Key]]]
    ) -> Plan[list[dict[Key, Row]]]:
        """Read the rows of all tables in one round trip."""
        found = yield from self._few.load(send, bucket, wanted)
        if found is not None:
            return found
        calls = [self._of(table).load(bucket, keys) for table, keys in wanted]
        results: Results = yield send(calls)
        return [
            {table.key_of_row(row): self._of(table).row(row) for row in rows}
            for (table, _), (rows, _) in zip(wanted, results, strict=True)
        ]

    def store(
        self, send: Send, bucket: int, changes: Sequence[Change], *, durable: bool
    ) -> Plan[bool]:
        """Move the checkpoints, then, only if all of them moved, change the rows.

        Checkpoints are locked in one order, and rows only by who holds their checkpoint: there is
        nothing to deadlock on.
        """
        if not durable and (yield from self._few.store(send, bucket, changes, None)) is not None:
            return True
        return (yield from self._store(send, bucket, changes, durable=durable))

    def store_and_load(
        self, send: Send, bucket: int, changes: Sequence[Change], row: Place
    ) -> Plan[Row | None]:
        """Store and return a row that is stored, mostly in one statement."""
        table, key = row
        stored = yield from self._few.store(send, bucket, changes, row)
        if stored is None and (yield from self._store(send, bucket, changes, durable=False)):
            [rows] = yield from self.load(send, bucket, [(table, [key])])
            stored = rows.get(key)
        return stored

    def _store(
        self, send: Send, bucket: int, changes: Sequence[Change], *, durable: bool
    ) -> Plan[bool]:
        ordered = sorted(changes, key=lambda change: change.table.identity)
        begin = self._statements.begin if durable else [*self._statements.begin, _WITHOUT_FLUSH]
        results: Results = yield send([*begin, *self._moves(bucket, ordered)])
        if sum(touched for _, touched in results[len(begin) :]) != len(ordered):
            yield send([ROLLBACK])
            return False
        yield send(self._writes(bucket, ordered))
        return True

    def _writes(self, bucket: int, changes: Sequence[Change]) -> Iterator[Call]:
        """Yield the calls that change rows one by one: the server works while the next is made."""
        for change in changes:
            statements = self._of(change.table)
            yield from (statements.clear(bucket, session) for session in change.cleared)
            yield from (statements.delete(bucket, key) for key in change.gone)
            if change.rows:
                yield statements.upsert(bucket, change.rows)
        yield COMMIT

    def select(self, send: Send, query: RowQuery) -> Plan[list[Row]]:
        """Read a reader's rows."""
        statements = self._of(query.table)
        results: Results = yield send([statements.select(query)])
        return [statements.row(row) for row in results[0][0]]

    def read(self, send: Send, query: RowQuery) -> Plan[list[Any]]:
        """Read the views in a reader's rows."""
        return [query.table.decode(row) for row in (yield from self.select(send, query))]

    def current(self, send: Send, query: RowQuery) -> Plan[list[Any] | None]:
        """Read a reader's rows, and in the same snapshot whether they are up to date."""
        if query.bucket is None:
            return None
        statements = self._of(query.table)
        try:
            results: Results = yield send([statements.current(query)])
        except UndefinedTable:
            return None  # the version was dropped, which is told by who looks for its checkpoint
        rows = results[0][0]
        if not rows or not rows[0][0]:
            return None
        return [query.table.decode(statements.row(row[1:])) for row in rows]

    def ahead(
        self, send: Send, table: Table, bucket: int, key: Key, events_max: int
    ) -> Plan[Ahead | None]:
        """Read a row and the events behind it in one statement, which is of one moment."""
        statements = self._of(table)
        try:
            results: Results = yield send([statements.ahead(bucket, key, events_max)])
        except UndefinedTable:
            return None  # as `current`
        return ahead_of(table, results[0][0], statements.row, events_max)

    def behind(
        self, send: Send, table: Table, bucket: int, place: RowPlace, events_max: int
    ) -> Plan[Behind | None]:
        """Read the events behind a row in one statement, and whether they are all there is to it."""
        call = behind_call(self._behind, table, bucket, place, events_max)
        results: Results = yield send([call])
        return behind_of(results[0][0], events_max)

    def count(self, send: Send, query: RowQuery) -> Plan[int]:
        """Count a reader's rows."""
        results: Results = yield send([self._of(query.table).count(query)])
        counted: int = results[0][0][0][0]
        return counted

    def totals(self, send: Send, wanted: TotalsQuery) -> Plan[list[Totals]]:
        """Add up a reader's rows."""
        call = totals_call(self._of(wanted.rows.table), wanted)
        results: Results = yield send([call])
        return totals(results[0][0])

    def marks(self, send: Send, wanted: MarksQuery) -> Plan[list[Mark]]:
        """Find marks of consumers."""
        results: Results = yield send([marks_call(self._schema, wanted)])
        return marks_of(results[0][0])

    def together(
        self, send: Send, bucket: int, session: Key, wanted: SessionRows
    ) -> Plan[list[list[Any]] | None]:
        """Read a session's rows of several views, and if they are up to date, in one statement."""
        call = self._together.call(bucket, session, wanted)
        if call is None:
            return None
        try:
            results: Results = yield send([call])
        except UndefinedTable:
            return None  # as `current`
        return self._together.views(wanted, results[0][0][0])

    def snapshot(self, send: Send, bucket: int, queries: Sequence[RowQuery]) -> Plan[Instant]:
        """Read a bucket's checkpoints and rows in one round trip, from one snapshot."""
        head = Call(self._statements.head, (bucket,))
        places = Call(self._statements.checkpoints, (bucket, bucket))
        selects = [self._of(query.table).select(query) for query in queries]
        results: Results = yield send([BEGIN_READING, head, places, *selects, COMMIT])
        [(position,)] = results[1][0]
        found = [
            [self._of(query.table).row(row) for row in rows]
            for query, (rows, _) in zip(queries, results[3:-1], strict=True)
        ]
        return Instant(position, checkpoints_of(results[2][0]), found)

    def snapshot_of_each(
        self, send: Send, queries: Sequence[RowQuery], sessions: Sequence[tuple[int, str]]
    ) -> Plan[Instants]:
        """Read checkpoints and rows of many sessions in one round trip, from one snapshot."""
        buckets = {bucket for bucket, _ in sessions}
        places = self._many_sessions.places(queries, buckets)
        selects = [self._many_sessions.of_each(query, sessions) for query in queries]
        calls = [BEGIN_READING, places, *chain.from_iterable(selects), COMMIT]
        results: Results = yield send(calls)
        by_query = [
            views_of_each(self._of(query.table), rows, len(sessions))
            for query, rows in zip(queries, rows_of_each(selects, results[2:-1]), strict=True)
        ]
        return Instants(instants(results[1][0], buckets), list(zip(*by_query, strict=True)))

    def note_failure(self, send: Send, failure: Failure) -> Plan[None]:
        """Keep a failure."""
        yield send([self._stops.note_failure(failure)])

    def skip(self, send: Send, skip: Skip) -> Plan[bool]:
        """Move the checkpoint, then, only if it moved, record why."""
        places = (skip.position, skip.bucket, *skip.identity, skip.position - 1)
        move = Call(self._statements.move_checkpoint, places)
        results: Results = yield send([*self._statements.begin, move])
        if results[-1][1] != 1:
            yield send([ROLLBACK])
            return False
        yield send([self._stops.add_skip(skip), COMMIT])
        return True

    def overview(self, send: Send) -> Plan[Overview]:
        """Read everything in one round trip, from one snapshot."""
        results: Results = yield send([BEGIN_READING, *self._stops.overview, COMMIT])
        return stops.overview(results[1:-1], self._info)

    def _moves(self, bucket: int, changes: Sequence[Change]) -> list[Call]:
        if len(changes) > _MOVES_MAX:
            names, versions, befores, afters = zip(
                *((*one.table.identity, one.before, one.after) for one in changes), strict=True
            )
            columns = [list(names), list(versions), list(befores), list(afters)]
            return [Call(self._statements.move_checkpoints, (*columns, bucket, bucket))]
        return [
            Call(
                self._statements.move_checkpoint,
                (one.after, bucket, *one.table.identity, one.before),
            )
            for one in changes
        ]

    def _of(self, table: Table) -> TableStatements:
        found = self._tables.get(table.name)
        if found is None or found.table is not table:
            found = self._tables[table.name] = TableStatements(table, self._schema)
        return found
