"""agent-base's runtime events, as it serializes them, as facts of the catalogue. Pure.

They carry no id of a tool call: whoever appends them says which call is meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ledger import InvalidArgument, NewEvent, new_event_id
from ledger.codec import check_text
from ledger.limits import ID_BYTES_MAX
from ledger.refusals import shown

from ...readers.arguments import several
from .chat_messages import call_fields

RuntimeEvent = Mapping[str, Any]
Told = tuple[str, dict[str, Any]]
Make = Callable[[RuntimeEvent, str], Told]
T = TypeVar("T")
ENDS_CALL = "toolCallFinished"
#: Field of the ledger's event -> what an event of agent-base says in it.
ENVELOPE = {"actor": "agent_id", "trace_id": "trace_id"}
_PROGRESSED = "tool.progressed"


def kind_of(event: RuntimeEvent) -> str:
    """Return which of the runtime events it is."""
    kind = event.get("runtimeEventType")
    if not isinstance(kind, str):
        raise InvalidArgument("event", "expected a runtimeEventType, a fact or a NewEvent")
    return kind


def new_event(event: RuntimeEvent, call_id: str | None, event_id: str | None) -> NewEvent:
    """Return a runtime event as a fact; a tool call of which it tells is `call_id`'s."""
    kind = kind_of(event)
    if call_id is not None:
        check_text(call_id, "call_id", ID_BYTES_MAX)
    event_id = new_event_id() if event_id is None else event_id
    make = _FACTS.get(kind)
    if make is None:
        reason = f"{shown(kind)} is no runtime event of agent-base"
        raise InvalidArgument("event.runtimeEventType", reason)
    type_, payload = make(event, call_id or event_id)
    if call_id is not None and type_ == _PROGRESSED:
        payload["call_id"] = call_id  # it names the provider's, by which the call may not be known
    envelope = {ours: event.get(theirs) for ours, theirs in ENVELOPE.items()}
    return NewEvent(payload, type_, event_id=event_id, **envelope)


def place_of(event: RuntimeEvent, field: str) -> str:
    """Return where an event says what its fact has in a field, by the names of the event."""
    kind, name = kind_of(event), re.split(r"[.\[]", field, maxsplit=1)[0]
    within = _WITHIN.get(kind, "")
    if kind == "userEvent":
        kind = event["event"]["userEventType"]
    step = event["checkpoint"]["step"] if kind == "checkpoint" else None
    if name in _OF_STEP and isinstance(step, Mapping):
        within += f"step.{next(iter(step))}."
    return f"{within}{_THEIRS.get(kind, {}).get(name, name)}{field[len(name) :]}"


def _given(event: RuntimeEvent, *names: str, **renamed: str) -> dict[str, Any]:
    """Return the fields that were said, under the catalogue's names."""
    fields = {name: name for name in names} | renamed
    return {ours: event[theirs] for ours, theirs in fields.items() if event.get(theirs) is not None}


def _needed(event: RuntimeEvent, name: str, of: str, place: str = "event") -> Any:
    """Return a field that every event of a kind has."""
    if name not in event:
        raise InvalidArgument(f"{place}.{name}", f"is missing, which every {of} has")
    return event[name]


