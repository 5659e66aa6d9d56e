"""Rounds: which waiting units go into the next transaction, and how it is tried again."""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Callable, Sequence
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
    lock_timeout_s: float = 0.0,
) -> Plan[Sequence[Outcome]]:
    """Store a round; after a lost connection or a deadlock try again, which fixed ids make safe.

    With `wait` a backend waits for locks no longer than a slice, and is asked again until
    `lock_timeout_s` have passed.

    A failure that is no outage may be one unit's fault, so the units are then tried alone: a
    neighbour must not fail with it.
    """
    started = time.monotonic()
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
            if time.monotonic() >= started + lock_timeout_s:
                return [error] * len(units)
            continue
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
            append,
            sleep,
            [unit],
            wait=wait,
            retry_timeout_s=retry_timeout_s,
            lock_timeout_s=lock_timeout_s,
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
