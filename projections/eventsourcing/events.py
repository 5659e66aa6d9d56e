"""Stored events as events of the ledger, and back. Pure.

An aggregate is a session whose id is the originator's, and the ledger numbers it as its versions
run: sequence = version where versions begin at 1, and version + 1 where they begin at 0. The
version itself is in the event id, behind an id of the call, because a session that also holds
other facts (a deletion, a note) counts those as well. Type and payload are topic and state.
"""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

from ledger import Event, NewEvent
from ledger.limits import TYPE_BYTES_MAX
from ledger.records import Record

from .api import DataError, Notification, StoredEvent

#: The state is opaque: compressed, encrypted or JSON, which must come back byte for byte.
CONTENT_TYPE = "application/vnd.eventsourcing.state"
_UUID = f"{CONTENT_TYPE}; originator=uuid"
_TEXT = f"{CONTENT_TYPE}; originator=text"
_TOPIC = "topic"


def session_of(originator_id: UUID | str) -> str:
    """Return the session id of an aggregate."""
    return str(originator_id)


def event_id_of(event: StoredEvent, call: str) -> str:
    """Return an event's id; `call` makes it differ from that of every other attempt.

    That is what tells a repeated commit, which is no conflict, from a second writer of the same
    version, whose event may well be equal.
    """
    return f"{call}/{event.originator_version}"


def new_event(event: StoredEvent, call: str) -> NewEvent:
    """Return what is appended."""
    type_ = type_of(event.topic)
    return NewEvent(
        event.state,
        type_,
        event_id=event_id_of(event, call),
        content_type=_UUID if isinstance(event.originator_id, UUID) else _TEXT,
        metadata=None if type_ == event.topic else {_TOPIC: event.topic},
    )


def type_of(topic: str) -> str:
    """Return the event type of a topic; one that is too long for a type becomes its digest."""
    name = topic.encode(errors="surrogatepass")  # the ledger's door refuses what is no text
    return topic if len(name) <= TYPE_BYTES_MAX else f"topic:sha256:{sha256(name).hexdigest()}"


def is_stored_event(event: Event | Record) -> bool:
    """Whether it came from a recorder; others may write to the same session."""
    return event.content_type in (_UUID, _TEXT)


def version_of(event: Event | Record) -> int:
    """Return the originator version of a stored event."""
    return int(event.event_id.rpartition("/")[2])


def stored_event(event: Event) -> StoredEvent:
    """Return the stored event that was appended; raise DataError if its state is gone."""
    return StoredEvent(
        originator_id=_originator_of(event),
        originator_version=version_of(event),
        topic=_topic_of(event),
        state=_state_of(event),
    )


def notification(event: Event) -> Notification:
    """Return the notification of an event: its id is the position in the log."""
    return Notification(
        originator_id=_originator_of(event),
        originator_version=version_of(event),
        topic=_topic_of(event),
        state=_state_of(event),
        id=event.position,
    )


def _topic_of(event: Event) -> str:
    topic: str = event.metadata.get(_TOPIC, event.type)
    return topic


def _originator_of(event: Event) -> UUID | str:
    return UUID(event.session_id) if event.content_type == _UUID else event.session_id


def _state_of(event: Event) -> bytes:
    if not isinstance(event.data, bytes):
        raise DataError(f"The state of event {event.event_id!r} was removed.")
    return event.data
