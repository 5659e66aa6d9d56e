"""Where in a session a moment is: the last event that was stored by then."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ledger import IntegrityError, InvalidArgument
from ledger.arguments import microseconds
from ledger.backends.base import AsyncBackend, Backend, SessionQuery
from ledger.events import SESSION_DELETED
from ledger.limits import SEQUENCE_MAX
from ledger.plans import Plan
from ledger.records import Head, Record
from ledger.refusals import shown_time

from ..engine.tables import Key
from .arguments import moment as checked_time

#: A sequence, or a time by the store's clock: what had been stored by then, whenever it occurred.
Moment = int | datetime


class Past(msgspec.Struct, frozen=True):
    """The events of a session behind `start`, where it began or was deleted last, up to `at`.

    `head` is the session's end; behind `at` and up to it, the same incarnation goes on if `current`.
    """

    bucket: int
    tenant: str
    session_id: str
    start: int
    at: int
    head: int
    current: bool

    def query(self, after: int, upto: int, types: frozenset[str] | None) -> SessionQuery:
        """Return the query for some of the events, both those hidden since and those not."""
        return SessionQuery(
            bucket=self.bucket,
            tenant=self.tenant,
            session_id=self.session_id,
            limit=upto - after,
            after=after,
            before=upto + 1,
            types=None if types is None else tuple(sorted(types)),
            deleted=True,
        )


def check_moment(value: object, name: str) -> None:
    """Refuse what is neither a sequence nor a time."""
    if isinstance(value, datetime):
        checked_time(value, name)
    elif type(value) is not int or not 0 <= value <= SEQUENCE_MAX:
        raise InvalidArgument(
            name,
            f"expected a sequence from 0 or a datetime with a time zone, got {shown_time(value)}",
        )


def past(
    log: Backend | AsyncBackend,
    bucket: int,
    key: Key,
    moment: Moment,
    *,
    deleted: bool,
) -> Plan[Past | None]:
    """Return what had happened by a moment in the session that a key begins with; None for nothing.

    Nothing is also what was deleted since, unless `deleted`.
    """
    time_us = microseconds(moment, "as_of") if isinstance(moment, datetime) else None
    at = 0 if isinstance(moment, datetime) else moment
    tenant, session_id = key[:2]
    head: Head = yield log.head(bucket, tenant, session_id)
    whole = Past(bucket, tenant, session_id, head.deleted, head.sequence, head.sequence, True)
    if time_us is not None:
        known = msgspec.structs.replace(whole, start=0) if deleted else whole
        at = yield from _stored_by(log, known, time_us)
    elif at > head.sequence:
        raise InvalidArgument(
            "as_of", f"session {session_id!r} is at sequence {head.sequence}, {at} is yet to come"
        )
    start = head.deleted
    if at <= start:
        if not deleted:
            return None
        start = yield from _deletion(log, whole, at)
    if at == start:
        return None
    return msgspec.structs.replace(whole, start=start, at=at, current=start == head.deleted)


def _stored_by(log: Backend | AsyncBackend, known: Past, time_us: int) -> Plan[int]:
    """Return the last sequence that was stored by a time; they never go back in a session."""
    low, high = known.start, known.at
    middle = high
    while low < high:
        found: list[Record] = yield log.read(known.query(middle - 1, middle, None))
        if not found:
            raise IntegrityError(f"Event {middle} of session {known.session_id!r} is missing.")
        if found[0].recorded_us <= time_us:
            low = middle
        else:
            high = middle - 1
        middle = (low + high + 1) // 2
    return low


def _deletion(log: Backend | AsyncBackend, whole: Past, at: int) -> Plan[int]:
    """Return the sequence of the last deletion up to a place, 0 if there is none."""
    query: Any = whole.query(0, at, frozenset({SESSION_DELETED}))
    last = msgspec.structs.replace(query, limit=1, newest_first=True)
    found: list[Record] = yield log.read(last)
    return found[0].sequence if found else 0
