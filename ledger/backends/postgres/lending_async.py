"""Connections of a pool for tasks, which may be cancelled at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from .connecting import is_amid_pipeline

C = TypeVar("C", bound=AsyncConnection[Any])


class MortalPool(AsyncConnectionPool[C]):
    """A pool whose workers end when they are cancelled, whatever they are at.

    While it connects, psycopg's takes a cancellation for a failure to connect and goes on: a program
    that failed at that moment, before it closed its ledger, never ended, nor did it say why.
    """

    @classmethod
    async def worker(cls, q: Any) -> None:
        """Work off a queue until told to stop, or cancelled."""
        mortal: Any = _MortalQueue(q)  # of a queue's methods a worker calls this one
        await super().worker(mortal)


class _MortalQueue:
    """A pool's queue of work, at which a worker that was cancelled ends."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    async def get(self) -> Any:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
        return await self._queue.get()


class AsyncLending(Generic[C]):
    """Takes connections from a pool and gives each back, whatever becomes of the task.

    A task that is cancelled while the pool hands it a connection, or takes it back, left the pool
    without it for good: after a minute of requests with a deadline most were gone. So both are done
    to their end by tasks of their own.
    """

    def __init__(self, pool: AsyncConnectionPool[C]) -> None:
        self._pool = pool
        self._at_work: set[asyncio.Task[None]] = set()

    async def take(self) -> C:
        """Return a connection; raise PoolTimeout or PoolClosed."""
        taking = asyncio.create_task(self._pool.getconn())
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            _ = self._begun(self._given_back(taking))
            raise

    async def give_back(self, connection: C) -> None:
        """Return a connection to the pool."""
        await self.finish(self._pool.putconn(connection))

    async def finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for some work, which goes on if the wait is cancelled."""
        await asyncio.shield(self._begun(work))

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[C]:
        """Lend a connection for a block: it commits at its end, or rolls back if it fails."""
        connection = await self.take()
        try:
            async with connection:
                try:
                    yield connection
                finally:
                    if is_amid_pipeline(connection):
                        await connection.close()  # the pool makes another one
        finally:
            await self.give_back(connection)

    async def close(self) -> None:
        """Close the pool, and wait for what is still given back."""
        await self._pool.close()
        await asyncio.gather(*self._at_work, return_exceptions=True)

    async def _given_back(self, taking: asyncio.Task[C]) -> None:
        # Nobody is told that there was none: who asked for it is gone.
        with suppress(psycopg.Error):
            await self._pool.putconn(await taking)

    def _begun(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        # The event loop alone would not keep it.
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        return task
