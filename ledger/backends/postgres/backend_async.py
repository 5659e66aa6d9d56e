"""The PostgreSQL backend for tasks; docstrings as in backend.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import Connection, Cursor
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow, tuple_row
from psycopg_pool import ConnectionPool, PoolClosed

from ... import plans
from ...errors import AppendTimeout, BackendUnavailable, InvalidArgument, LedgerClosed
from ...records import Head, Outcome, Record, Unit
from ...wakeups import Wakeups
from ..base import FeedQuery, LedgerInfo, OpenOptions, Place, SessionQuery
from . import appending, migrations, reading
from .arrays import register_arrays
from .connecting import Target, lock_timeout
from .errors import LOCK_NOT_AVAILABLE, is_broken, translated, translated_within, translating
from .hints import POLL_S
from .notifier import Notifier
from .statements import Statements
from .watcher import Watcher

_READ_ATTEMPTS_MAX = 3
T = TypeVar("T")
Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]


async def open_postgres_async(url: str, options: OpenOptions) -> AsyncPostgresBackend:
    """Connect, create or upgrade the tables where necessary, and return the backend."""
    migrations.check_options(options)
    target = Target(url, options)
    try:
        connection = Connection.connect(**target.parameters)
    except psycopg.OperationalError as error:
        raise target.unreachable(error) from error
    with translating(), connection:

        def execute(statement: bytes, parameters: dict[str, Any] | None) -> list[TupleRow]:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

        info = plans.run(migrations.opened(execute, options))
    return PostgresBackend(target, options, info)


class AsyncPostgresBackend:
    """Tables in one schema; every method is one statement on a connection of the pool."""

    def __init__(self, target: Target, options: OpenOptions, info: LedgerInfo) -> None:
        self.info = info
        self._target = target
        self.lanes = options.lanes
        self.schema = options.schema
        self._options = options
        self._lock_timeout = lock_timeout(options)
        self._statements = Statements(options.schema, info.ledger_id)
        self._wakeups = Wakeups(info.buckets)
        self._closed = False
        self._notifier = Notifier(target.connect, self._statements)
        self._watcher: Watcher | None = None
        self._watcher_lock = threading.Lock()
        self._pool = self._new_pool(target, 1, options.pool_size + options.lanes, self._configure)
        self._guests = self._new_pool(target, 0, options.pool_size, self._configure_guest)

    async def append(self, units: Sequence[Unit], *, wait: bool) -> list[Outcome]:
        parameters = appending.Parameters(units)
        try:
            with self._pool.connection() as connection:
                [row] = connection.execute(
                    self._statements.append, (wait, *parameters.arrays), prepare=True, binary=True
                ).fetchall()
        except psycopg.Error as error:
            if error.sqlstate == LOCK_NOT_AVAILABLE:
                raise self._append_timeout(parameters) from error
            raise self._failed(error) from error
        self._wakeups.signal(parameters.buckets)
        self._notifier.hint(parameters.buckets)
        return appending.outcomes(units, row)

    async def append_within(self, unit: Unit, connection: Any) -> Outcome:
        self._check_open()
        _check_transaction(connection)
        parameters = appending.Parameters([unit])
        # A cursor class of our own choice: the connection's may bind on the client.
        cursor = AsyncCursor[TupleRow](connection, row_factory=tuple_row)
        register_arrays(cursor)
        try:
            [row] = cursor.execute(
                self._statements.append_within,
                (self.info.ledger_id, self._lock_timeout, *parameters.arrays),
                binary=True,
            ).fetchall()
        except psycopg.Error as error:
            raise translated_within(error, self._append_timeout(parameters)) from error
        finally:
            cursor.close()
        if row[0] is None:
            raise InvalidArgument("connection", "it leads to another ledger")
        return appending.outcomes([unit], row)[0]

    async def read(self, query: SessionQuery) -> list[Record]:
        return self._records(*reading.read(self._statements, query))

    async def get(self, bucket: int, tenant: str, session_id: str, event_id: str) -> Record | None:
        parameters = {**reading.session(bucket, tenant, session_id), "event_id": event_id}
        found = self._records(self._statements.get, parameters)
        return found[0] if found else None

    async def head(self, bucket: int, tenant: str, session_id: str) -> Head:
        rows = self._rows(self._statements.head, reading.session(bucket, tenant, session_id))
        return Head(*rows[0]) if rows else Head()

    async def positions(self) -> list[int]:
        [[positions]] = self._rows(self._statements.positions, {})
        return list(positions)

    async def feed(self, query: FeedQuery) -> list[Record]:
        return self._records(self._statements.feed, reading.feed(query))

    async def session_ids(
        self, tenant: str, bucket: int, after: str, limit: int, *, deleted: bool
    ) -> list[tuple[int, str]]:
        parameters = reading.session_ids(tenant, bucket, after, limit, deleted)
        rows = self._rows(self._statements.session_ids, parameters)
        return [(found, session_id) for found, session_id in rows]

    async def scan(self, after: Place, limit: int) -> list[Record]:
        return self._records(self._statements.scan, reading.scan(after, limit))

    async def token(self, bucket: int | None) -> int:
        self._check_open()
        if self._watcher is None:
            self._watch()
        return self._wakeups.token(bucket)

    async def wait(self, bucket: int | None, token: int, timeout_s: float) -> bool:
        self._check_open()
        if timeout_s <= POLL_S:
            return self._wakeups.wait(bucket, token, timeout_s)
        # Without a hint the log may have grown all the same, if the hint was lost.
        self._wakeups.wait(bucket, token, POLL_S)
        return True

    async def close(self) -> None:
        with self._watcher_lock:
            if self._closed:
                return
            self._closed = True
        self._wakeups.signal()
        self._notifier.close()
        if self._watcher is not None:
            self._watcher.close()
        self._pool.close()
        self._guests.close()

    @contextmanager
    def connection(self) -> Iterator[AsyncConnection[TupleRow]]:
        """Lend an autocommit connection to the ledger's database, for tables beside the ledger's."""
        self._check_open()
        with self._guests.connection() as connection:
            yield connection

    async def _watch(self) -> None:
        with self._watcher_lock:
            if self._watcher is None and not self._closed:
                watcher = Watcher(
                    self._target.connect,
                    self._statements,
                    self._wakeups,
                    self.info.buckets,
                    self._notifier,
                )
                watcher.start()
                self._watcher = watcher

    async def _records(self, statement: bytes, parameters: dict[str, Any]) -> list[Record]:
        return [Record(*row) for row in self._rows(statement, parameters)]

    async def _rows(self, statement: bytes, parameters: dict[str, Any]) -> list[TupleRow]:
        attempt = 1
        while True:
            try:
                with self._pool.connection() as connection:
                    return connection.execute(
                        statement, parameters, prepare=True, binary=True
                    ).fetchall()
            except psycopg.Error as error:
                failure = self._failed(error)
                attempt += 1
                if attempt > _READ_ATTEMPTS_MAX or not isinstance(failure, BackendUnavailable):
                    raise failure from error

    async def _failed(self, error: psycopg.Error) -> Exception:
        """Translate; after a broken connection, replace those that broke with it."""
        if self._closed or isinstance(error, PoolClosed):
            return LedgerClosed("The ledger is closed.")
        if is_broken(error):
            self._pool.check()
        return translated(error)

    def _append_timeout(self, parameters: appending.Parameters) -> AppendTimeout:
        return AppendTimeout(parameters.buckets[0], self._options.lock_timeout_s)

    def _new_pool(
        self, target: Target, least: int, most: int, configure: Callable[[Any], None]
    ) -> Pool:
        return ConnectionPool(
            kwargs={**target.parameters, "autocommit": True},
            min_size=least,
            max_size=most,
            timeout=self._options.connect_timeout_s,
            configure=configure,
            open=True,
        )

    async def _configure(self, connection: AsyncConnection[TupleRow]) -> None:
        register_arrays(connection)
        connection.execute(self._statements.settings, {"lock_timeout": self._lock_timeout})

    async def _configure_guest(self, connection: AsyncConnection[TupleRow]) -> None:
        connection.execute(self._statements.guest_settings, {"lock_timeout": self._lock_timeout})

    def _check_open(self) -> None:
        if self._closed:
            raise LedgerClosed("The ledger is closed.")


def _check_transaction(connection: Any) -> None:
    if not isinstance(connection, Connection):
        raise InvalidArgument("connection", "expected a psycopg.Connection")
    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        raise InvalidArgument("connection", "it is in autocommit mode, outside a transaction block")
