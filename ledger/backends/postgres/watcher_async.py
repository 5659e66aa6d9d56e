"""Listens for other processes' hints in a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from ...wakeups import Wakeups
from .goodbyes import GOODBYE_S, cancel_from_anywhere, hang_up
from .hints import BACKOFF_MIN_S, FAILURES, next_backoff, pass_on
from .notifier_async import AsyncNotifier
from .statements import Statements


class AsyncWatcher:
    """Passes hints on to Wakeups; after a break it connects again and wakes everybody."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[AsyncConnection[TupleRow]]],
        statements: Statements,
        wakeups: Wakeups,
        buckets: int,
        notifier: AsyncNotifier,
    ) -> None:
        self._connect = connect
        self._statements = statements
        self._wakeups = wakeups
        self._buckets = buckets
        self._notifier = notifier
        self._tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._connection: AsyncConnection[TupleRow] | None = None

    async def start(self) -> None:
        """Return when the server listens, or the first attempt failed: polling goes on then."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="ledger-watcher")
        await self._tried.wait()

    @property
    def has_tried(self) -> bool:
        """Whether `start` would return at once."""
        return self._tried.is_set()

    def cancel(self) -> None:
        """Have the task end soon, from any thread and without waiting."""
        if self._task is not None:
            cancel_from_anywhere(self._task)

    async def close(self) -> None:
        """End the task and its connection."""
        if self._task is None:
            return
        self._task.cancel()
        # psycopg asks the server to cancel what it waits for, which may itself wait for seconds.
        await asyncio.wait([self._task], timeout=GOODBYE_S)
        if not self._task.done() and self._connection is not None:
            hang_up(self._connection.pgconn)
            await asyncio.wait([self._task], timeout=GOODBYE_S)

    async def _run(self) -> None:
        try:
            await self._watch()
        finally:
            # Whoever waits in `start` would do so for ever.
            self._tried.set()
            self._connection = None

    async def _watch(self) -> None:
        backoff_s = BACKOFF_MIN_S
        while True:
            try:
                async with await self._connect() as connection:
                    self._connection = connection
                    await connection.execute(self._statements.listen)
                    # What was sent while nobody listened is lost: let everybody look.
                    self._wakeups.signal()
                    self._tried.set()
                    backoff_s = BACKOFF_MIN_S
                    await self._listen(connection)
            except FAILURES:
                self._tried.set()
                self._wakeups.signal()
                await asyncio.sleep(backoff_s)
                backoff_s = next_backoff(backoff_s)

    async def _listen(self, connection: AsyncConnection[TupleRow]) -> None:
        # Not connection.notifies(): that one wakes up ten times a second to look around.
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        descriptor = connection.pgconn.socket
        loop.add_reader(descriptor, readable.set)
        try:
            while True:
                # First look, then wait: libpq may have read hints along with something else.
                pass_on(connection.pgconn, self._wakeups, self._buckets, self._notifier.pid)
                await readable.wait()
                readable.clear()
        finally:
            loop.remove_reader(descriptor)
