"""The connections of the tasks' backend: pools, retries, translation of failures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import PoolTimeout

from ...errors import AppendTimeout, LedgerClosed, OtherEventLoop
from ..base import OpenOptions
from .arrays import register_arrays
from .connecting import READ_ATTEMPTS_MAX, Target, lock_timeout
from .errors import LOCK_NOT_AVAILABLE, is_spent, translated
from .lending_async import AsyncLending, MortalPool
from .silence import AsyncPatientConnection
from .statements import Statements

Rows = list[TupleRow]
# Turns of the event loop until the pool's scheduler, told of its first task, waits again: 3.
_SETTLING_TURNS = 6


class AsyncDatabase:
    """Runs the ledger's statements on pooled connections, and lends out others."""

    def __init__(self, target: Target, options: OpenOptions, statements: Statements) -> None:
        self._options = options
        self._statements = statements
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        # The pool hands out the connection that rested longest. Using the one that worked last is
        # faster: its plans are made and its server process is warm. So a few stay out of the pool;
        # fewer than it has, which means that whoever waits for the pool is served.
        self._parked: list[AsyncPatientConnection] = []
        self._replaced = 0.0
        self._pool: MortalPool[AsyncPatientConnection] = MortalPool(
            **target.pool(options),
            connection_class=AsyncPatientConnection,
            min_size=1,
            max_size=options.pool_size + options.lanes,
            configure=self._configure,
            open=False,
        )
        self._guests: MortalPool[AsyncConnection[TupleRow]] = MortalPool(
            **target.pool(options),
            min_size=0,
            max_size=options.pool_size,
            configure=self._configure_guest,
            open=False,
        )
        self._lending = AsyncLending(self._pool)
        self._lending_guests = AsyncLending(self._guests)

    async def open(self) -> None:
        """Start the pool: it belongs to the running event loop from now on."""
        self._loop = asyncio.get_running_loop()
        await self._pool.open()
        # A program that fails while the pool starts could not end: one of its tasks, cancelled at
        # that moment, would go on (asyncio.wait_for loses a cancellation when it is just done).
        try:
            await self._pool.wait(self._options.connect_timeout_s)
        except PoolTimeout as error:
            raise translated(error) from error
        for _ in range(_SETTLING_TURNS):
            await asyncio.sleep(0)

    async def read(self, statement: bytes, parameters: dict[str, Any]) -> Rows:
        """Run a reading statement; a broken connection is replaced and the read repeated."""
        try:
            return await self.select(statement, parameters)
        except psycopg.Error as error:
            raise translated(error) from error

    async def select(self, statement: bytes, parameters: Sequence[Any] | dict[str, Any]) -> Rows:
        """Do as `read`, and leave errors as the driver's."""
        attempt = 1
        while True:
            try:
                return await self._run(statement, parameters)
            except psycopg.Error as error:
                self.check_open()
                attempt += 1
                if attempt > READ_ATTEMPTS_MAX or not is_spent(error) or _gave_up(error):
                    raise

    async def append(
        self, statement: bytes, parameters: Sequence[Any] | dict[str, Any], buckets: list[int]
    ) -> Rows:
        """Run an append once: whoever knows the event ids decides about repeating it."""
        try:
            return await self._run(statement, parameters)
        except psycopg.Error as error:
            self.check_open()
            if error.sqlstate == LOCK_NOT_AVAILABLE:
                raise AppendTimeout(buckets[0], self._options.lock_timeout_s) from error
            raise translated(error) from error

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """Lend a connection with the settings any connection has; errors stay the driver's."""
        self.check_open()
        await self._guests.open()
        async with self._lending_guests.lent() as connection:
            yield connection

    def check_open(self) -> None:
        """Raise LedgerClosed after `close`, OtherEventLoop where the pools would wait for nothing."""
        if self._closed:
            raise LedgerClosed("The ledger is closed.")
        self.check_loop()

    def check_loop(self) -> None:
        """Raise OtherEventLoop where the pools would wait for nothing."""
        if asyncio.get_running_loop() is not self._loop:
            raise OtherEventLoop("The ledger's connections are another event loop's.")

    async def close(self) -> None:
        """Close every connection that is not in use, and the others when they are given back."""
        self._closed = True
        await self._unpark()
        await self._lending.close()
        await self._lending_guests.close()

    async def _run(self, statement: bytes, parameters: Sequence[Any] | dict[str, Any]) -> Rows:
        self.check_open()
        connection = self._parked.pop() if self._parked else await self._lending.take()
        try:
            cursor = await connection.execute(statement, parameters, prepare=True, binary=True)
            rows = await cursor.fetchall()
        except psycopg.Error as error:
            await self._lending.finish(self._given_back(connection, is_spent(error)))
            raise
        except BaseException:
            await self._lending.give_back(connection)
            raise
        if len(self._parked) < self._options.lanes and not self._closed:
            self._parked.append(connection)
        else:
            await self._lending.give_back(connection)
        return rows

    async def _given_back(self, connection: AsyncPatientConnection, spent: bool) -> None:
        if spent:
            await self._replace(connection)
        await self._pool.putconn(connection)

    async def _unpark(self) -> None:
        while self._parked:
            await self._lending.give_back(self._parked.pop())

    async def _replace(self, broken: AsyncPatientConnection) -> None:
        # Others of the pool broke with this one, and asking them would take as long as this one
        # took: replace them before they are handed out. Those made since are spared.
        if broken.opened > self._replaced:
            self._replaced = time.monotonic()
            await self._pool.drain()
            await self._unpark()

    async def _configure(self, connection: AsyncPatientConnection) -> None:
        connection.opened = time.monotonic()
        connection.patience_s = self._options.lock_timeout_s + self._options.connect_timeout_s
        register_arrays(connection)
        await connection.execute(
            self._statements.settings, {"lock_timeout": lock_timeout(self._options.lock_slice_s)}
        )

    async def _configure_guest(self, connection: AsyncConnection[TupleRow]) -> None:
        timeout = {"lock_timeout": lock_timeout(self._options.lock_timeout_s)}
        await connection.execute(self._statements.guest_settings, timeout)


def _gave_up(error: psycopg.Error) -> bool:
    """Whether the pool itself found no connection for as long as it may look for one."""
    return isinstance(error, PoolTimeout)
