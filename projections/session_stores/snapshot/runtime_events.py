"""agent-base's runtime events, as it serializes them, as facts of the catalogue. Pure.

They carry no id of a tool call: whoever appends them says which call is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ledger import InvalidArgument, NewEvent, new_event_id

RuntimeEvent = Mapping[str, Any]
Told = tuple[str, dict[str, Any]]
ENDS_CALL = "toolCallFinished"


def kind_of(event: RuntimeEvent) -> str:
    """Return which of the runtime events it is."""
    kind = event.get("runtimeEventType")
    if not isinstance(kind, str):
        raise InvalidArgument("event", "expected a runtimeEventType, a fact or a NewEvent")
    return kind


def new_event(event: RuntimeEvent, call_id: str | None, event_id: str | None) -> NewEvent:
    """Return a runtime event as a fact; a tool call that is begun or ended is `call_id`'s."""
    kind = kind_of(event)
    event_id = new_event_id() if event_id is None else event_id
    make = _FACTS.get(kind)
    if make is None:
        raise InvalidArgument("event", f"{kind!r} is no runtime event of agent-base")
    try:
        type_, payload = make(event, call_id or event_id)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidArgument("event", f"is not as {kind} should be: {error!r}") from error
    actor, trace_id = event.get("agent_id"), event.get("trace_id")
    return NewEvent(payload, type_, event_id=event_id, actor=actor, trace_id=trace_id)


def _given(event: RuntimeEvent, *names: str, **renamed: str) -> dict[str, Any]:
    """Return the fields that were said, under the catalogue's names."""
    fields = {name: name for name in names} | renamed
    return {ours: event[theirs] for ours, theirs in fields.items() if event.get(theirs) is not None}


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
    request = event["request"]
    told = {"approval_id": call_id}
    told |= _given(request, "approval_id", "title", "message", "action_key", "raw", "source")
    if request.get("risk_level") is not None:
        told["risk_level"] = request["risk_level"].lower()
    return "approval.requested", told


def _checkpoint(event: RuntimeEvent, call_id: str) -> Told:
    data = event["checkpoint"]
    step = data["step"]
    # Rust's serde writes a variant without fields as text, one with fields as an object.
    [(name, fields)] = [(step, {})] if isinstance(step, str) else step.items()
    told = {"step": _STEPS[name]} | _given(fields, "messages", "tools", "results")
    if fields.get("tool_calls"):
        told["tool_calls"] = [_call(call) for call in fields["tool_calls"]]
    return "checkpoint.saved", told | _given(data, "user_input", "turn_count", "checkpoint_id")


def _call(call: Any) -> dict[str, Any]:
    if isinstance(call, Mapping):
        return dict(call)
    id_, name, arguments = call
    return {"id": id_, "name": name, "arguments": arguments}


def _plan(event: RuntimeEvent, call_id: str) -> Told:
    told = {"objective": event["objective"], "plan": event.get("plan", [])}
    return "plan.updated", told | _given(event, "explanation")


def _user(event: RuntimeEvent, call_id: str) -> Told:
    inner = event["event"]
    return _USER_EVENTS[inner["userEventType"]](inner)


def _partial(event: RuntimeEvent) -> Told:
    told = _given(event, "tool_call_id", "content", "is_partial")
    return "tool.progressed", {"call_id": event["tool_call_id"]} | told


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
_FACTS: dict[str, Callable[[RuntimeEvent, str], Told]] = {
    "textDelta": lambda event, _: ("message.streamed", {"delta": event["text"]}),
    "thoughtDelta": lambda event, _: (
        "message.streamed",
        {"delta": event["text"], "kind": "thought"},
    ),
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
