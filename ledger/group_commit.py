"""Group commit: appends that wait at the same moment share one transaction and one fsync.

Every lane writes through one connection, for its own share of the buckets. Whoever finds the lane
free becomes its leader and stores what has queued up meanwhile, its own unit among it. Each unit
gets an outcome of its own.

A unit whose bucket is locked by somebody else's transaction moves to that bucket's own waiting
line, so that the rest of the lane does not wait with it. It is tried there again and again, until
the time is over that its caller has: each try waits for the lock, but no longer than a slice, and
only a few lines do so at once, for each needs a connection. The others look in between.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from .backends.base import Backend
from .errors import AppendTimeout
from .lanes import Lane
from .plans import run
from .processes import refuse_in_children
from .records import Busy, Numbered, Outcome, Unit
from .rounds import numbers_or_raise, store_round

BLOCKED_LANES_MAX = 4
BLOCKED_POLL_S = 0.05
#: What a lane answers when nothing was wrong with the unit but a lock.
LOCKED = (Busy, AppendTimeout)


class GroupCommit:
    """The lanes of one ledger, for threads."""

    def __init__(self, backend: Backend, retry_timeout_s: float) -> None:
        self._backend = backend
        self._retry_timeout_s = retry_timeout_s
        self._lanes = [Lane(self._store) for _ in range(backend.lanes)]
        self._blocked: dict[int, Lane] = {}
        self._blocked_slots = threading.BoundedSemaphore(BLOCKED_LANES_MAX)
        refuse_in_children(self)

    def append(self, unit: Unit) -> Sequence[Numbered]:
        """Store a unit and return its numbers; raise if nothing of it was stored."""
        deadline = time.monotonic() + self._backend.lock_timeout_s
        outcome = self._lanes[unit.first_bucket % len(self._lanes)].submit(unit)
        if isinstance(outcome, LOCKED):
            outcome = self._append_blocked(unit, outcome.bucket, deadline)
        return numbers_or_raise(outcome)

    def _append_blocked(self, unit: Unit, bucket: int, deadline: float) -> Outcome:
        lane = Lane(self._store_blocked)
        if len(unit.buckets) == 1:
            lane = self._blocked.setdefault(bucket, lane)
        while time.monotonic() < deadline:
            outcome = lane.submit(unit)
            if not isinstance(outcome, LOCKED):
                return outcome
        if len(unit.buckets) > 1:
            # The answer to a try that does not wait names the bucket that is locked now.
            [outcome] = self._store([unit])
            if not isinstance(outcome, LOCKED):
                return outcome
            bucket = outcome.bucket
        return AppendTimeout(bucket, self._backend.lock_timeout_s)

    def _store(self, units: Sequence[Unit], wait: bool = False) -> Sequence[Outcome]:
        return run(
            store_round(
                self._backend.append,
                time.sleep,
                units,
                wait=wait,
                retry_timeout_s=self._retry_timeout_s,
            )
        )

    def _store_blocked(self, units: Sequence[Unit]) -> Sequence[Outcome]:
        if not self._blocked_slots.acquire(timeout=BLOCKED_POLL_S):
            return self._store(units)
        try:
            return self._store(units, wait=True)
        finally:
            self._blocked_slots.release()
