"""The two shapes of an event: what a caller hands in and what a reader gets back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import msgspec

from .moments import from_microseconds

JSON_CONTENT_TYPE = "application/json"
# Each hexadecimal digit with its upper two bits set to 10, as a UUID has them there.
_VARIANT = {f"{digit:x}": f"{digit & 0x3 | 0x8:x}" for digit in range(16)}

SESSION_DELETED = "session.deleted"
SESSION_FORKED = "session.forked"


@runtime_checkable
class Fact(Protocol):
    """A payload model: a pydantic model of the catalogue, or any other that was registered."""

    def model_dump(self, *, mode: str = ..., exclude_unset: bool = ...) -> dict[str, Any]: ...


def new_event_id() -> str:
    """Return a UUIDv7 (RFC 9562 section 5.7) as text: millisecond time, then 74 random bits."""
    time_ = f"{time.time_ns() // 1_000_000:012x}"
    random = os.urandom(10).hex()
    # By digits, at a fifth of the cost of going through uuid.UUID.
    return (
        f"{time_[:8]}-{time_[8:]}-7{random[:3]}-{_VARIANT[random[3]]}{random[4:7]}-{random[7:19]}"
    )


class NewEvent(msgspec.Struct, frozen=True):
    """A fact that is about to be appended.

    `payload` is a model of the catalogue (or a registered one), a mapping with string keys together
    with a `type`, or bytes together with a `type` and a `content_type`. `event_id` is the
    idempotency key within the session: it is fixed here, before the first try, which is what makes
    a repeated append safe. `occurred_at` is the caller's clock and must be aware; left out, it is
    the moment of the append and takes no part in the comparison of repeated events.
    """

    payload: Fact | Mapping[str, Any] | bytes
    type: str | None = None
    event_id: str = msgspec.field(default_factory=new_event_id)
    run_id: str | None = None
    occurred_at: datetime | None = None
    schema_version: int | None = None
    content_type: str | None = None
    actor: str | None = None
    causation_id: str | None = None
    correlation_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    metadata: Mapping[str, Any] | None = None


#: What `append` takes for an event.
EventLike = NewEvent | Fact


# gc=False: an event refers to decoded JSON, which refers to nothing, so it is never part of a
# cycle, and the garbage collector walked through every event of a page several times.
class Event(msgspec.Struct, frozen=True, gc=False):
    """An event as the log holds it: its envelope, its numbers and its decoded payload.

    `sequence` is the place in the session and `position` the place in the bucket, both dense from
    1; order is always by these, never by a clock. Times are whole microseconds since 1970 in UTC:
    `occurred_us` by the caller's clock, `recorded_us` by the store's, but never before that of the
    event before it in the bucket. `data` is a dict, already upcast to the newest schema version of
    its type, or bytes when `content_type` is not JSON. `event_hash` chains the event to the one
    before it in the session.
    """

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
    metadata: dict[str, Any]
    content_type: str
    data: Any
    event_hash: bytes

    @property
    def occurred_at(self) -> datetime:
        """The caller's clock, in UTC."""
        return from_microseconds(self.occurred_us)

    @property
    def recorded_at(self) -> datetime:
        """The store's clock, in UTC."""
        return from_microseconds(self.recorded_us)


class Appended(msgspec.Struct, frozen=True, dict=True):
    """What became of one appended event.

    `sequence` is its place in the session. `stored` is False when the same id with the same
    content was in the session before, or comes earlier in the same call; `event` is then the
    original one, with its original numbers. It may be this very call that stored it: a try whose
    connection broke before the answer came is repeated, and finds what it has stored.
    """

    sequence: int
    stored: bool
    _decode: Callable[[], Event]

    # Decoded when it is asked for: nearly every caller looks at the sequence alone, and decoding
    # cost a fifth of what a batch costs.
    @cached_property
    def event(self) -> Event:
        """The event as the log holds it; what an upcaster raises is raised here."""
        return self._decode()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Appended):
            return NotImplemented
        return self.stored == other.stored and self.event == other.event

    def __hash__(self) -> int:
        return hash((self.sequence, self.stored))

    def __repr__(self) -> str:
        return f"Appended(sequence={self.sequence}, stored={self.stored}, event={self.event!r})"


class Append(msgspec.Struct, frozen=True):
    """One session's part of an atomic `append_many`; fields as the arguments of `append`."""

    session_id: str
    events: Any
    tenant: str = ""
    expected: int | None = None
    incarnation: int | None = None
