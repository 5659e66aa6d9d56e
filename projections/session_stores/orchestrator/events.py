"""Events of an orchestrator as events of the ledger, and back. Pure.

What was said or done (messages, tool calls, errors) becomes the catalogue's own fact wherever
nothing is lost by it, so that every view shows it. The rest, and whatever has other fields than its
fact, is kept as it is under the orchestrator's own type: the set of types is open. That a session
or run began or ended is told by the saved records; the events that announce it change no view.

The same facts are read as the orchestrator's events whoever appended them. Facts that it has no
word for, and those that a save appends, are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ledger import Event, NewEvent
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
from ledger.codec import encode_json
from ledger.refusals import shown

from ..marked_ids import MARK, marked_id
from .records import EVENT_TYPES, EventRecord, invalid

#: Where the envelope keeps what the ledger has no field for.
_OWN = frozenset({"type", "id", "provider", "metadata"})

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
    payload = _as_fact(event) if event.schema_version == 1 else None
    own = {"provider": event.provider, "metadata": dict(event.metadata)}
    own = {name: value for name, value in own.items() if value not in (None, {})}
    event_id = event.id
    if payload is not None:
        own["type"] = event.type
    if incarnation or MARK.search(event.id):
        own["id"] = event.id
        event_id = marked_id(event.id, incarnation)
    return NewEvent(
        dict(event.data) if payload is None else payload,
        event.type if payload is None else _FACTS[event.type].event_type,
        event_id=event_id,
        run_id=event.run_id,
        occurred_at=event.timestamp,
        schema_version=event.schema_version,
        correlation_id=event.correlation_id,
        metadata=own or None,
    )


def from_ledger(event: Event) -> EventRecord | None:
    """Return the orchestrator's event, None for a fact that it has no word for."""
    if not isinstance(event.data, dict):
        return None
    own = _own(event)
    type = _type_of(event) if own is None else own.get("type", event.type)
    if type is None:
        return None
    own = {"metadata": event.metadata} if own is None else own
    return EventRecord(
        id=own.get("id", event.event_id),
        type=type,
        session_id=event.session_id,
        timestamp=event.occurred_at,
        run_id=event.run_id,
        data=event.data if event.type == type else _as_data(type, event.data),
        metadata=own.get("metadata", {}),
        sequence_number=event.sequence,
        schema_version=event.schema_version,
        provider=own.get("provider"),
        correlation_id=event.correlation_id,
    )


def _own(event: Event) -> dict[str, Any] | None:
    """Return what `to_ledger` left in the envelope, None if somebody else appended the event."""
    own = event.metadata
    texts = all(isinstance(own.get(name, ""), str) for name in ("type", "id", "provider"))
    if not own.keys() <= _OWN or not texts or not isinstance(own.get("metadata", {}), dict):
        return None
    if "type" not in own:
        return own if event.type in EVENT_TYPES else None
    model = _FACTS.get(own["type"])
    return own if model is not None and event.type == model.event_type else None


def _type_of(event: Event) -> str | None:
    """Return the orchestrator's type for what somebody else appended."""
    if event.type == MessageAppended.event_type:
        return "message_received" if event.data.get("role") == "assistant" else "message_sent"
    if event.type == MessageStreamed.event_type and event.data.get("kind", "text") != "text":
        return None
    return event.type if event.type in EVENT_TYPES else _TYPES.get(event.type)


def _as_fact(event: EventRecord) -> dict[str, Any] | None:
    model = _FACTS.get(event.type)
    if model is None or not isinstance(event.data, Mapping):
        return None
    payload = dict(event.data)
    if event.type == "message_streamed":
        if payload.keys() != {"content"}:
            return None
        payload = {"delta": payload["content"]}
    elif event.type in _CALLS:
        if "call_id" in payload or not isinstance(payload.get("tool_call_id"), str):
            return None
        # The provider's ids come back within a session, ours must not.
        payload["call_id"] = f"{event.run_id or ''}/{payload['tool_call_id']}"
    try:
        said = model.model_validate(payload).model_dump(mode="json", exclude_unset=True)
    except ValidationError:
        return None
    # As bytes, for 1, 1.0 and True are equal and yet not the same.
    return payload if encode_json(said, "data") == encode_json(payload, "data") else None


def _as_data(type: str, payload: dict[str, Any]) -> dict[str, Any]:
    data = dict(payload)
    if type == "message_streamed":
        return {"content": data.pop("delta", "")} | data
    if type in _CALLS:
        data = {"tool_call_id": data.pop("call_id")} | data
    return data
