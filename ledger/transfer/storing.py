"""Storing events that are verified: all of them in one transaction, or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, NoReturn

from ..backends.base import SessionQuery
from ..digests import bucket_of, genesis
from ..errors import CallError, IntegrityError, InvalidImport
from ..plans import Plan
from ..reading import Storage
from ..records import Head, Outcome, Part, Record, Unit
from ..rounds import numbers_or_raise, store_round
from .checks import Session, session_of
from .drafts import draft_of
from .format import Imported

RETRY_TIMEOUT_S = 30.0


def store(backend: Storage, sleep: Callable[[float], Any], events: Sequence[Imported]) -> Plan[int]:
    """Store events in their order and return how many there were not here before.

    Whoever appends to one of their sessions meanwhile keeps all of them out. If it was another
    import of the same events, the rest is stored then; else InvalidImport names the session.
    """
    while events:
        [outcome] = yield from store_round(
            backend.append,
            sleep,
            [_unit(events, backend.info.buckets)],
            wait=True,
            retry_timeout_s=RETRY_TIMEOUT_S,
            lock_timeout_s=backend.lock_timeout_s,
        )
        if not isinstance(outcome, CallError):
            _check_numbers(events, outcome)
            break
        left = yield from _not_here(backend, events)
        if len(left) == len(events):
            _refuse(events, outcome)
        events = left
    return len(events)


def check_same(
    backend: Storage, session: Session, events: Sequence[Imported], head: int
) -> Plan[None]:
    """Raise InvalidImport unless those of a session's events that are here are the same ones."""
    first, last = events[0].record.sequence, min(events[-1].record.sequence, head)
    if first > last:
        return
    records: list[Record] = yield backend.read(
        SessionQuery(
            bucket=bucket_of(*session, backend.info.buckets),
            tenant=session[0],
            session_id=session[1],
            limit=last - first + 1,
            after=first - 1,
            before=last + 1,
            deleted=True,
        )
    )
    hashes = {record.sequence: record.event_hash for record in records}
    for event in events:
        own = event.record.event_hash
        if hashes.get(event.record.sequence, own) != own:
            _refuse_other(event)


def sessions_of(events: Sequence[Imported]) -> dict[Session, list[Imported]]:
    """Return events by session, in their order."""
    sessions: dict[Session, list[Imported]] = {}
    for event in events:
        sessions.setdefault(session_of(event.record), []).append(event)
    return sessions


def _unit(events: Sequence[Imported], buckets: int) -> Unit:
    """Return one unit with a part for each run of a session's events.

    A condition is one on the session's end before the unit. Each part has it, and not the first
    alone: of a part whose events are all here already, by another import, none is asked.
    """
    expected: dict[Session, int] = {}
    parts = []
    for session, run in groupby(events, lambda event: session_of(event.record)):
        first, *rest = run
        head = expected.setdefault(session, first.record.sequence - 1)
        parts.append(
            Part(
                bucket_of(*session, buckets),
                *session,
                head,
                first.prev_hash or genesis(*session),
                tuple(draft_of(event.record) for event in (first, *rest)),
            )
        )
    return Unit(tuple(parts))


def _not_here(backend: Storage, events: Sequence[Imported]) -> Plan[list[Imported]]:
    heads: dict[Session, int] = {}
    for session, own in sessions_of(events).items():
        bucket = bucket_of(*session, backend.info.buckets)
        head: Head = yield backend.head(bucket, *session)
        yield from check_same(backend, session, own, head.sequence)
        heads[session] = head.sequence
    return [event for event in events if event.record.sequence > heads[session_of(event.record)]]


def _check_numbers(events: Sequence[Imported], outcome: Outcome) -> None:
    """Raise unless the store made of the events what the file says they are."""
    for event, number in zip(events, numbers_or_raise(outcome), strict=True):
        record = event.record
        if number.event_hash == record.event_hash:
            continue
        if number.stored:
            raise IntegrityError(
                f"Event {number.sequence} of session {record.session_id!r} got another hash."
            )
        # Somebody appended all that these are of this session, by their ids and contents, a moment
        # ago. The store takes them for repeats, for which it asks no condition; the others are in.
        _refuse_other(event)


def _refuse(events: Sequence[Imported], refusal: CallError) -> NoReturn:
    """Raise InvalidImport for a unit that the store refuses for another reason than new events."""
    session = getattr(refusal, "tenant", None), getattr(refusal, "session_id", None)
    own = [event for event in events if session_of(event.record) == session]
    first = (own or events)[0]
    raise InvalidImport(
        first.number,
        f"session {first.record.session_id!r} refuses it: {refusal.problem.rstrip('.')}",
    ) from refusal


def _refuse_other(event: Imported) -> NoReturn:
    record = event.record
    raise InvalidImport(
        event.number, f"session {record.session_id!r} has another event {record.sequence} here"
    )
