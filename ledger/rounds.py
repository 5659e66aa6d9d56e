"""Rounds: which waiting units go into the next transaction, and how it is tried again."""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from .errors import (
    AppendTimeout,
    BackendUnavailable,
    LedgerError,
    RetryableError,
    TransactionAborted,
)
from .plans import Plan
from .records import Busy, Numbered, Outcome, Unit

ROUND_EVENTS_MAX = 1_000
ROUND_BYTES_MAX = 16_777_216
#: How long the units of a failed round are tried alone, unless twice the time it took is more.
ALONE_S_MAX = 10.0
#: So many of them that the server cancels one after the other mean that it cancels whatever comes.
CANCELLED_MAX = 3
_RETRY_FIRST_S = 0.02
_RETRY_LONGEST_S = 1.0
# No unit's fault: whoever is tried next would wait as long for the same.
_COMMON = (AppendTimeout, BackendUnavailable, TransactionAborted)


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
    if len(waiting) == 1:
        ticket = waiting.popleft()
        return [] if ticket.abandoned else [ticket]
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
    lock_timeout_s: float | None = None,
) -> Plan[Sequence[Outcome]]:
    """Store a round; after a lost connection or a deadlock try again, which fixed ids make safe.

    With `wait` a backend waits for locks no longer than a slice, and is asked again until
    `lock_timeout_s` have passed. None is for units of several callers, who ask again themselves.

    A failure that is no outage may be one unit's fault. Those of several callers are then tried
    alone, since a neighbour must not fail with it, and without waiting for a lock: the server also
    cancels what has waited too long, and each would wait again instead of hearing that it is taken.
    """
    started = tried = time.monotonic()
    deadline = started + retry_timeout_s
    pause_s = _RETRY_FIRST_S
    while True:
        try:
            outcomes: Sequence[Outcome] = yield append(units, wait=wait)
            return outcomes
        except (BackendUnavailable, TransactionAborted) as error:
            if time.monotonic() + pause_s > deadline:
                return [error] * len(units)
        except AppendTimeout as error:
            tried = time.monotonic()
            if tried >= started + (lock_timeout_s or 0.0):
                return [error] * len(units)
            continue
        except LedgerError as error:
            if lock_timeout_s is not None or (len(units) == 1 and not wait):
                return [error] * len(units)
            failure = error
            break
        yield sleep(pause_s)
        tried = time.monotonic()
        pause_s = min(2 * pause_s, _RETRY_LONGEST_S)
    store = partial(store_round, append, sleep, wait=False, retry_timeout_s=retry_timeout_s)
    return (yield from _store_alone(store, units, failure, time.monotonic() - tried))


def _store_alone(
    store: Callable[[Sequence[Unit]], Plan[Sequence[Outcome]]],
    units: Sequence[Unit],
    failure: LedgerError,
    failed_s: float,
) -> Plan[Sequence[Outcome]]:
    """Store one unit after the other, and let those fail that there is no time left for.

    On a server that stands still each would take as long to fail as their round did.
    """
    until = time.monotonic() + max(ALONE_S_MAX, 2 * failed_s)
    cancelled = 0
    outcomes: list[Outcome] = []
    for unit in units:
        outcome: Outcome = failure
        if cancelled < CANCELLED_MAX and time.monotonic() < until:
            [outcome] = yield from store([unit])
            cancelled = cancelled + 1 if isinstance(outcome, RetryableError) else 0
            if isinstance(outcome, _COMMON):
                failure, cancelled = outcome, CANCELLED_MAX
        outcomes.append(outcome)
    return outcomes


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
