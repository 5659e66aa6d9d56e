"""Sends hints to other processes from a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from .goodbyes import GOODBYE_S, cancel_from_anywhere, hang_up
from .hints import BACKOFF_MIN_S, FAILURES, HINT_INTERVAL_S, next_backoff, payload_of
from .statements import Statements


class AsyncNotifier:
    """Collects bucket numbers and notifies; failures are silent and tried again, for hints may be late."""

    def __init__(
        self, connect: Callable[[], Awaitable[AsyncConnection[TupleRow]]], statements: Statements
    ) -> None:
        self._connect = connect
        self._statements = statements
        self._pending: set[int] = set()
        self._awake = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._connection: AsyncConnection[TupleRow] | None = None
        #: the server's process that sends, for a listener who wants to ignore it
        self.pid: int | None = None

    def hint(self, buckets: Iterable[int]) -> None:
        """Have others told soon; returns at once."""
        self._pending.update(buckets)
        if self._task is None and not self._closing.is_set():
            self._task = asyncio.create_task(self._run(), name="ledger-notifier")
        self._awake.set()

    def cancel(self) -> None:
        """Have the task end soon, from any thread and without waiting."""
        if self._task is not None:
            cancel_from_anywhere(self._task)

    async def close(self) -> None:
        """Send what is left, then end."""
        self._closing.set()
        self._awake.set()
        if self._task is None:
            return
        await asyncio.wait([self._task], timeout=GOODBYE_S)
        if not self._task.done():
            if self._connection is not None:
                hang_up(self._connection.pgconn)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=GOODBYE_S)

    async def _run(self) -> None:
        try:
            backoff_s = BACKOFF_MIN_S
            while not self._closing.is_set():
                await self._awake.wait()
                self._awake.clear()
                if await self._send():
                    backoff_s = BACKOFF_MIN_S
                    await self._pause(HINT_INTERVAL_S)
                else:
                    await self._pause(backoff_s)
                    backoff_s = next_backoff(backoff_s)
            await self._send()
        finally:
            await self._disconnect()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):  # wait_for may lose a cancellation
                await self._closing.wait()
        except TimeoutError:
            return

    async def _send(self) -> bool:
        buckets, self._pending = self._pending, set()
        if not buckets:
            return True
        try:
            if self._connection is None:
                self._connection = await self._connect()
                self.pid = self._connection.info.backend_pid
                await self._connection.execute(self._statements.notifier_settings)
            await self._connection.execute(
                self._statements.notify,
                {"channel": self._statements.channel, "payload": payload_of(buckets)},
                prepare=True,
            )
        except FAILURES:
            await self._disconnect()
            self.hint(buckets)
            return False
        return True

    async def _disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.close()
        self._connection = self.pid = None
