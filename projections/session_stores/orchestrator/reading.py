"""The events of a session as an orchestrator asks for them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from ledger import AsyncLedger, Event, Head, InvalidArgument, Ledger
from ledger.arguments import list_limit, microseconds, natural
from ledger.limits import TIMEOUT_SECONDS_MAX
from ledger.moments import from_microseconds, to_microseconds
from ledger.plans import Plan
from ledger.refusals import shown

from .events import from_ledger, types_read
from .records import EventRecord, invalid
from .redactions import REDACTED, Redactions

#: An event as it is stored, and as it is shown.
Shown = tuple[Event, EventRecord]

_PAGE_EVENTS_MAX = 1_000
_WAIT_MS_MAX = int(TIMEOUT_SECONDS_MAX * 1_000)
_LAST_US = to_microseconds(datetime.max.replace(tzinfo=UTC))


class EventFilters(msgspec.Struct, frozen=True, kw_only=True):
    """What events are asked for: all of it must hold; `since`, `after` and `before` exclude."""

    run_id: str | None = None
    type: str | None = None
    since: datetime | None = None
    after: int = 0
    before: int | None = None
    limit: int | None = None
    wait_timeout_ms: int = 0


def session_events(
    ledger: Ledger | AsyncLedger, tenant: str, session_id: str, filters: EventFilters
) -> Plan[list[EventRecord]]:
    """Return the events that fit, the oldest first; if none do, wait for one until time is up."""
    deadline = time.monotonic() + _wait_ms(filters.wait_timeout_ms) / 1_000
    place, before = natural(filters.after, "after"), filters.before
    since_us = microseconds(filters.since, "since")
    query: dict[str, Any] = {
        "tenant": tenant,
        "before": before,
        "run_id": filters.run_id,
        "types": types_read(filters.type),
        "since": None if since_us is None else from_microseconds(_behind(since_us)),
    }
    if list_limit(filters.limit) == 0 or (since_us is not None and since_us >= _LAST_US):
        return []
    if before is not None and natural(before, "before") <= place + 1:
        return []  # nothing can ever be between them, so there is nothing to wait for
    while True:
        left_s = max(0.0, deadline - time.monotonic())
        head: int | None = None
        if before is not None and left_s:
            head = yield ledger.head(session_id, tenant=tenant)
            if head >= before - 1:
                left_s = 0.0  # nothing new can come before it
        wait_s = left_s if head is None else 0.0
        found, place = yield from _found(ledger, session_id, query, filters, place, wait_s)
        if found or not left_s or time.monotonic() >= deadline:
            return found
        if head is not None:
            # For whatever comes: none of it may fit, and yet be the last that could.
            yield ledger.read(
                session_id, tenant=tenant, after=head, deleted=True, limit=1, wait=left_s
            )


def _found(
    ledger: Ledger | AsyncLedger,
    session_id: str,
    query: dict[str, Any],
    filters: EventFilters,
    place: int,
    wait_s: float,
) -> Plan[tuple[list[EventRecord], int]]:
    """Return the events that fit behind a place, and up to where was looked.

    An event that fits the types of the ledger may still be of another type of the orchestrator, or
    hidden, so what a page lacks is read from the next ones, which grow: else each event that does
    not fit would cost a page of its own.
    """
    start, size, limit = place, filters.limit, filters.limit
    found: list[EventRecord] = []
    hidden, hidden_to = Redactions(), 0
    first: int | None = None
    while limit is None or len(found) < limit:
        page: list[Event] = yield ledger.read(
            session_id, **query, after=place, limit=size, wait=wait_s
        )
        wait_s = 0.0
        if first is not None:
            # A page is of one life alone, and what was found may be of the one before.
            heads: dict[str, Head] = yield ledger.heads([session_id], tenant=query["tenant"])
            if heads[session_id].incarnation >= first:
                found, place, first, size = [], start, None, limit
                continue
        if page:
            first = first or page[0].sequence
            # A redaction comes behind what it hides.
            hidden_to = hidden_to or first
            for one in (yield from _redactions(ledger, page[0], hidden_to)):
                hidden.add(one)
                hidden_to = one.sequence
            found += _wanted(page, hidden, filters.type)
            place = page[-1].sequence
        if limit is None or size is None or len(page) < size:
            break
        size = max(limit - len(found), min(2 * size, _PAGE_EVENTS_MAX))
    return found[:limit], place


def latest_sequence(ledger: Ledger | AsyncLedger, tenant: str, session_id: str) -> Plan[int]:
    """Return the number of the newest event that is shown, 0 if there is none."""
    redactions: list[Event] = []
    before, limit = None, 1  # mostly the last one is shown
    while True:
        # What hides an event comes behind it, so it has been read when the event is.
        page: list[Event] = yield ledger.read(
            session_id,
            tenant=tenant,
            types=(*types_read(None), REDACTED),
            before=before,
            newest_first=True,
            limit=limit,
        )
        redactions += [one for one in page if one.type == REDACTED]
        shown = as_shown(page, Redactions(reversed(redactions)))
        if shown or len(page) < limit:
            return shown[0][0].sequence if shown else 0
        before, limit = page[-1].sequence, min(2 * limit, _PAGE_EVENTS_MAX)


def as_shown(events: Sequence[Event], hidden: Redactions) -> list[Shown]:
    """Return the events that are not hidden, each as it is stored and as it is shown."""
    records = ((one, from_ledger(one)) for one in events if not hidden.hide(one))
    return [(event, record) for event, record in records if record is not None]


def _wanted(page: list[Event], hidden: Redactions, type: str | None) -> list[EventRecord]:
    return [record for _, record in as_shown(page, hidden) if type in (None, record.type)]


def _redactions(ledger: Ledger | AsyncLedger, of: Event, after: int) -> Plan[list[Event]]:
    """Return the redactions of an event's session behind a sequence.

    Asked for alone they are found by their index, wherever they are.
    """
    found: list[Event] = yield ledger.read(
        of.session_id, tenant=of.tenant, types=[REDACTED], after=after, deleted=True
    )
    return found


def _wait_ms(value: int) -> int:
    wait_ms = natural(value, "wait_timeout_ms")
    if wait_ms > _WAIT_MS_MAX:
        raise InvalidArgument("wait_timeout_ms", f"expected {_WAIT_MS_MAX} or less, got {wait_ms}")
    return wait_ms


def _behind(since_us: int) -> int:
    """Return the first microsecond behind one, of those that events have."""
    return min(max(0, since_us + 1), _LAST_US)


def one_or_several(value: Any, name: str, allowed: tuple[str, ...]) -> frozenset[str] | None:
    """Return what may be given as one text or as several, None for no condition; [] is nothing."""
    if value is None:
        return None
    texts = [value] if isinstance(value, str) else value
    listed = isinstance(texts, list | tuple | set | frozenset)
    if not listed or not all(isinstance(one, str) and one in allowed for one in texts):
        raise invalid(f"{name}: expected some of {', '.join(allowed)}, got {shown(value)}")
    return frozenset(texts)
