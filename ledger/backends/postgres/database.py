"""The connections of the threads' backend: pools, retries, translation of failures."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from ...errors import AppendTimeout, LedgerClosed
from ..base import OpenOptions
from .arrays import register_arrays
from .connecting import READ_ATTEMPTS_MAX, Target, is_amid_pipeline, lock_timeout
from .errors import LOCK_NOT_AVAILABLE, is_spent, translated
from .silence import PatientConnection
from .statements import Statements

Rows = list[TupleRow]


class Database:
    """Runs the ledger's statements on pooled connections, and lends out others."""

    def __init__(self, target: Target, options: OpenOptions, statements: Statements) -> None:
        self._options = options
        self._statements = statements
        self._closed = False
        # The pool hands out the connection that rested longest. Using the one that worked last is
        # faster: its plans are made and its server process is warm. So a few stay out of the pool;
        # fewer than it has, which means that whoever waits for the pool is served.
        self._parked: list[PatientConnection] = []
        self._replaced = 0.0
        self._pool: ConnectionPool[PatientConnection] = ConnectionPool(
            **target.pool(options),
            connection_class=PatientConnection,
            min_size=1,
            max_size=options.pool_size + options.lanes,
            configure=self._configure,
            open=True,
        )
        self._guests: ConnectionPool[Connection[TupleRow]] = ConnectionPool(
            **target.pool(options),
            min_size=0,
            max_size=options.pool_size,
            configure=self._configure_guest,
            open=False,
        )

    def read(self, statement: bytes, parameters: dict[str, Any]) -> Rows:
        """Run a reading statement; a broken connection is replaced and the read repeated."""
        try:
            return self.select(statement, parameters)
        except psycopg.Error as error:
            raise translated(error) from error

    def select(self, statement: bytes, parameters: Sequence[Any] | dict[str, Any]) -> Rows:
        """Do as `read`, and leave errors as the driver's."""
        attempt = 1
        while True:
            try:
                return self._run(statement, parameters)
            except psycopg.Error as error:
                self.check_open()
                attempt += 1
                if attempt > READ_ATTEMPTS_MAX or not is_spent(error) or _gave_up(error):
                    raise

    def append(
        self, statement: bytes, parameters: Sequence[Any] | dict[str, Any], buckets: list[int]
    ) -> Rows:
        """Run an append once: whoever knows the event ids decides about repeating it."""
        try:
            return self._run(statement, parameters)
        except psycopg.Error as error:
            self.check_open()
            if error.sqlstate == LOCK_NOT_AVAILABLE:
                raise AppendTimeout(buckets[0], self._options.lock_timeout_s) from error
            raise translated(error) from error

    @contextmanager
    def lent(self) -> Iterator[Connection[TupleRow]]:
        """Lend a connection with the settings any connection has; errors stay the driver's."""
        self.check_open()
        self._guests.open()
        with self._guests.connection() as connection:
            try:
                yield connection
            finally:
                if is_amid_pipeline(connection):
                    connection.close()  # the pool makes another one

    def check_open(self) -> None:
        """Raise LedgerClosed after `close`."""
        if self._closed:
            raise LedgerClosed("The ledger is closed.")

    def close(self) -> None:
        """Close every connection that is not in use, and the others when they are given back."""
        self._closed = True
        self._unpark()
        self._pool.close()
        self._guests.close()

    def _run(self, statement: bytes, parameters: Sequence[Any] | dict[str, Any]) -> Rows:
        self.check_open()
        try:
            connection = self._parked.pop()
        except IndexError:
            connection = self._pool.getconn()
        try:
            cursor = connection.execute(statement, parameters, prepare=True, binary=True)
            rows = cursor.fetchall()
        except psycopg.Error as error:
            if is_spent(error):
                self._replace(connection)
            self._pool.putconn(connection)
            raise
        except BaseException:
            self._pool.putconn(connection)
            raise
        if len(self._parked) < self._options.lanes:
            self._parked.append(connection)
        else:
            self._pool.putconn(connection)
        if self._closed:
            self._unpark()
        return rows

    def _unpark(self) -> None:
        with suppress(IndexError):
            while True:
                self._pool.putconn(self._parked.pop())

    def _replace(self, broken: PatientConnection) -> None:
        # Others of the pool broke with this one, and asking them would take as long as this one
        # took: replace them before they are handed out. Those made since are spared.
        if broken.opened > self._replaced:
            self._replaced = time.monotonic()
            self._pool.drain()
            self._unpark()

    def _configure(self, connection: PatientConnection) -> None:
        connection.opened = time.monotonic()
        connection.patience_s = self._options.lock_timeout_s + self._options.connect_timeout_s
        register_arrays(connection)
        connection.execute(
            self._statements.settings, {"lock_timeout": lock_timeout(self._options.lock_slice_s)}
        )

    def _configure_guest(self, connection: Connection[TupleRow]) -> None:
        timeout = {"lock_timeout": lock_timeout(self._options.lock_timeout_s)}
        connection.execute(self._statements.guest_settings, timeout)


def _gave_up(error: psycopg.Error) -> bool:
    """Whether the pool itself found no connection for as long as it may look for one."""
    return isinstance(error, PoolTimeout)
