"""Views as tables in the ledger's file: its writer stores, its readers read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import apsw
import msgspec

from ledger.backends.sqlite import SqliteBackend
from ledger.backends.sqlite.rows import add_records
from ledger.plans import Plan
from ledger.records import Record

from ...engine.folding import Change
from ...engine.kinds import check_kinds
from ...engine.stops import Failure, Skip
from ...engine.tables import Identity, Key, Row, Table, key_line, table_name
from ...errors import TableMismatch, VersionDropped
from ..backlogs import checkpoints_of, next_events
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
from ..row_queries import RowQuery, of_session
from ..session_rows import SessionRows
from ..side_by_side import in_turn
from ..totals import Totals, TotalsQuery
from . import stops
from .current_views import current, current_row
from .marks import marks
from .rows_behind import behind
from .statements import TableStatements, totals_of_row
from .storing import store_rows
from .tables import (
    SQL,
    create_table,
    definition,
    drop_table,
    layout,
    old_trigger,
    without_old_trigger,
)
from .together import Together

_CHECKPOINTS = "view_checkpoints"
_CHECKPOINT_COLUMNS = frozenset(
    ("bucket", "projection", "version", "position", "active", "built", "fold_digest")
)


T = TypeVar("T")
#: More than a table is dropped and made anew while it is read.
_ATTEMPTS_MAX = 5


class _Moved(Exception):
    """Leaves the transaction, so that it is rolled back; never leaves the backend."""


class SqliteViews:
    """A few prepared statements per table."""

    def __init__(self, log: SqliteBackend) -> None:
        self._log = log
        self._statements: dict[str, TableStatements] = {}
        self._together = Together(log, self._of)

    def prepare(self, tables: Sequence[Table]) -> None:
        with self._log.reader() as connection:
            if self._ready(connection, tables):
                return
        with self._log.transaction() as connection:
            connection.execute(SQL["create_checkpoints"])
            check_kinds(tables, _kinds(connection))
            stops.create(connection)
            # The highest first: where nothing is active yet, it becomes that.
            for table in sorted(tables, key=lambda table: table.identity, reverse=True):
                if not _layout(connection, table):
                    # Somebody dropped the table: it is folded again from the start.
                    connection.execute(SQL["forget_checkpoints"], table.identity)
                    for statement in drop_table(table.name):
                        connection.execute(statement)
                for statement in create_table(table):
                    connection.execute(statement)
                if _has_old_trigger(connection, table):
                    for statement in without_old_trigger(table.name):
                        connection.execute(statement)
                created = (*table.identity, table.made_by.text)
                connection.execute(SQL["create_checkpoint"], created)
                _check_layout(table, _layout(connection, table))

    def checkpoints(self, bucket: int) -> Mapping[Identity, Checkpoint]:
        with self._log.reader() as connection:
            return _checkpoints(connection, bucket)

    def backlog(
        self, bucket: int, wanted: Sequence[Identity], limit: int, row: Place | None = None
    ) -> Backlog:
        with self._log.reader() as connection:
            found = _checkpoints(connection, bucket)
            head: int = connection.execute(SQL["head"], (bucket,)).get
        # Positions never change: events that are read later are the same.
        behind = next_events(bucket, head, found, wanted, limit)
        records = [] if behind is None else self._log.feed(behind)
        return Backlog(head, found, records, None if row is None else self._row(bucket, row))

    def standings(self, names: Sequence[str]) -> list[Standing]:
        parameters = (msgspec.json.encode(names).decode(),)
        with self._log.reader() as connection:
            rows: list[Any] = connection.execute(SQL["standings"], parameters).fetchall()
        return [
            Standing(
                projection=name,
                version=version,
                active=bool(active),
                built=bool(built),
                fold_digest=digest,
                positions=msgspec.json.decode(positions),
            )
            for name, version, active, built, digest, positions in rows
        ]

    def mark_built(self, identity: Identity) -> None:
        with self._log.transaction() as connection:
            connection.execute(SQL["mark_built"], identity)

    def accept(self, table: Table) -> None:
        with self._log.transaction() as connection:
            connection.execute(SQL["accept"], (*table.identity, table.made_by.text))

    def switch(self, identity: Identity) -> bool:
        with self._log.transaction() as connection:
            connection.execute(SQL["switch"], identity)
            return connection.changes() > 0

    def drop(self, identity: Identity) -> bool:
        with self._log.transaction() as connection:
            if connection.execute(SQL["is_active"], identity).get:
                return False
            connection.execute(SQL["forget_checkpoints"], identity)
            for statement in drop_table(table_name(identity)):
                connection.execute(statement)
        return True

    def load(
        self, bucket: int, wanted: Sequence[tuple[Table, Sequence[Key]]]
    ) -> list[dict[Key, Row]]:
        def read(connection: apsw.Connection) -> list[dict[Key, Row]]:
            found = []
            for table, keys in wanted:
                statements = self._of(table)
                parameters = (bucket, msgspec.json.encode(keys).decode())
                rows = connection.execute(statements.load, parameters).fetchall()
                found.append({table.key_of_row(row): statements.row(row) for row in rows})
            return found

        return self._read([table for table, _ in wanted], read)

    def store(self, bucket: int, changes: Sequence[Change], *, durable: bool = True) -> bool:
        try:
            with self._log.transaction(durable=durable) as connection:
                before = connection.total_changes()
                connection.executemany(
                    SQL["move_checkpoint"],
                    [(bucket, *one.table.identity, one.before, one.after) for one in changes],
                )
                if connection.total_changes() - before != len(changes):
                    raise _Moved
                for change in changes:
                    store_rows(connection, self._of(change.table), bucket, change)
        except _Moved:
            return False
        return True

    def store_and_load(self, bucket: int, changes: Sequence[Change], row: Place) -> Row | None:
        return self._row(bucket, row) if self.store(bucket, changes, durable=False) else None

    def select(self, query: RowQuery) -> list[Row]:
        statements = self._of(query.table)
        call = statements.select(query)
        rows = self._read([query.table], lambda reader: reader.execute(*call).fetchall())
        return [statements.row(row) for row in rows]

    def read(self, query: RowQuery) -> list[Any]:
        statements = self._of(query.table)
        call = statements.read(query)
        found = self._read([query.table], lambda reader: reader.execute(*call).fetchall())
        return statements.views(found)

    def current(self, query: RowQuery) -> list[Any] | None:
        return current(self._log, self._of(query.table), query)

    def current_row(self, table: Table, bucket: int, key: Key) -> list[Any] | None:
        return current_row(self._log, self._of(table), bucket, key)

    def ahead(self, table: Table, bucket: int, key: Key, events_max: int) -> Ahead | None:
        session, load = key[:2], self._of(table).load

        def read(connection: apsw.Connection) -> Ahead | None:
            with _one_moment(connection):
                places: tuple[Any, ...] = (bucket, *table.identity, *session)
                found: Any = connection.execute(SQL["place_ahead"], places).fetchone()
                if found is None:
                    return None
                position, end, active, head, skipping = found
                if not active or skipping or end - position > events_max:
                    return None
                wanted = (bucket, msgspec.json.encode([key]).decode())
                rows = connection.execute(load, wanted).fetchall()
                span = (bucket, position, end, *session)
                behind = connection.execute(SQL["events_ahead"], span) if end > position else ()
                records: list[Record] = []
                add_records(records, behind, lambda _: f"A row of session {key[1]!r}")
            row = self._of(table).row(rows[0]) if rows else None
            return Ahead(position, head, row, records)

        return self._read([table], read)

    def behind(self, table: Table, bucket: int, place: RowPlace, events_max: int) -> Behind | None:
        return self._read([table], lambda reader: behind(reader, table, bucket, place, events_max))

    def count(self, query: RowQuery) -> int:
        call = self._of(query.table).count(query)
        counted: int = self._read([query.table], lambda reader: reader.execute(*call).get)
        return counted

    def totals(self, wanted: TotalsQuery) -> list[Totals]:
        statements = self._of(wanted.rows.table)
        call = statements.totals(wanted)
        found = self._read([wanted.rows.table], lambda reader: reader.execute(*call).fetchall())
        return [totals_of_row(row) for row in found]

    def marks(self, wanted: MarksQuery) -> list[Mark]:
        return self._read(wanted.tables, lambda reader: marks(reader, wanted))

    def together(self, bucket: int, session: Key, wanted: SessionRows) -> list[list[Any]] | None:
        return self._together.views(bucket, session, wanted)

    def snapshot(self, bucket: int, queries: Sequence[RowQuery]) -> Instant:
        def read(connection: apsw.Connection) -> Instant:
            with _one_moment(connection):
                head: int = connection.execute(SQL["head"], (bucket,)).get
                places = _checkpoints(connection, bucket)
                found = []
                for query in queries:
                    statements = self._of(query.table)
                    rows = connection.execute(*statements.select(query)).fetchall()
                    found.append([statements.row(row) for row in rows])
            return Instant(head, places, found)

        return self._read([query.table for query in queries], read)

    def snapshot_of_each(
        self, queries: Sequence[RowQuery], sessions: Sequence[tuple[int, str]]
    ) -> Instants:
        def read(connection: apsw.Connection) -> Instants:
            with _one_moment(connection):
                instants = {
                    bucket: Instant(
                        connection.execute(SQL["head"], (bucket,)).get,
                        _checkpoints(connection, bucket),
                        (),
                    )
                    for bucket in {bucket for bucket, _ in sessions}
                }
                # A statement for each is as quick as one for all: nothing is sent anywhere.
                views = []
                for session in sessions:
                    found = []
                    for query in queries:
                        statements = self._of(query.table)
                        call = statements.read(of_session(query, *session))
                        found.append(statements.views(connection.execute(*call).fetchall()))
                    views.append(found)
            return Instants(instants, views)

        return self._read([query.table for query in queries], read)

    def note_failure(self, failure: Failure) -> None:
        with self._log.transaction() as connection:
            stops.note_failure(connection, failure)

    def skip(self, skip: Skip) -> bool:
        with self._log.transaction() as connection:
            places = (skip.bucket, *skip.identity, skip.position - 1, skip.position)
            connection.execute(SQL["move_checkpoint"], places)
            if connection.changes() != 1:
                return False
            stops.add_skip(connection, skip)
        return True

    def overview(self) -> Overview:
        with self._log.reader() as connection, _one_moment(connection):
            return stops.overview(connection)

    def side_by_side(self, plans: Sequence[Plan[None]], stop: Callable[[], None]) -> None:
        in_turn(plans)

    def _read(self, tables: Sequence[Table], read: Callable[[apsw.Connection], T]) -> T:
        """Read tables; raise VersionDropped if one of them is not there any more."""
        with self._log.reader() as connection:
            attempt = 1
            while True:
                try:
                    return read(connection)
                except apsw.SQLError as error:
                    # It has no code of its own, but whether the table is there can be asked.
                    for table in tables:
                        if not _layout(connection, table):
                            raise VersionDropped(*table.identity) from error
                    # Somebody may have made it anew meanwhile.
                    if attempt == _ATTEMPTS_MAX:
                        raise
                    attempt += 1

    def _row(self, bucket: int, row: Place) -> Row | None:
        table, key = row
        return self.load(bucket, [(table, [key])])[0].get(key)

    def _ready(self, connection: apsw.Connection, tables: Sequence[Table]) -> bool:
        columns: list[Any] = connection.execute(SQL["checkpoint_columns"]).fetchall()
        if not columns:
            return False
        names = frozenset(name for (name,) in columns)
        if names != _CHECKPOINT_COLUMNS:
            raise TableMismatch(_CHECKPOINTS, _CHECKPOINT_COLUMNS, names)
        if not stops.are_there(connection):
            return False
        check_kinds(tables, _kinds(connection))
        for table in tables:
            counted: int = connection.execute(SQL["count_checkpoints"], table.identity).get
            found = _layout(connection, table)
            if counted != self._log.info.buckets or not found:
                return False
            if _has_old_trigger(connection, table):
                return False
            _check_layout(table, found)
        return True

    def _of(self, table: Table) -> TableStatements:
        found = self._statements.get(table.name)
        if found is None or found.table is not table:
            found = self._statements[table.name] = TableStatements(table)
        return found


def _checkpoints(connection: apsw.Connection, bucket: int) -> Mapping[Identity, Checkpoint]:
    return checkpoints_of(connection.execute(SQL["checkpoints"], (bucket,)).fetchall())


@contextmanager
def _one_moment(connection: apsw.Connection) -> Iterator[None]:
    """Let several statements read the same snapshot, which begins with the first of them."""
    connection.execute("BEGIN DEFERRED")
    try:
        yield
    finally:
        # Some errors (no memory, I/O) have ended it already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _layout(connection: apsw.Connection, table: Table) -> frozenset[str]:
    """Return what a table looks like; nothing if there is none."""
    rows: list[Any] = connection.execute(SQL["layout"], (table.name,)).fetchall()
    if not rows:
        return frozenset()
    columns = {definition(name, type_, bool(null)) for name, type_, null, _ in rows if type_}
    return frozenset([*columns, key_line(name for name, type_, _, _ in rows if not type_)])


def _check_layout(table: Table, found: frozenset[str]) -> None:
    expected = layout(table)
    if found != expected:
        raise TableMismatch(table.name, expected, found)


def _has_old_trigger(connection: apsw.Connection, table: Table) -> bool:
    if table.words is None:
        return False
    found: int = connection.execute(SQL["has_trigger"], (old_trigger(table.name),)).get
    return found > 0


def _kinds(connection: apsw.Connection) -> list[Any]:
    return connection.execute(SQL["kinds"]).fetchall()
