"""The events of a session as an orchestrator asks for them."""

from __future__ import annotations

import time
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
    """Return the events that fit, the oldest first; if none do, wait for one until time is up.

    An event that fits the types of the ledger may still be of another type of the orchestrator, so
    what a page lacks is read from the next one.
    """
    place, before, limit = (
        natural(filters.after, "after"),
        filters.before,
        list_limit(filters.limit),
    )
    wait_ms = natural(filters.wait_timeout_ms, "wait_timeout_ms")
    if wait_ms > _WAIT_MS_MAX:
        raise InvalidArgument("wait_timeout_ms", f"expected {_WAIT_MS_MAX} or less, got {wait_ms}")
    deadline = time.monotonic() + wait_ms / 1_000
    since_us = microseconds(filters.since, "since")
    types = types_read(filters.type)
    found: list[EventRecord] = []
    first: int | None = None
    if before is not None and natural(before, "before") <= place + 1:
        return found  # nothing can ever be between them, so there is nothing to wait for
    if since_us is not None and since_us >= _LAST_US:
        return found
    since = None if since_us is None else from_microseconds(max(0, since_us + 1))
    if before is not None and filters.wait_timeout_ms:
        head: int = yield ledger.head(session_id, tenant=tenant)
        deadline = deadline if head < before - 1 else 0.0  # else nothing new can come before it
    while limit is None or len(found) < limit:
        missing = None if limit is None else limit - len(found)
        page: list[Event] = yield ledger.read(
            session_id,
            tenant=tenant,
            after=place,
            before=before,
            run_id=filters.run_id,
            types=types,
            since=since,
            limit=missing,
            wait=0 if found else max(0.0, deadline - time.monotonic()),
        )
        if first is not None:
            # A page is of one life alone, and what was found may be of the one before.
            heads: dict[str, Head] = yield ledger.heads([session_id], tenant=tenant)
            if heads[session_id].incarnation >= first:
                found, place, first = [], filters.after, None
                continue
        if page:
            first = first or page[0].sequence
            hidden = yield from _redactions(ledger, page[0])
            found += _wanted(page, hidden, filters.type)
            place = page[-1].sequence
        exhausted = missing is None or len(page) < missing
        if exhausted and (found or time.monotonic() >= deadline):
            break
    return found


def shown_events(ledger: Ledger | AsyncLedger, tenant: str, session_id: str) -> Plan[list[Shown]]:
    """Return all events of a session, the oldest first, each as it is stored and as it is shown."""
    events: list[Event] = yield ledger.read(session_id, tenant=tenant, types=types_read(None))
    hidden = (yield from _redactions(ledger, events[0])) if events else Redactions()
    return _shown(events, hidden)


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
        shown = _shown(page, Redactions(reversed(redactions)))
        if shown or len(page) < limit:
            return shown[0][0].sequence if shown else 0
        before, limit = page[-1].sequence, min(2 * limit, _PAGE_EVENTS_MAX)


def _wanted(page: list[Event], hidden: Redactions, type: str | None) -> list[EventRecord]:
    return [record for _, record in _shown(page, hidden) if type in (None, record.type)]


def _shown(events: list[Event], hidden: Redactions) -> list[Shown]:
    records = ((one, from_ledger(one)) for one in events if not hidden.hide(one))
    return [(event, record) for event, record in records if record is not None]


def _redactions(ledger: Ledger | AsyncLedger, first: Event) -> Plan[Redactions]:
    """Return what hides events from one on; a redaction comes later.

    Asked for alone they are found by their index, wherever they are behind that event.
    """
    found: list[Event] = yield ledger.read(
        first.session_id, tenant=first.tenant, types=[REDACTED], after=first.sequence, deleted=True
    )
    return Redactions(found)


def one_or_several(value: Any, name: str, allowed: tuple[str, ...]) -> frozenset[str] | None:
    """Return what may be given as one text or as several, None for no condition; [] is nothing."""
    if value is None:
        return None
    texts = [value] if isinstance(value, str) else value
    listed = isinstance(texts, list | tuple | set | frozenset)
    if not listed or not all(isinstance(one, str) and one in allowed for one in texts):
        raise invalid(f"{name}: expected some of {', '.join(allowed)}, got {shown(value)}")
    return frozenset(texts)
