"""The PostgreSQL backend for threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow, tuple_row

from ...errors import AppendTimeout, InvalidArgument
from ...records import Head, Outcome, Record, Unit, places_of
from ...wakeups import Wakeups, Where
from ..base import FeedQuery, LedgerInfo, OpenOptions, Place, SessionQuery
from . import appending, migrations, reading
from .arrays import register_arrays
from .connecting import Target, check_transaction, lock_timeout
from .database import Database, Rows
from .errors import translated_within
from .goodbyes import warn_of_unclosed
from .hints import POLL_S
from .notifier import Notifier
from .statements import Statements
from .transacting import transact
from .watcher import Watcher


def open_postgres(url: str, options: OpenOptions) -> PostgresBackend:
    """Connect, create or upgrade the tables where necessary, and return the backend."""
    migrations.check_options(options)
    target = Target(url, options)
    info = transact(target, lambda execute: migrations.opened(execute, options))
    return PostgresBackend(target, options, info)


class PostgresBackend:
    """Tables in one schema; every method is one statement on a connection of the pool."""

    def __init__(self, target: Target, options: OpenOptions, info: LedgerInfo) -> None:
        self.info = info
        self.where = f"{target.where}, schema {options.schema}"
        self.lanes = options.lanes
        self.pool_size = options.pool_size
        self.lock_timeout_s = options.lock_timeout_s
        self.schema = options.schema
        self._target = target
        self._options = options
        self._statements = Statements(options.schema, info.ledger_id, distributed=info.distributed)
        self._wakeups = Wakeups(info.buckets)
        self._notifier = Notifier(target.connect, self._statements)
        self._watcher: Watcher | None = None
        self._lock = threading.Lock()
        self._database = Database(target, options, self._statements)
        self._closed = False

    def __del__(self) -> None:
        # Also called when the constructor failed; and it must not wait for the threads it ends.
        if getattr(self, "_closed", True):
            return
        self._notifier.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        warn_of_unclosed(self.info.ledger_id, self)

    def append(self, units: Sequence[Unit], *, wait: bool) -> list[Outcome]:
        buckets = appending.touched(units)
        outcomes = self._append_single(units, wait, buckets)
        if outcomes is None and not wait:
            outcomes = self._append_few(units, buckets)
        if outcomes is None:
            parameters = (wait, *appending.several(units))
            [row] = self._database.append(self._statements.append_events, parameters, buckets)
            outcomes = appending.outcomes(units, row, waited=wait)
        self._wakeups.signal(places_of(part for unit in units for part in unit.parts))
        self._notifier.hint(buckets)
        return outcomes

    def append_within(self, unit: Unit, connection: Any) -> Outcome:
        self._database.check_open()
        check_transaction(connection, Connection)
        # A cursor class of our own choice: the connection's may bind on the client.
        cursor = Cursor[TupleRow](connection, row_factory=tuple_row)
        register_arrays(cursor)
        timeout = lock_timeout(self._options.lock_timeout_s)
        parameters = (self.info.ledger_id, timeout, *appending.several([unit]))
        try:
            [row] = cursor.execute(
                self._statements.append_within, parameters, binary=True
            ).fetchall()
        except psycopg.Error as error:
            waited = AppendTimeout(appending.touched([unit])[0], self._options.lock_timeout_s)
            raise translated_within(error, waited) from error
        finally:
            cursor.close()
        if row[0] is None:
            raise InvalidArgument("connection", "it leads to another ledger")
        return appending.outcomes([unit], row, waited=True)[0]

    def read(self, query: SessionQuery) -> list[Record]:
        return self._records(*reading.read(self._statements, query))

    def get(self, bucket: int, tenant: str, session_id: str, event_id: str) -> Record | None:
        parameters = {**reading.session(bucket, tenant, session_id), "event_id": event_id}
        found = self._records(self._statements.get, parameters)
        return found[0] if found else None

    def head(self, bucket: int, tenant: str, session_id: str) -> Head:
        parameters = reading.session(bucket, tenant, session_id)
        rows = self._database.read(self._statements.head, parameters)
        return Head(*rows[0]) if rows else Head()

    def heads(self, tenant: str, session_ids: Sequence[tuple[int, str]]) -> list[Head]:
        parameters = reading.sessions(tenant, session_ids)
        rows = self._database.read(self._statements.heads, parameters)
        return [Head(*row) for row in rows]

    def positions(self) -> list[int]:
        [[positions]] = self._database.read(self._statements.positions, {})
        return list(positions)

    def feed(self, query: FeedQuery) -> list[Record]:
        return self._records(self._statements.feed, reading.feed(query))

    def session_ids(
        self, tenant: str, bucket: int, after: str, limit: int, *, deleted: bool
    ) -> list[tuple[int, str]]:
        parameters = reading.session_ids(tenant, bucket, after, limit, deleted)
        rows = self._database.read(self._statements.session_ids, parameters)
        return [(found, session_id) for found, session_id in rows]

    def scan(self, after: Place, limit: int) -> list[Record]:
        return self._records(self._statements.scan, reading.scan(after, limit))

    def token(self, where: Where) -> int:
        self._database.check_open()
        if self._watcher is None:
            self._watch()
        return self._wakeups.token(where)

    def wait(self, where: Where, token: int, timeout_s: float) -> bool:
        self._database.check_open()
        if timeout_s <= POLL_S:
            return self._wakeups.wait(where, token, timeout_s)
        # Also without a hint the log may have grown: hints can be lost.
        self._wakeups.wait(where, token, POLL_S)
        return True

    def select(self, statement: bytes, parameters: Sequence[Any] | dict[str, Any]) -> Rows:
        """Read a few rows of a table beside the ledger's own, which an index must lead to.

        Where the log is read, every statement runs on its index, however small the tables were when
        it was prepared. Errors are the driver's.
        """
        return self._database.select(statement, parameters)

    def connection(self) -> AbstractContextManager[Connection[TupleRow]]:
        """Lend an autocommit connection to the ledger's database, for tables beside its own."""
        return self._database.lent()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            watcher, self._watcher = self._watcher, None
            self._database.close()
        self._wakeups.signal()
        self._notifier.close()
        if watcher is not None:
            watcher.close()

    def _append_single(
        self, units: Sequence[Unit], wait: bool, buckets: list[int]
    ) -> list[Outcome] | None:
        if wait and self.info.distributed:
            return None  # it would wait on another server, for as long as that one waits
        parameters = appending.single(units)
        if parameters is None:
            return None
        [(packed,)] = self._database.append(
            self._statements.append_event, (wait, *parameters), buckets
        )
        return None if packed is None else appending.single_outcome(units, packed)

    def _append_few(self, units: Sequence[Unit], buckets: list[int]) -> list[Outcome] | None:
        if self.info.distributed:
            return None  # Citus stores nothing by a part of a statement; its functions do without
        parameters = appending.few(units)
        if parameters is None:
            return None
        rows = self._database.append(self._statements.append_few, parameters, buckets)
        return appending.few_outcome(units, rows) if rows else None

    def _records(self, statement: bytes, parameters: dict[str, Any]) -> list[Record]:
        return [Record(*row) for row in self._database.read(statement, parameters)]

    def _watch(self) -> None:
        with self._lock:
            self._database.check_open()
            if self._watcher is None:
                watcher = Watcher(
                    self._target.connect,
                    self._statements,
                    self._wakeups,
                    self.info.buckets,
                    self._notifier,
                )
                watcher.start()
                self._watcher = watcher
