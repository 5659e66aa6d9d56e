"""Group commit for the tasks of one event loop; see group_commit."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from .backends.base import AsyncBackend
from .errors import AppendTimeout, OtherEventLoop
from .group_commit import BLOCKED_LANES_MAX, BLOCKED_POLL_S, LOCKED
from .plans import arun
from .processes import refuse_in_children
from .records import Numbered, Outcome, Unit
from .rounds import numbers_or_raise, store_round, take_round

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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._begin()
        refuse_in_children(self)

    def _begin(self) -> None:
        self._lanes = [AsyncLane(self._store) for _ in range(self._backend.lanes)]
        self._blocked: dict[int, AsyncLane] = {}
        self._blocked_slots = asyncio.Semaphore(BLOCKED_LANES_MAX)

    async def append(self, unit: Unit) -> Sequence[Numbered]:
        """Store a unit and return its numbers; raise if nothing of it was stored."""
        self._check_loop()
        deadline = time.monotonic() + self._backend.lock_timeout_s
        outcome = await self._lanes[unit.first_bucket % len(self._lanes)].submit(unit)
        if isinstance(outcome, LOCKED):
            outcome = await self._append_blocked(unit, outcome.bucket, deadline)
        return numbers_or_raise(outcome)

    def _check_loop(self) -> None:
        """Raise OtherEventLoop where another loop's task could be the one that stores the unit.

        What that one sets, in its own thread, wakes nobody here: such appends waited for ever.
        """
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        if self._loop is not None:
            if not self._loop.is_closed():
                raise OtherEventLoop("This ledger is in use in another event loop.")
            self._begin()  # what that one has left amid a round is nobody's any more
        self._loop = loop

    async def _append_blocked(self, unit: Unit, bucket: int, deadline: float) -> Outcome:
        lane = AsyncLane(self._store_blocked)
        if len(unit.buckets) == 1:
            lane = self._blocked.setdefault(bucket, lane)
        while time.monotonic() < deadline:
            outcome = await lane.submit(unit)
            if not isinstance(outcome, LOCKED):
                return outcome
        if len(unit.buckets) > 1:
            # The answer to a try that does not wait names the bucket that is locked now.
            [outcome] = await self._store([unit])
            if not isinstance(outcome, LOCKED):
                return outcome
            bucket = outcome.bucket
        return AppendTimeout(bucket, self._backend.lock_timeout_s)

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
        try:
            async with asyncio.timeout(BLOCKED_POLL_S):
                await self._blocked_slots.acquire()
        except TimeoutError:
            return await self._store(units)
        try:
            return await self._store(units, wait=True)
        finally:
            self._blocked_slots.release()
