"""Views in PostgreSQL, for threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import Connection, Cursor
from psycopg.errors import FeatureNotSupported, InvalidSqlStatementName, UndefinedTable
from psycopg.pq import TransactionStatus
from psycopg_pool import PoolClosed, PoolTimeout

from ledger import LedgerClosed
from ledger.backends.postgres import PostgresBackend
from ledger.backends.postgres.errors import is_broken, translated
from ledger.plans import Plan, run

from ...engine.folding import Change
from ...engine.stops import Failure, Skip
from ...engine.tables import Identity, Key, Row, Table
from ...errors import VersionDropped
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
from ..row_queries import RowQuery, key_query
from ..session_rows import SessionRows
from ..side_by_side import in_threads, in_turn
from ..totals import Totals, TotalsQuery
from .calls import BEGIN, Call, Results, Send
from .storing import Storing

#: More than a pool holds: after a restart of the server each of its connections fails once.
ATTEMPTS_MAX = 20
#: Behind these the driver is wrong about what its connection has prepared: a pipeline that broke
#: prepared nothing more. The second is said of a table that was made anew with other columns.
STALE = (InvalidSqlStatementName, FeatureNotSupported, UndefinedTable)
T = TypeVar("T")


class PostgresViews:
    """Tables in the ledger's schema, reached through the ledger's connections."""

    def __init__(self, log: PostgresBackend) -> None:
        self._log = log
        self._storing = Storing(log.schema, log.info, log.lock_timeout_s)
        # Of all catch-ups only the one that holds it: did each take several connections, callers
        # that are no more than the pool has would wait for each other.
        self._one_takes_several = threading.Lock()

    def prepare(self, tables: Sequence[Table]) -> None:
        self._run(lambda send: self._storing.prepare(send, tables))

    def checkpoints(self, bucket: int) -> Mapping[Identity, Checkpoint]:
        return self._run(lambda send: self._storing.checkpoints(send, bucket))

    def backlog(
        self, bucket: int, wanted: Sequence[Identity], limit: int, row: Place | None = None
    ) -> Backlog:
        return self._at_once(lambda send: self._storing.backlog(send, bucket, wanted, limit, row))

    def standings(self, names: Sequence[str]) -> list[Standing]:
        return self._run(lambda send: self._storing.standings(send, names))

    def mark_built(self, identity: Identity) -> None:
        self._run(lambda send: self._storing.mark_built(send, identity))

    def accept(self, table: Table) -> None:
        self._run(lambda send: self._storing.accept(send, table))

    def switch(self, identity: Identity) -> bool:
        return self._run(lambda send: self._storing.switch(send, identity))

    def drop(self, identity: Identity) -> bool:
        return self._run(lambda send: self._storing.drop(send, identity))

    def load(
        self, bucket: int, wanted: Sequence[tuple[Table, Sequence[Key]]]
    ) -> list[dict[Key, Row]]:
        return self._run(
            lambda send: self._storing.load(send, bucket, wanted), [table for table, _ in wanted]
        )

    def store(self, bucket: int, changes: Sequence[Change], *, durable: bool = True) -> bool:
        return self._run(lambda send: self._storing.store(send, bucket, changes, durable=durable))

    def store_and_load(self, bucket: int, changes: Sequence[Change], row: Place) -> Row | None:
        return self._run(
            lambda send: self._storing.store_and_load(send, bucket, changes, row), [row[0]]
        )

    def select(self, query: RowQuery) -> list[Row]:
        return self._run(lambda send: self._storing.select(send, query), [query.table])

    def read(self, query: RowQuery) -> list[Any]:
        return self._run(lambda send: self._storing.read(send, query), [query.table])

    def current(self, query: RowQuery) -> list[Any] | None:
        return self._at_once(lambda send: self._storing.current(send, query))

    def current_row(self, table: Table, bucket: int, key: Key) -> list[Any] | None:
        return self.current(key_query(table, bucket, key))

    def ahead(self, table: Table, bucket: int, key: Key, events_max: int) -> Ahead | None:
        return self._at_once(lambda send: self._storing.ahead(send, table, bucket, key, events_max))

    def behind(self, table: Table, bucket: int, place: RowPlace, events_max: int) -> Behind | None:
        return self._at_once(
            lambda send: self._storing.behind(send, table, bucket, place, events_max)
        )

    def count(self, query: RowQuery) -> int:
        return self._run(lambda send: self._storing.count(send, query), [query.table])

    def marks(self, wanted: MarksQuery) -> list[Mark]:
        return self._run(lambda send: self._storing.marks(send, wanted), wanted.tables)

    def totals(self, wanted: TotalsQuery) -> list[Totals]:
        return self._run(lambda send: self._storing.totals(send, wanted), [wanted.rows.table])

    def together(self, bucket: int, session: Key, wanted: SessionRows) -> list[list[Any]] | None:
        return self._at_once(lambda send: self._storing.together(send, bucket, session, wanted))

    def snapshot(self, bucket: int, queries: Sequence[RowQuery]) -> Instant:
        return self._run(
            lambda send: self._storing.snapshot(send, bucket, queries),
            [query.table for query in queries],
        )

    def snapshot_of_each(
        self, queries: Sequence[RowQuery], sessions: Sequence[tuple[int, str]]
    ) -> Instants:
        return self._run(
            lambda send: self._storing.snapshot_of_each(send, queries, sessions),
            [query.table for query in queries],
        )

    def note_failure(self, failure: Failure) -> None:
        self._run(lambda send: self._storing.note_failure(send, failure))

    def skip(self, skip: Skip) -> bool:
        return self._run(lambda send: self._storing.skip(send, skip))

    def overview(self) -> Overview:
        return self._run(lambda send: self._storing.overview(send))

    def side_by_side(self, plans: Sequence[Plan[None]], stop: Callable[[], None]) -> None:
        if not self._one_takes_several.acquire(blocking=False):
            in_turn(plans)
            return
        try:
            in_threads(plans[: self._log.pool_size], stop)
        finally:
            self._one_takes_several.release()

    def _at_once(self, plan: Callable[[Send], Plan[T]]) -> T:
        """Run a plan of one reading statement where the log is read: no connection is borrowed."""

        def send(calls: Iterable[Call]) -> Results:
            return [(self._log.select(call.statement, call.parameters), 0) for call in calls]

        try:
            return run(plan(send))
        except psycopg.Error as error:
            raise failure(error) from error

    def _run(self, plan: Callable[[Send], Plan[T]], tables: Sequence[Table] = ()) -> T:
        """Run a plan on a connection; `tables` are those that it reads."""
        attempt = 1
        while True:
            try:
                with self._log.connection() as connection:
                    try:
                        return run(plan(lambda calls: _send(connection, calls)))
                    except STALE:
                        _forget(connection)
                        raise
            except psycopg.Error as error:
                if isinstance(error, UndefinedTable) and tables:
                    for one in self._run(lambda send: self._storing.missing(send, tables)):
                        raise VersionDropped(*one.identity) from error
                if not may_repeat(error, attempt):
                    raise failure(error) from error
                attempt += 1


def may_repeat(error: psycopg.Error, attempt: int) -> bool:
    """Whether an operation is begun again after its connection broke.

    All of them can be: one that was stored unnoticed finds its checkpoint moved. So can one whose
    table was dropped and made anew under it.
    """
    given_up = isinstance(error, (PoolTimeout, PoolClosed))
    repeatable = is_broken(error) or isinstance(error, STALE)
    return repeatable and not given_up and attempt < ATTEMPTS_MAX


def failure(error: psycopg.Error) -> Exception:
    """Return the ledger's error for one of the driver's."""
    if isinstance(error, PoolClosed):
        return LedgerClosed("The ledger is closed.")
    return translated(error)


def _forget(connection: Connection[Any]) -> None:
    """Have driver and server forget what they have prepared, which a rollback does.

    To close the connection would do, too, but the pool warns of each that it has to replace.
    """
    if connection.pgconn.transaction_status == TransactionStatus.IDLE:
        _execute(connection, BEGIN)
    connection.rollback()


def _send(connection: Connection[Any], calls: Iterable[Call]) -> Results:
    if isinstance(calls, Sequence) and len(calls) == 1:
        cursors = [_execute(connection, calls[0])]
    else:
        with connection.pipeline():
            cursors = [_execute(connection, call) for call in calls]
    # `description` would tell the same, and describe every column.
    return [
        (cursor.fetchall() if cursor.rownumber is not None else [], cursor.rowcount)
        for cursor in cursors
    ]


def _execute(connection: Connection[Any], call: Call) -> Cursor[Any]:
    return connection.execute(call.statement, call.parameters, prepare=call.prepare, binary=True)
