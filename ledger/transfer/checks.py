"""What the events of an import must fulfil together: chains, forks, ids, models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ..digests import genesis
from ..errors import InvalidEvent, InvalidImport
from ..events import JSON_CONTENT_TYPE, SESSION_FORKED
from ..lineage import fork_place
from ..payloads import check_stored
from ..records import Record
from ..verify import recompute
from .format import Imported

if TYPE_CHECKING:
    from ..catalogue import Catalogue

Session = tuple[str, str]
#: An event's: its session and its sequence.
Place = tuple[str, str, int]


class Chain(msgspec.Struct, frozen=True):
    """How far a session is verified, and how far it goes in this ledger with what waits.

    It is `whole` if the file has all of it, from its first event on.
    """

    sequence: int
    event_hash: bytes
    recorded_us: int
    head: int
    whole: bool


class Fork(msgspec.Struct, frozen=True):
    """A fork on its line: what from where, and the hash it claims to start from."""

    number: int
    tenant: str
    session_id: str
    parent: str
    at: int
    prev_hash: bytes

    @property
    def session(self) -> Session:
        """The session that begins with the fork."""
        return self.tenant, self.session_id

    @property
    def place(self) -> Place:
        """The parent's event."""
        return self.tenant, self.parent, self.at


def session_of(record: Record) -> Session:
    """Return the identity of an event's session."""
    return record.tenant, record.session_id


def place_of(record: Record) -> Place:
    """Return the place of an event, by which forks name it."""
    return record.tenant, record.session_id, record.sequence


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
    place = fork_place(record.payload) if record.content_type == JSON_CONTENT_TYPE else None
    if event.prev_hash is None or place is None or place[0] == record.session_id:
        raise InvalidImport(event.number, "no fork: it needs a parent and a place, and sequence 1")
    return Fork(event.number, *session_of(record), *place, event.prev_hash)


def check_fork(fork: Fork, parent_hash: bytes) -> None:
    """Raise InvalidImport unless a fork's chain starts from its parent's event."""
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
            raise event_id_again(event)
        seen.add(key)


def event_id_again(event: Imported) -> InvalidImport:
    """Return the error for an event with the id of an earlier one of its session."""
    return InvalidImport(event.number, f"event id {event.record.event_id!r} comes twice")


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
