"""Any sync backend for tasks: calls run in threads, so the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from ..errors import LedgerClosed
from ..records import Head, Outcome, Record, Unit
from ..wakeups import Where
from .base import FeedQuery, Place, SessionQuery, WaitableBackend

READ_THREADS = 4
#: As many as there are connections that read, by default.
BESIDE_THREADS = 8
P = ParamSpec("P")
T = TypeVar("T")


class ThreadedBackend:
    """The AsyncBackend of a sync one: one thread per lane that appends, a few for all the rest.

    A task that is cancelled gives up waiting, nothing else: an append that runs is finished whole
    by its thread, one that still queues is dropped whole. With `inline`, calls run in the loop
    itself; that is for backends that never block.
    """

    def __init__(self, backend: WaitableBackend, *, inline: bool = False) -> None:
        self.backend = backend
        self.info = backend.info
        self.where = backend.where
        self.lanes = backend.lanes
        self.lock_timeout_s = backend.lock_timeout_s
        self._inline = inline
        self._appending = ThreadPoolExecutor(backend.lanes, "ledger-append")
        self._reading = ThreadPoolExecutor(READ_THREADS, "ledger-read")
        self._beside = ThreadPoolExecutor(BESIDE_THREADS, "ledger-beside")
        self._watched = False
        self._closed = False

    async def append(self, units: Sequence[Unit], *, wait: bool) -> list[Outcome]:
        return await self._run(self._appending, self.backend.append, units, wait=wait)

    async def append_within(self, unit: Unit, connection: Any) -> Outcome:
        # Never behind our own appends and views: they wait for the transaction that this one
        # belongs to.
        return await self._run(None, self.backend.append_within, unit, connection)

    async def read(self, query: SessionQuery) -> list[Record]:
        return await self._run(self._reading, self.backend.read, query)

    async def get(self, bucket: int, tenant: str, session_id: str, event_id: str) -> Record | None:
        call = self.backend.get
        return await self._run(self._reading, call, bucket, tenant, session_id, event_id)

    async def head(self, bucket: int, tenant: str, session_id: str) -> Head:
        return await self._run(self._reading, self.backend.head, bucket, tenant, session_id)

    async def heads(self, tenant: str, session_ids: Sequence[tuple[int, str]]) -> list[Head]:
        return await self._run(self._reading, self.backend.heads, tenant, session_ids)

    async def positions(self) -> list[int]:
        return await self._run(self._reading, self.backend.positions)

    async def feed(self, query: FeedQuery) -> list[Record]:
        return await self._run(self._reading, self.backend.feed, query)

    async def session_ids(
        self, tenant: str, bucket: int, after: str, limit: int, *, deleted: bool
    ) -> list[tuple[int, str]]:
        call = self.backend.session_ids
        return await self._run(self._reading, call, tenant, bucket, after, limit, deleted=deleted)

    async def scan(self, after: Place, limit: int) -> list[Record]:
        return await self._run(self._reading, self.backend.scan, after, limit)

    async def token(self, where: Where) -> int:
        if self._watched:
            return self.backend.token(where)
        # The first one opens what watches other processes, which is I/O; later ones read a number.
        token = await self._run(self._reading, self.backend.token, where)
        self._watched = True
        return token

    async def wait(self, where: Where, token: int, timeout_s: float) -> bool:
        return await self.backend.wait_async(where, token, timeout_s)

    async def run_beside(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call for tables beside the log; it may wait for whoever writes.

        Not among the event loop's own threads: there are few, and once they all waited for the
        caller's transaction, nothing could be appended to that any more, nor could it be ended.
        """
        return await self._run(self._beside, call, *args, **kwargs)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._inline:
            self._end()
            return
        try:
            ending = asyncio.get_running_loop().run_in_executor(None, self._end)
        except RuntimeError:
            # No thread is to be had, and nothing else would close it. One that comes later and finds
            # this in the queue closes it again, which does nothing.
            self._end()
        else:
            # Goes on if the wait is cancelled: while it queues behind others it would be dropped.
            await asyncio.shield(ending)

    def _end(self) -> None:
        self.backend.close()
        self._appending.shutdown(wait=False)
        self._reading.shutdown(wait=False)
        self._beside.shutdown(wait=False)

    async def _run(
        self, executor: Executor | None, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if self._closed:
            raise LedgerClosed("The ledger is closed.")
        if self._inline:
            return call(*args, **kwargs)
        refused = False

        def work() -> T:
            if refused:
                raise RuntimeError("its caller was told that it cannot run")
            return call(*args, **kwargs)

        try:
            running = asyncio.get_running_loop().run_in_executor(executor, work)
        except RuntimeError:
            # No thread is to be had. The executor has queued it all the same, for a later one.
            refused = True
            raise
        return await running
