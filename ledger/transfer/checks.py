"""What the events of an import must fulfil together: chains, forks, ids, the store's answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ..codec import decode_json
from ..digests import genesis
from ..errors import CallError, IntegrityError, InvalidEvent, InvalidImport
from ..events import JSON_CONTENT_TYPE, SESSION_FORKED
from ..payloads import check_stored
from ..records import Outcome, Record
from ..rounds import numbers_or_raise
from ..verify import recompute
from .format import Imported

if TYPE_CHECKING:
    from ..catalogue import Catalogue

Session = tuple[str, str]


class Chain(msgspec.Struct, frozen=True):
    """How far a session is verified, and how far it goes in this ledger."""

    sequence: int
    event_hash: bytes
    recorded_us: int
    head: int


class Fork(msgspec.Struct, frozen=True):
    """A fork on its line: whose, from where, and the hash it claims to start from."""

    number: int
    tenant: str
    parent: str
    at: int
    prev_hash: bytes


def session_of(record: Record) -> Session:
    """Return the identity of an event's session."""
    return record.tenant, record.session_id


def check_next(event: Imported, chain: Chain) -> None:
    """Raise InvalidImport unless an event goes on where its session's chain ends."""
    record = event.record
    if record.sequence != chain.sequence + 1:
        raise InvalidImport(
            event.number,
            f"event {chain.sequence + 1} of session {record.session_id!r} was expected,"
            f" not {record.sequence}",
        )
    if record.recorded_us < chain.recorded_us:
        raise InvalidImport(event.number, "recorded before its predecessor")
    if record.type == SESSION_FORKED:
        fork_of(event)
    elif record.sequence == 1 and chain.event_hash != genesis(*session_of(record)):
        raise InvalidImport(event.number, "prev_hash is not where a session's chain starts")
    if recompute(record, chain.event_hash) != record.event_hash:
        raise InvalidImport(
            event.number,
            f"event_hash does not fit event {record.sequence} of session {record.session_id!r}",
        )


def fork_of(event: Imported) -> Fork | None:
    """Return what a `session.forked` says, None for other events."""
    record = event.record
    if record.type != SESSION_FORKED:
        return None
    fork = decode_json(record.payload) if record.content_type == JSON_CONTENT_TYPE else {}
    parent, at = fork.get("parent"), fork.get("at")
    if (
        event.prev_hash is None
        or type(parent) is not str
        or type(at) is not int
        or at < 1
        or parent == record.session_id
    ):
        raise InvalidImport(event.number, "no fork: it needs a parent and a place, and sequence 1")
    return Fork(event.number, record.tenant, parent, at, event.prev_hash)


def check_fork(fork: Fork, parent_hash: bytes | None) -> None:
    """Raise InvalidImport unless a fork's chain starts from its parent's event."""
    if parent_hash is None:
        raise InvalidImport(fork.number, f"event {fork.at} of session {fork.parent!r} is missing")
    if parent_hash != fork.prev_hash:
        raise InvalidImport(
            fork.number, f"prev_hash is not the hash of event {fork.at} of {fork.parent!r}"
        )


def check_event_ids(new: Sequence[Imported]) -> None:
    """Raise InvalidImport if an event id comes twice in one batch."""
    seen: set[tuple[str, str, str]] = set()
    for event in new:
        key = (*session_of(event.record), event.record.event_id)
        if key in seen:
            raise InvalidImport(event.number, f"event id {event.record.event_id!r} comes twice")
        seen.add(key)


def check_known(new: Sequence[Imported], catalogue: Catalogue) -> None:
    """Raise InvalidImport if an event is of a known type and no payload of it, or too new.

    A fold trusts what the door accepted; one such event would stop the views of its bucket, and
    nobody could take it back.
    """
    for event in new:
        record = event.record
        try:
            check_stored(
                record.type, record.schema_version, record.content_type, record.payload, catalogue
            )
        except InvalidEvent as error:
            reason = f"{record.type}: {error.field}: {error.reason.rstrip('.')}"
            raise InvalidImport(event.number, reason) from error


def check_outcome(run: list[Imported], outcome: Outcome) -> None:
    """Raise unless the store made of these events what the file says they are."""
    if isinstance(outcome, CallError):
        raise InvalidImport(
            run[0].number,
            f"session {run[0].record.session_id!r} refuses it: {outcome.problem.rstrip('.')}",
        ) from outcome
    for event, number in zip(run, numbers_or_raise(outcome), strict=True):
        if number.event_hash == event.record.event_hash:
            continue
        if number.sequence != event.record.sequence:
            raise InvalidImport(event.number, f"event id {event.record.event_id!r} comes twice")
        raise IntegrityError(
            f"Event {number.sequence} of session {event.record.session_id!r} got another hash."
        )
