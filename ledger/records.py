"""Rows of the log: as they will be stored, as they are stored, and what an append answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from .codec import UNREADABLE_JSON, decode_json
from .errors import IntegrityError, LedgerError, UpcastFailed
from .events import JSON_CONTENT_TYPE, Event
from .refusals import said
from .upcasts import Upcasts

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


# gc=False: these hold text, numbers and bytes alone, so they are never part of a cycle, and a page
# of thousands of them is nothing the garbage collector has to walk through again and again.
class Record(msgspec.Struct, frozen=True, gc=False):
    """One stored row, byte for byte; the fields are the table's columns, in order."""

    bucket: int
    position: int
    tenant: str
    session_id: str
    sequence: int
    event_id: str
    type: str
    schema_version: int
    run_id: str | None
    occurred_us: int
    recorded_us: int
    actor: str | None
    causation_id: str | None
    correlation_id: str | None
    trace_id: str | None
    span_id: str | None
    metadata: str
    content_type: str
    payload: bytes
    salt: bytes
    payload_digest: bytes
    event_hash: bytes


#: A session's bucket, tenant and id.
SessionPlace = tuple[int, str, str]


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An event with everything that its caller fixes; the store adds the numbers.

    `occurred_given` says whether the caller named the time: only then does it take part in the
    comparison of repeated ids. `recorded_us` is set by imports alone.
    """

    event_id: str
    type: str
    schema_version: int
    run_id: str | None
    occurred_us: int
    occurred_given: bool
    actor: str | None
    causation_id: str | None
    correlation_id: str | None
    trace_id: str | None
    span_id: str | None
    metadata: str
    content_type: str
    payload: bytes
    salt: bytes
    payload_digest: bytes
    body_digest: bytes
    recorded_us: int | None = None


class Part(msgspec.Struct, frozen=True):
    """One session's share of a unit; `genesis` is the hash before its first event.

    New events need the session to be at sequence `expected` and in `incarnation`; None is any.
    """

    bucket: int
    tenant: str
    session_id: str
    expected: int | None
    genesis: bytes
    drafts: tuple[Draft, ...]
    incarnation: int | None = None


class Unit(msgspec.Struct, frozen=True):
    """What is stored whole or not at all; an event id occurs once in it.

    A session may have several parts; what they expect is said of the moment before the unit.
    """

    parts: tuple[Part, ...]

    @property
    def buckets(self) -> frozenset[int]:
        """The buckets whose locks this unit needs."""
        return frozenset(part.bucket for part in self.parts)

    @property
    def first_bucket(self) -> int:
        """The lowest of them, whose lock is taken first."""
        parts = self.parts
        return parts[0].bucket if len(parts) == 1 else min([part.bucket for part in parts])


def places_of(stored: Iterable[Record | Part]) -> set[SessionPlace]:
    """Return the sessions that records or parts of appends are of."""
    return {(one.bucket, one.tenant, one.session_id) for one in stored}


class Numbered(msgspec.Struct, frozen=True, gc=False):
    """The store's share of one event; of the original one when `stored` is False."""

    sequence: int
    position: int
    occurred_us: int
    recorded_us: int
    event_hash: bytes
    stored: bool


class Busy(msgspec.Struct, frozen=True):
    """The unit was not tried: another transaction holds the lock of this bucket."""

    bucket: int


#: Per draft, parts in order, its numbers; or why nothing of the unit was stored.
Outcome = Sequence[Numbered] | LedgerError | Busy


class Head(msgspec.Struct, frozen=True, gc=False):
    """The end of a session; `deleted` is the sequence of its last deletion, 0 for none.

    `recorded_us` is when its last event was stored, by the store's clock.
    """

    sequence: int = 0
    event_hash: bytes = b""
    deleted: int = 0
    recorded_us: int = 0

    @property
    def visible(self) -> bool:
        """Whether anything happened after the last deletion."""
        return self.sequence > self.deleted

    @property
    def incarnation(self) -> int:
        """What the session's life behind its last deletion is called in an append's condition."""
        return self.deleted


