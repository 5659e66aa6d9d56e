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

from pydantic import BaseModel, ValidationError

from ledger import Event, InvalidEvent, NewEvent
from ledger.catalogue import (
    ErrorOccurred,
    Fact,
    MessageAppended,
    MessageStreamed,
    PolicyViolated,
    ToolFailed,
    ToolFinished,
    ToolStarted,
    WorkspaceDiffComputed,
    WorkspaceSnapshotTaken,
)
from ledger.catalogue.errors import ProviderError
from ledger.codec import encode_json
from ledger.limits import METADATA_BYTES_MAX
from ledger.refusals import shown

from ..marked_ids import MARK, marked_id
from .records import EVENT_TYPES, EventRecord, invalid

#: Where the envelope keeps what the ledger has no field for, and as what.
_OWN = {"type": str, "id": str, "provider": str, "metadata": dict, "data": dict}

_FACTS: dict[str, type[Fact]] = {
    "message_sent": MessageAppended,
    "message_received": MessageAppended,
    "message_streamed": MessageStreamed,
    "tool_call_started": ToolStarted,
    "tool_call_completed": ToolFinished,
    "tool_call_failed": ToolFailed,
    "error_occurred": ErrorOccurred,
    "policy_violation": PolicyViolated,
    "workspace_snapshot_taken": WorkspaceSnapshotTaken,
    "workspace_diff_computed": WorkspaceDiffComputed,
}
_TYPES = {model.event_type: name for name, model in _FACTS.items()}
_CALLS = frozenset({"tool_call_started", "tool_call_completed", "tool_call_failed"})
#: Of these the fact keeps what it has fields for, too.
_NESTED: dict[str, type[BaseModel]] = {"provider_error": ProviderError}
TYPES_READ = (*EVENT_TYPES, *dict.fromkeys(model.event_type for model in _FACTS.values()))


def types_read(type: Any) -> tuple[str, ...]:
    """Return the ledger's types that events of a type, or of any, are kept under."""
    if type is None:
        return TYPES_READ
    if not isinstance(type, str) or type not in EVENT_TYPES:
        raise invalid(f"type: expected one of {', '.join(EVENT_TYPES)}, got {shown(type)}")
    return (type, _FACTS[type].event_type) if type in _FACTS else (type,)


def to_ledger(event: EventRecord, incarnation: int) -> NewEvent:
    """Return the event to append; ids of earlier incarnations do not stand in its way.

    An id that looks like one of a later incarnation is marked as being of the first. Readers are
    given the id that the envelope keeps.
    """
    fact = _as_fact(event) if event.schema_version == 1 else None
    own = {"provider": event.provider, "metadata": dict(event.metadata)}
    own = {name: value for name, value in own.items() if value not in (None, {})}
    event_id = event.id
    if incarnation or MARK.search(event.id):
        own["id"] = event.id
        event_id = marked_id(event.id, incarnation)
    payload, type_, metadata = dict(event.data), event.type, own
    if fact is not None:
        said, beside = fact
        told = own | {"type": event.type} | ({"data": beside} if beside else {})
        if not beside or _fits(told):
            payload, type_, metadata = said, _FACTS[event.type].event_type, told
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
    type = _type_of(event) if own is None else own.get("type", event.type)
    if type is None:
        return None
    own = {"metadata": event.metadata} if own is None else own
    data = event.data if event.type == type else _as_data(type, event.data)
    if "data" in own:
        data = _together(data, own["data"])
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
    if not all(isinstance(value, _OWN.get(name, ())) for name, value in own.items()):
        return None
    if "type" not in own:
        return own if event.type in EVENT_TYPES and "data" not in own else None
    model = _FACTS.get(own["type"])
    return own if model is not None and event.type == model.event_type else None


def _type_of(event: Event) -> str | None:
    """Return the orchestrator's type for what somebody else appended."""
    if event.type == MessageAppended.event_type:
        return "message_received" if event.data.get("role") == "assistant" else "message_sent"
    if event.type == MessageStreamed.event_type and event.data.get("kind", "text") != "text":
        return None
    return event.type if event.type in EVENT_TYPES else _TYPES.get(event.type)


def _as_fact(event: EventRecord) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return what a fact says of an event, and what stands beside it; None if no fact says it."""
    model = _FACTS.get(event.type)
    if model is None or not isinstance(event.data, Mapping):
        return None
    beside: dict[str, Any]
    if event.type == "message_streamed":
        if event.data.keys() != {"content"}:
            return None
        payload, beside = {"delta": event.data["content"]}, {}
    elif event.type in _CALLS:
        if "call_id" in event.data or not isinstance(event.data.get("tool_call_id"), str):
            return None
        payload, beside = _parted(event.data, model)
        # The provider's ids come back within a session, ours must not.
        payload["call_id"] = f"{event.run_id or ''}/{payload['tool_call_id']}"
        if "turn_id" in payload:
            # Its turns have no rows: the call would hang below nothing instead of its run.
            beside["turn_id"] = payload.pop("turn_id")
    else:
        payload, beside = _parted(event.data, model)
    try:
        said = model.model_validate(payload).model_dump(mode="json", exclude_unset=True)
    except ValidationError:
        return None
    # As bytes, for 1, 1.0 and True are equal and yet not the same.
    if encode_json(said, "data") != encode_json(payload, "data"):
        return None
    return payload, beside


def _parted(
    data: Mapping[str, Any], model: type[BaseModel]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a model has fields for, and the rest."""
    if data.keys() <= model.model_fields.keys() and not data.keys() & _NESTED.keys():
        return dict(data), {}
    fields: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in data.items():
        if name not in model.model_fields:
            rest[name] = value
        elif name in _NESTED and isinstance(value, Mapping):
            fields[name], more = _parted(value, _NESTED[name])
            rest |= {name: more} if more else {}
        else:
            fields[name] = value
    return fields, rest


def _together(fields: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """Return what was parted, together again."""
    nested = {
        name: fields[name] | rest[name]
        for name in _NESTED
        if isinstance(fields.get(name), dict) and isinstance(rest.get(name), dict)
    }
    return fields | rest | nested


def _as_data(type: str, payload: dict[str, Any]) -> dict[str, Any]:
    data = dict(payload)
    if type == "message_streamed":
        return {"content": data.pop("delta", "")} | data
    if type in _CALLS:
        data = {"tool_call_id": data.pop("call_id")} | data
    return data
