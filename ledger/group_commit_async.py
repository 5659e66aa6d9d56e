"""Group commit for the tasks of one event loop; see group_commit."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from .backends.base import AsyncBackend
from .group_commit import BLOCKED_LANES_MAX, numbers_or_raise, store_round, take_round
from .plans import arun
from .records import Busy, Numbered, Outcome, Unit

Store = Callable[[Sequence[Unit]], Awaitable[Sequence[Outcome]]]


class _Ticket:
    __slots__ = ("outcome", "unit")

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    @property
    def abandoned(self) -> bool:
        return self.outcome.cancelled()


class AsyncLane:
    """One queue of units, stored round by round by a task that lives while there are any.

    The rounds run in a task of their own: cancelling a caller must not cancel the transaction
    that its neighbours share.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[_Ticket] = deque()
        self._leader: asyncio.Task[None] | None = None

    async def submit(self, unit: Unit) -> Outcome:
        """Queue a unit and return its outcome; a cancelled caller's unit may still be stored."""
        ticket = _Ticket(unit)
        self._waiting.append(ticket)
        if self._leader is None or self._leader.done():
            self._leader = asyncio.create_task(self._lead())
        return await ticket.outcome

    async def _lead(self) -> None:
        while self._waiting:
            tickets = take_round(self._waiting)
            if not tickets:
                continue
            try:
                outcomes = await self._store([ticket.unit for ticket in tickets])
            except BaseException as error:
                for ticket in tickets + list(self._waiting):
                    if not ticket.outcome.done():
                        ticket.outcome.set_exception(error)
                self._waiting.clear()
                raise
            for ticket, outcome in zip(tickets, outcomes, strict=True):
                if not ticket.outcome.done():
                    ticket.outcome.set_result(outcome)


class AsyncGroupCommit:
    """The lanes of one ledger, for the tasks of one event loop."""

    def __init__(self, backend: AsyncBackend, retry_timeout_s: float) -> None:
        self._backend = backend
        self._retry_timeout_s = retry_timeout_s
        self._lanes = [AsyncLane(self._store) for _ in range(backend.lanes)]
        self._blocked: dict[int, AsyncLane] = {}
        self._blocked_slots = asyncio.Semaphore(BLOCKED_LANES_MAX)

    async def append(self, unit: Unit) -> Sequence[Numbered]:
        """Store a unit and return its numbers; raise if nothing of it was stored."""
        outcome = await self._lanes[min(unit.buckets) % len(self._lanes)].submit(unit)
        if isinstance(outcome, Busy):
            outcome = await self._append_blocked(unit, outcome.bucket)
        return numbers_or_raise(outcome)

    async def _append_blocked(self, unit: Unit, bucket: int) -> Outcome:
        if len(unit.buckets) > 1:
            return (await self._store_blocked([unit]))[0]
        lane = self._blocked.setdefault(bucket, AsyncLane(self._store_blocked))
        return await lane.submit(unit)

    async def _store(self, units: Sequence[Unit], wait: bool = False) -> Sequence[Outcome]:
        return await arun(
            store_round(
                self._backend.append,
                asyncio.sleep,
                units,
                wait=wait,
                retry_timeout_s=self._retry_timeout_s,
            )
        )

    async def _store_blocked(self, units: Sequence[Unit]) -> Sequence[Outcome]:
        async with self._blocked_slots:
            return await self._store(units, wait=True)
