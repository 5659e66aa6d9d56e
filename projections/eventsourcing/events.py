"""Stored events as events of the ledger, and back. Pure.

An aggregate is a session whose id is the originator's, and the ledger numbers it as its versions
run: sequence = version where versions begin at 1, and version + 1 where they begin at 0. The
version itself is in the event id, behind an id of the call, because a session that also holds
other facts (a deletion, a note) counts those as well. Type and payload are topic and state.

The state has to come back byte for byte. If it is JSON in the ledger's own spelling, it is stored
and read as JSON; compressed, encrypted or otherwise spelled, it is stored as opaque bytes.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from uuid import UUID

from ledger import NewEvent
from ledger.codec import decode_json
from ledger.limits import TYPE_BYTES_MAX
from ledger.records import Record

from .api import Notification, StoredEvent
from .mapping import json_of

#: of a state that is not stored as JSON
CONTENT_TYPE = "application/vnd.eventsourcing.state"
#: The key of the metadata that marks a stored event and says what its originator's id is.
_ORIGINATOR = "eventsourcing.originator"
_UUID, _TEXT = "uuid", "text"
_TOPIC = "topic"
#: Metadata is text with sorted keys, so every stored event's begins with this.
_MARK = f'{{"{_ORIGINATOR}":'


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
    metadata = {_ORIGINATOR: _UUID if isinstance(event.originator_id, UUID) else _TEXT}
    if type_ != event.topic:
        metadata[_TOPIC] = event.topic
    # A type of the catalogue would have its payload validated and spelled anew; no topic is one.
    data = json_of(event.state) if ":" in type_ else None
    return NewEvent(
        event.state if data is None else data,
        type_,
        event_id=event_id_of(event, call),
        content_type=CONTENT_TYPE if data is None else None,
        metadata=metadata,
    )


def type_of(topic: str) -> str:
    """Return the event type of a topic; one that is too long for a type becomes its digest."""
    name = topic.encode(errors="surrogatepass")  # the ledger's door refuses what is no text
    return topic if len(name) <= TYPE_BYTES_MAX else f"topic:sha256:{sha256(name).hexdigest()}"


def is_stored_event(record: Record) -> bool:
    """Whether it came from a recorder; others may write to the same session."""
    return record.metadata.startswith(_MARK)


def version_of(record: Record) -> int:
    """Return the originator version of a stored event."""
    return int(record.event_id.rpartition("/")[2])


def stored_event(record: Record) -> StoredEvent:
    """Return the stored event that was appended."""
    is_uuid, topic = _mark_of(record.metadata)
    return StoredEvent(
        _uuid_of(record.session_id) if is_uuid else record.session_id,
        version_of(record),
        topic or record.type,
        record.payload,
    )


def notification(record: Record) -> Notification:
    """Return the notification of an event: its id is the position in the log."""
    is_uuid, topic = _mark_of(record.metadata)
    return Notification(
        _uuid_of(record.session_id) if is_uuid else record.session_id,
        version_of(record),
        topic or record.type,
        record.payload,
        record.position,
    )


# Most events of a page have the same mark, and an aggregate's all the same id: parsing them again
# and again would be half of what reading them costs.
@lru_cache(maxsize=256)
def _mark_of(metadata: str) -> tuple[bool, str | None]:
    mark = decode_json(metadata)
    return mark[_ORIGINATOR] == _UUID, mark.get(_TOPIC)


_uuid_of = lru_cache(maxsize=1_024)(UUID)
