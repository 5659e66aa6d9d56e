"""Which events of an orchestrator a fact of the catalogue says, and what each is in it. Pure.

What the fact has no field for stands beside it. A call's id is the run's and the provider's
together, for the provider's come back within a session.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from ledger import InvalidEvent
from ledger.catalogue import (
    Catalogue,
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
from ledger.catalogue.stored import encoded_mapping
from ledger.codec import encode_json

from .records import EventRecord

FACTS: dict[str, type[Fact]] = {
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
_CALLS = frozenset({"tool_call_started", "tool_call_completed", "tool_call_failed"})
#: Of these the fact keeps what it has fields for, too.
_NESTED: dict[str, type[BaseModel]] = {"provider_error": ProviderError}
#: What strict validation gives back as it was given, if it is of exactly this type.
_LEAVES = frozenset({str, bool, int, float, NoneType})


def asked_at_the_door(catalogue: Catalogue) -> bool:
    """Whether a ledger with this catalogue refuses what these facts do."""
    return all(
        catalogue.model_of(model.event_type) == (model, model.schema_version)
        for model in FACTS.values()
    )


def as_fact(event: EventRecord, *, certain: bool) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return what a fact says of an event, and what stands beside it; None if no fact says it."""
    model = FACTS.get(event.type)
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
    if not certain and _taken_as_it_is(model, payload):
        return payload, beside
    return (payload, beside) if _says(model, payload) else None


def _taken_as_it_is(model: type[Fact], payload: dict[str, Any]) -> bool:
    """Whether a fact keeps each of these values untouched, if it takes it."""
    required, kinds = _untouched(model)
    if not required <= payload.keys():
        return False
    for name, value in payload.items():
        of = kinds[name]
        if of is not None and type(value) not in of:
            return False
    return True


@cache
def _untouched(model: type[Fact]) -> tuple[frozenset[str], dict[str, frozenset[Any] | None]]:
    """Return the required fields, and by field the types that are kept as given, None for any."""
    fields = model.model_fields.items()
    required = frozenset(name for name, field in fields if field.is_required())
    return required, {name: _leaves(field.annotation) for name, field in fields}


def _leaves(annotation: Any) -> frozenset[Any] | None:
    parts = [annotation]
    if get_origin(annotation) in (Union, UnionType):
        parts = [
            get_args(one)[0] if get_origin(one) is Annotated else one
            for one in get_args(annotation)
        ]
    elif get_origin(annotation) is Literal:
        parts = [type(value) for value in get_args(annotation)]
    return None if Any in parts else _LEAVES.intersection(parts)


def _says(model: type[Fact], payload: dict[str, Any]) -> bool:
    """Whether a fact says exactly this, so that the same JSON comes back from it."""
    try:
        # As bytes, for 1, 1.0 and True are equal and yet not the same.
        return encoded_mapping(model, payload) == encode_json(payload, "data")
    except InvalidEvent:
        return False


def _parted(
    data: Mapping[str, Any], model: type[BaseModel]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a model has fields for, and the rest."""
    if model.model_fields.keys() >= data.keys() and _NESTED.keys().isdisjoint(data):
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


def together(fields: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """Return what was parted, together again."""
    nested = {
        name: fields[name] | rest[name]
        for name in _NESTED
        if isinstance(fields.get(name), dict) and isinstance(rest.get(name), dict)
    }
    return fields | rest | nested


def as_data(type: str, payload: dict[str, Any]) -> dict[str, Any]:
    data = dict(payload)
    if type == "message_streamed":
        return {"content": data.pop("delta", "")} | data
    if type in _CALLS:
        data = {"tool_call_id": data.pop("call_id")} | data
    return data
