"""Events of an orchestrator as events of the ledger, and back. Pure.

What was said or done (messages, tool calls, errors) becomes the catalogue's own fact wherever
nothing is lost by it, so that every view shows it. What the fact has no field for, as the ids of a
provider's threads, stands beside it in the envelope. The rest is kept as it is under the
orchestrator's own type: the set of types is open. That a session or run began or ended is told by
the saved records; the events that announce it change no view.

The same facts are read as the orchestrator's events whoever appended them. Facts that it has no
word for, and those that a save appends, are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger import Event, InvalidEvent, NewEvent
from ledger.catalogue import (
    MessageAppended,
    MessageStreamed,
)
from ledger.codec import encode_json
from ledger.limits import METADATA_BYTES_MAX
from ledger.refusals import shown

from ..marked_ids import MARK, marked_id
from .facts import FACTS, as_data, as_fact, together
from .records import EVENT_TYPES, EventRecord, invalid

#: Where the envelope keeps what the ledger has no field for, and as what.
_OWN = {"type": str, "id": str, "provider": str, "metadata": dict, "data": dict}

_TYPES = {model.event_type: name for name, model in FACTS.items()}
TYPES_READ = (*EVENT_TYPES, *dict.fromkeys(model.event_type for model in FACTS.values()))


def types_read(type: Any) -> tuple[str, ...]:
    """Return the ledger's types that events of a type, or of any, are kept under."""
    if type is None:
        return TYPES_READ
    if not isinstance(type, str) or type not in EVENT_TYPES:
        raise invalid(f"type: expected one of {', '.join(EVENT_TYPES)}, got {shown(type)}")
    return (type, FACTS[type].event_type) if type in FACTS else (type,)


def to_ledger(event: EventRecord, incarnation: int, *, certain: bool) -> NewEvent:
    """Return the event to append; ids of earlier incarnations do not stand in its way.

    If it is `certain`, no fact refuses what it is made of. Else that may come out when it is
    appended: the ledger asks the fact anyway, and twice took a tenth of the time of appending many.

    An id that looks like one of a later incarnation is marked as being of the first. Readers are
    given the id that the envelope keeps.
    """
    fact = as_fact(event, certain=certain) if event.schema_version == 1 else None
    own: dict[str, Any] = {}
    if event.provider is not None:
        own["provider"] = event.provider
    if event.metadata:
        own["metadata"] = dict(event.metadata)
    event_id = event.id
    if incarnation or ("@" in event.id and MARK.search(event.id)):
        own["id"] = event.id
        event_id = marked_id(event.id, incarnation)
    payload, type_, metadata = event.data, event.type, own
    if fact is not None:
        said, beside = fact
        kept_as = FACTS[event.type].event_type
        if own or beside or _type_of(kept_as, said) != event.type:
            metadata = own | {"type": event.type} | ({"data": beside} if beside else {})
        if not beside or _fits(metadata):
            payload, type_ = said, kept_as
        else:
            metadata = own
    return NewEvent(
        payload,
        type_,
        event_id=event_id,
        run_id=event.run_id,
        occurred_at=event.timestamp,
        schema_version=event.schema_version,
        correlation_id=event.correlation_id,
        metadata=metadata or None,
    )


def _fits(metadata: Mapping[str, Any]) -> bool:
    """Whether an envelope can have it; if not, the ledger refuses or keeps the data as it is."""
    try:
        return len(encode_json(metadata, "metadata")) <= METADATA_BYTES_MAX
    except InvalidEvent:
        return False


def from_ledger(event: Event) -> EventRecord | None:
    """Return the orchestrator's event, None for a fact that it has no word for."""
    if not isinstance(event.data, dict):
        return None
    own = _own(event)
    type = _type_of(event.type, event.data) if own is None else own.get("type", event.type)
    if type is None:
        return None
    own = {"metadata": event.metadata} if own is None else own
    data = event.data if event.type == type else as_data(type, event.data)
    if "data" in own:
        data = together(data, own["data"])
    return EventRecord(
        id=own.get("id", event.event_id),
        type=type,
        session_id=event.session_id,
        timestamp=event.occurred_at,
        run_id=event.run_id,
        data=data,
        metadata=own.get("metadata", {}),
        sequence_number=event.sequence,
        schema_version=event.schema_version,
        provider=own.get("provider"),
        correlation_id=event.correlation_id,
    )


def _own(event: Event) -> dict[str, Any] | None:
    """Return what `to_ledger` left in the envelope, None if somebody else appended the event."""
    own = event.metadata
    for name, value in own.items():
        if not isinstance(value, _OWN.get(name, ())):
            return None
    if "type" not in own:
        return own if event.type in EVENT_TYPES and "data" not in own else None
    model = FACTS.get(own["type"])
    return own if model is not None and event.type == model.event_type else None


def _type_of(type: str, data: Mapping[str, Any]) -> str | None:
    """Return the orchestrator's type for a fact whose envelope names none."""
    if type == MessageAppended.event_type:
        return "message_received" if data.get("role") == "assistant" else "message_sent"
    if type == MessageStreamed.event_type and data.get("kind", "text") != "text":
        return None
    return type if type in EVENT_TYPES else _TYPES.get(type)