def _object(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidArgument(place, f"expected an object, got {shown(value)}")
    return value


def _named(value: Any, names: Mapping[str, T], place: str) -> T:
    """Return what a name stands for."""
    if not isinstance(value, str) or value not in names:
        raise InvalidArgument(place, f"expected one of {', '.join(names)}, got {shown(value)}")
    return names[value]


def _text(event: RuntimeEvent, call_id: str) -> Told:
    return "message.streamed", {"delta": _needed(event, "text", "textDelta")}


def _thought(event: RuntimeEvent, call_id: str) -> Told:
    said = {"delta": _needed(event, "text", "thoughtDelta"), "kind": "thought"}
    return "message.streamed", said


def _draft(event: RuntimeEvent, call_id: str) -> Told:
    told = _given(event, "index", "args_len", "count", tool_name="name")
    return "message.streamed", {"kind": "tool_call_draft"} | told


def _started(event: RuntimeEvent, call_id: str) -> Told:
    return "tool.started", {"call_id": call_id} | _given(event, "tool_name", "args_json")


def _finished(event: RuntimeEvent, call_id: str) -> Told:
    told = {"call_id": call_id} | _given(event, "tool_name", "summary", "details")
    if event.get("denied"):
        return "tool.failed", told | {"denied": True}
    return "tool.finished", told


def _approval(event: RuntimeEvent, call_id: str) -> Told:
    place = "event.request"
    request = _object(_needed(event, "request", "awaitingApproval"), place)
    told = {"approval_id": call_id}
    told |= _given(request, "approval_id", "title", "message", "action_key", "raw", "source")
    risk = request.get("risk_level")
    if risk is not None:
        if not isinstance(risk, str):
            raise InvalidArgument(f"{place}.risk_level", f"expected text, got {shown(risk)}")
        told["risk_level"] = risk.lower()
    return "approval.requested", told


def _checkpoint(event: RuntimeEvent, call_id: str) -> Told:
    data = _object(_needed(event, "checkpoint", "checkpoint"), "event.checkpoint")
    step = _needed(data, "step", "checkpoint", "event.checkpoint")
    place = "event.checkpoint.step"
    # Rust's serde writes a variant without fields as text, one with fields as an object.
    is_object = isinstance(step, Mapping) and len(step) == 1
    [(name, given)] = step.items() if is_object else [(step, {})]
    told: dict[str, Any] = {"step": _named(name, _STEPS, place)}
    fields = _object(given, f"{place}.{name}")
    told |= _given(fields, "messages", "tools", "results")
    if fields.get("tool_calls"):
        told["tool_calls"] = _calls(fields["tool_calls"], f"{place}.{name}.tool_calls")
    return "checkpoint.saved", told | _given(data, "user_input", "turn_count", "checkpoint_id")


def _calls(given: Any, place: str) -> list[dict[str, Any]]:
    calls = []
    for number, call in enumerate(several(given, place, "calls")):
        fields = call_fields(call)
        if not isinstance(fields, Mapping):
            reason = f"expected an object, or its id, name and arguments, got {shown(call)}"
            raise InvalidArgument(f"{place}[{number}]", reason)
        calls.append(dict(fields))
    return calls


def _plan(event: RuntimeEvent, call_id: str) -> Told:
    told = {"objective": _needed(event, "objective", "planUpdated"), "plan": event.get("plan", [])}
    return "plan.updated", told | _given(event, "explanation")


def _user(event: RuntimeEvent, call_id: str) -> Told:
    inner = _object(_needed(event, "event", "userEvent"), "event.event")
    kind = _needed(inner, "userEventType", "userEvent", "event.event")
    return _named(kind, _USER_EVENTS, "event.event.userEventType")(inner)


def _partial(event: RuntimeEvent) -> Told:
    told = _given(event, "tool_call_id", "content", "is_partial")
    call_id = _needed(event, "tool_call_id", "toolPartialResult", "event.event")
    return _PROGRESSED, {"call_id": call_id} | told


#: In which object a kind of event says what its fact has.
_WITHIN = {"awaitingApproval": "request.", "checkpoint": "checkpoint.", "userEvent": "event."}
_OF_STEP = frozenset({"messages", "tools", "tool_calls", "results"})
#: A kind of event -> the fields of its fact that it calls otherwise.
_THEIRS = {
    "textDelta": {"delta": "text"},
    "thoughtDelta": {"delta": "text"},
    "toolCallDraft": {"tool_name": "name"},
    "runFailed": {"error_message": "error"},
    "structured": {"name": "event_type"},
    "subAgentEvent": {"data": "event"},
    "toolPartialResult": {"call_id": "tool_call_id"},
}
_STEPS = {
    "AfterUserInput": "after_user_input",
    "BeforeLlm": "before_llm",
    "BeforeToolCalls": "before_tool_calls",
    "AfterToolCalls": "after_tool_calls",
}
_USER_EVENTS: dict[str, Callable[[RuntimeEvent], Told]] = {
    "progress": lambda event: ("progress.reported", _given(event, "text")),
    "structured": lambda event: (
        "progress.reported",
        {"kind": "structured"} | _given(event, "data", name="event_type"),
    ),
    "subAgentEvent": lambda event: (
        "progress.reported",
        {"kind": "subagent"} | _given(event, "subagent", data="event"),
    ),
    "toolPartialResult": _partial,
}
_FACTS: dict[str, Make] = {
    "textDelta": _text,
    "thoughtDelta": _thought,
    "toolCallDraft": _draft,
    "toolCallStarted": _started,
    ENDS_CALL: _finished,
    "awaitingApproval": _approval,
    "checkpoint": _checkpoint,
    "runFinished": lambda event, _: ("run.finished", {}),
    "runCompleted": lambda event, _: ("run.finished", {}),
    "runFailed": lambda event, _: ("run.failed", _given(event, error_message="error")),
    "runCancelled": lambda event, _: ("run.cancelled", {}),
    "planUpdated": _plan,
    "userEvent": _user,
}