def same_content(first: Record | Draft, again: Draft) -> bool:
    """Whether a repeated id carries the same fact.

    Stored bytes and header are compared, not digests: those are salted. A time that the caller
    did not name is the time of the call, so it takes no part.
    """
    return (
        first.payload == again.payload
        and (not again.occurred_given or first.occurred_us == again.occurred_us)
        and first.type == again.type
        and first.schema_version == again.schema_version
        and first.run_id == again.run_id
        and first.content_type == again.content_type
        and first.metadata == again.metadata
        and first.actor == again.actor
        and first.causation_id == again.causation_id
        and first.correlation_id == again.correlation_id
        and first.trace_id == again.trace_id
        and first.span_id == again.span_id
    )


def events_of_records(records: Iterable[Record], upcasts: Upcasts) -> list[Event]:
    """Decode stored rows for a reader; old payloads are upcast here and nowhere else.

    One loop without calls of our own: reading a long session is mostly this loop.
    """
    events = []
    try:
        for record in records:
            data: Any = record.payload
            version = record.schema_version
            if record.content_type == JSON_CONTENT_TYPE:
                data = decode_json(data)
                if upcasts.has(record.type):
                    try:
                        data, version = upcasts.newest(record.type, version, data)
                    except Exception as error:
                        raise _upcast_failed(record, error) from error
            metadata = record.metadata
            events.append(
                Event(
                    record.bucket,
                    record.position,
                    record.tenant,
                    record.session_id,
                    record.sequence,
                    record.event_id,
                    record.type,
                    version,
                    record.run_id,
                    record.occurred_us,
                    record.recorded_us,
                    record.actor,
                    record.causation_id,
                    record.correlation_id,
                    record.trace_id,
                    record.span_id,
                    {} if metadata == "{}" else _decode_object(metadata),
                    record.content_type,
                    data,
                    record.event_hash,
                )
            )
    except UNREADABLE_JSON:
        _refuse_unreadable(record)
        raise
    return events


def _upcast_failed(record: Record, error: Exception) -> UpcastFailed:
    return UpcastFailed(
        record.type,
        record.schema_version,
        record.bucket,
        record.position,
        (record.tenant, record.session_id),
        record.sequence,
        record.event_id,
        said(error),
    )


def _refuse_unreadable(record: Record) -> None:
    """Raise IntegrityError if a row's metadata or JSON payload is not what an append stores."""
    try:
        _decode_object(record.metadata)
        if record.content_type == JSON_CONTENT_TYPE:
            decode_json(record.payload)
    except UNREADABLE_JSON as error:
        raise IntegrityError(
            f"Event {record.sequence} of session {record.session_id!r} of tenant"
            f" {record.tenant!r} (bucket {record.bucket}, position {record.position}) holds what"
            f" is no JSON: {error}."
        ) from error


def event_of_record(record: Record, upcasts: Upcasts) -> Event:
    """Decode one stored row; see events_of_records."""
    return events_of_records((record,), upcasts)[0]


def event_of_draft(part: Part, draft: Draft, number: Numbered, upcasts: Upcasts) -> Event:
    """Return the event that an append stored, or the original one, without reading it back."""
    return event_of_record(record_of(part, draft, number), upcasts)


def record_of(part: Part, draft: Draft, number: Numbered) -> Record:
    """Return the row that a draft becomes with its numbers."""
    return Record(
        part.bucket,
        number.position,
        part.tenant,
        part.session_id,
        number.sequence,
        draft.event_id,
        draft.type,
        draft.schema_version,
        draft.run_id,
        number.occurred_us,
        number.recorded_us,
        draft.actor,
        draft.causation_id,
        draft.correlation_id,
        draft.trace_id,
        draft.span_id,
        draft.metadata,
        draft.content_type,
        draft.payload,
        draft.salt,
        draft.payload_digest,
        number.event_hash,
    )
