"""Group commit: appends that wait at the same moment share one transaction and one fsync.

Every lane writes through one connection, for its own share of the buckets. Whoever finds the lane
free becomes its leader and stores what has queued up meanwhile, its own unit among it. Each unit
gets an outcome of its own.

A unit whose bucket is locked by somebody else's transaction is answered Busy and moves to that
bucket's own waiting line, so that the rest of the lane does not wait with it.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from .backends.base import Backend
from .errors import AppendTimeout, BackendUnavailable, LedgerError, RetryableError
from .plans import Plan, run
from .records import Busy, Numbered, Outcome, Unit

ROUND_EVENTS_MAX = 1_000
ROUND_BYTES_MAX = 16_777_216
BLOCKED_LANES_MAX = 4
_RETRY_FIRST_S = 0.02
_RETRY_LONGEST_S = 1.0


class _Waiting(Protocol):
    unit: Unit

    @property
    def abandoned(self) -> bool: ...


W = TypeVar("W", bound=_Waiting)


def take_round(waiting: deque[W]) -> list[W]:
    """Take the next round off the queue, in order, as far as the bounds allow.

    Two units with the same event id never share a round: a backend can then look all known ids up
    at once, before it stores the first unit.
    """
    taken: list[W] = []
    later: list[W] = []
    ids: set[tuple[str, str, str]] = set()
    events = size = 0
    while waiting and events < ROUND_EVENTS_MAX and size < ROUND_BYTES_MAX:
        ticket = waiting.popleft()
        if ticket.abandoned:
            continue
        own = {
            (part.tenant, part.session_id, draft.event_id)
            for part in ticket.unit.parts
            for draft in part.drafts
        }
        if ids.isdisjoint(own):
            ids |= own
            events += len(own)
            size += sum(len(draft.payload) for part in ticket.unit.parts for draft in part.drafts)
            taken.append(ticket)
        else:
            later.append(ticket)
    waiting.extendleft(reversed(later))
    return taken


def store_round(
    append: Callable[..., Any],
    sleep: Callable[[float], Any],
    units: Sequence[Unit],
    *,
    wait: bool,
    retry_timeout_s: float,
) -> Plan[Sequence[Outcome]]:
    """Store a round; after a lost connection try again, which fixed event ids make safe.

    A failure that is no outage may be one unit's fault, so the units are then tried alone: a
    neighbour must not fail with it.
    """
    deadline = time.monotonic() + retry_timeout_s
    pause_s = _RETRY_FIRST_S
    while True:
        try:
            outcomes: Sequence[Outcome] = yield append(units, wait=wait)
            return outcomes
        except BackendUnavailable as error:
            if time.monotonic() + pause_s > deadline:
                return [error] * len(units)
        except RetryableError as error:
            return [error] * len(units)
        except LedgerError as error:
            if len(units) == 1:
                return [error]
            break
        yield sleep(pause_s)
        pause_s = min(2 * pause_s, _RETRY_LONGEST_S)
    alone: list[Outcome] = []
    for unit in units:
        alone += yield from store_round(
            append, sleep, [unit], wait=wait, retry_timeout_s=retry_timeout_s
        )
    return alone


def numbers_or_raise(outcome: Outcome) -> Sequence[Numbered]:
    """Return a stored unit's numbers or raise why it was not stored.

    A round's failure is shared by its callers, so each raises a copy: a raised exception collects
    the traceback of whoever raises it.
    """
    if isinstance(outcome, LedgerError):
        raise copy.copy(outcome) from outcome.__cause__
    if isinstance(outcome, Busy):
        raise AppendTimeout(outcome.bucket, 0)
    return outcome


class _Ticket:
    __slots__ = ("abandoned", "outcome", "unit")

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.outcome: Outcome | None = None
        self.abandoned = False


class Lane:
    """One queue of units, stored round by round by whichever thread finds it free."""

    def __init__(self, store: Callable[[Sequence[Unit]], Sequence[Outcome]]) -> None:
        self._store = store
        self._waiting: deque[_Ticket] = deque()
        self._turn = threading.Lock()

    def submit(self, unit: Unit) -> Outcome:
        """Queue a unit and return its outcome, storing rounds as long as it has none."""
        ticket = _Ticket(unit)
        try:
            self._waiting.append(ticket)
            while ticket.outcome is None:
                with self._turn:
                    if ticket.outcome is None:
                        self._serve(ticket)
        except BaseException:
            # Whoever was interrupted is gone: the unit must not be stored with a later round.
            ticket.abandoned = True
            raise
        return ticket.outcome

    def _serve(self, own: _Ticket) -> None:
        # A leader that was interrupted, at whatever line, has lost its followers' tickets: they
        # come here one after the other and see to their own.
        if own not in self._waiting:
            self._waiting.append(own)
        tickets = take_round(self._waiting)
        outcomes = self._store([ticket.unit for ticket in tickets])
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            ticket.outcome = outcome


class GroupCommit:
    """The lanes of one ledger, for threads."""

    def __init__(self, backend: Backend, retry_timeout_s: float) -> None:
        self._backend = backend
        self._retry_timeout_s = retry_timeout_s
        self._lanes = [Lane(self._store) for _ in range(backend.lanes)]
        self._blocked: dict[int, Lane] = {}
        self._blocked_slots = threading.BoundedSemaphore(BLOCKED_LANES_MAX)

    def append(self, unit: Unit) -> Sequence[Numbered]:
        """Store a unit and return its numbers; raise if nothing of it was stored."""
        outcome = self._lanes[min(unit.buckets) % len(self._lanes)].submit(unit)
        if isinstance(outcome, Busy):
            outcome = self._append_blocked(unit, outcome.bucket)
        return numbers_or_raise(outcome)

    def _append_blocked(self, unit: Unit, bucket: int) -> Outcome:
        if len(unit.buckets) > 1:
            return self._store_blocked([unit])[0]
        return self._blocked.setdefault(bucket, Lane(self._store_blocked)).submit(unit)

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
        with self._blocked_slots:
            return self._store(units, wait=True)
