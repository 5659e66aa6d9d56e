"""How the work was done: one row per run, turn, tool call, span and flat step.

`span_id` is the id of the row and carries its source in front ("run:…", "turn:…", "call:…",
"span:…", "step:…"), because a run and a span may well have the same id of their own. The two facts
of a tool call meet by `call_id`; `tool_call_id` is the provider's, may repeat and is only kept.

Rules for facts that do not fit (each is also kept in `anomalies`, except for runs and turns, which
have views of their own to keep them):
- the first result stands, a later one or later progress changes nothing;
- a call or span that nobody had started is made by what comes instead, unless its end says when;
- a start after the end, or a second one, only fills what is still empty;
- the first step of an id stands, for steps are never changed;
- a latency that no column holds is left out, and marked here for turns, too: start and end tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ledger.events import Event

from ..engine.projection import Index, Projection, payload
from .anomalies import Anomaly, anomaly
from .changes import EMPTY, Changes, filled
from .durations import duration_us, whole_us

RUNNING = "running"
# Starts may be repeated; what is here already is then all there will be.
ATTRIBUTES_MAX = 1_000


class Span(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A piece of work. `parent_span_id` is the `span_id` of another row, which may be missing.

    `source` is run, turn, call, span or step. `kind` is run, turn, tool, step, or free for spans.
    `status` is pending, running, ok, error, denied, cancelled or timeout, and free for spans and
    steps. `own_id` is the id in the facts. `duration_us` is in microseconds. A step has its
    memory and feedback among its `attributes`, a turn and a call whatever else was said of them.
    """

    tenant: str
    session_id: str
    span_id: str
    parent_span_id: str | None = None
    source: str
    own_id: str
    kind: str
    name: str | None = None
    status: str = RUNNING
    first_sequence: int
    last_sequence: int
    position: int
    run_id: str | None = None
    tool_call_id: str | None = None
    trace_id: str | None = None
    input: Any = None
    output: Any = None
    error: Any = None
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_us: int | None = None
    anomaly_count: int = 0
    anomalies: list[Anomaly] = msgspec.field(default_factory=list)


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """A fact touches the piece of work it names; a redaction may name many."""
    if event.type == "content.redacted":
        return _redacted_keys(event)
    own_id = _own_id(event)
    if own_id is None:
        return ()
    return ((event.tenant, event.session_id, f"{_SOURCES[event.type]}:{own_id}"),)


def apply(span: Span | None, event: Event) -> Span | None:
    """Return the piece of work after one more fact."""
    return apply_all(span, (event,))


def apply_all(span: Span | None, events: Sequence[Event]) -> Span | None:
    """Return the piece of work after several more facts, in order; made once, and filled in."""
    new = None if span is None else msgspec.structs.replace(span)
    for event in events:
        fold = _FOLDS.get(event.type)
        if fold is None:
            new = None  # a redaction takes the row away; later facts may begin it anew
            continue
        data = payload(event)
        is_first = new is None
        if new is None:
            new = _new(event)
            if new is None:
                continue
        changes = fold(new, event, data)
        if event.type in _JUDGED:
            reason = _misfit(None if is_first else new, event, data)
            if reason is not None:
                changes |= anomaly(new, event, reason)
        changes["last_sequence"] = event.sequence
        changes["position"] = event.position
        filled(new, changes)
    return new


def _misfit(span: Span | None, event: Event, data: Changes) -> str | None:
    """Say what was made of a fact that does not fit, None of one that does."""
    starts = event.type in _STARTS
    if span is None:
        told = starts or event.type == "trace.appended" or "started_at" in data
        return None if told else "applied, nobody had started it"
    if starts:
        fills = span.ended_at is not None or span.started_at is not None
        return f"{span.status} before: only fills what is empty" if fills else None
    return None if span.ended_at is None else f"ignored, it had ended already: {span.status}"


def _redacted_keys(event: Event) -> tuple[tuple[str, ...], ...]:
    data = payload(event)
    named = [f"run:{run_id}" for run_id in data.get("run_ids", ())]
    for own_id in data.get("span_ids", ()):
        named += [f"{source}:{own_id}" for source in ("turn", "call", "span", "step")]
    return tuple((event.tenant, event.session_id, span_id) for span_id in dict.fromkeys(named))


def _own_id(event: Event) -> str | None:
    field = _ID_FIELDS[event.type]
    if field == "run_id":
        return event.run_id
    data = payload(event)
    own_id: str | None = data.get(field)
    if own_id is None and field == "step_id" and "origin_function" in data:
        return event.event_id
    return own_id


def _new(event: Event) -> Span | None:
    own_id = _own_id(event)
    if own_id is None:
        return None
    source = _SOURCES[event.type]
    return Span(
        tenant=event.tenant,
        session_id=event.session_id,
        span_id=f"{source}:{own_id}",
        source=source,
        own_id=own_id,
        kind="tool" if source == "call" else source,
        first_sequence=event.sequence,
        last_sequence=event.sequence,
        position=event.position,
        run_id=event.run_id,
        trace_id=event.trace_id,
        created_at=event.occurred_at,
    )


def _parent(span: Span, event: Event, data: Changes) -> str | None:
    """What the fact says, else what was said before, else the run."""
    if span.source == "run":
        parent = data.get("parent_run_id")
        return f"run:{parent}" if parent else span.parent_span_id
    if data.get("parent_span_id"):
        return f"span:{data['parent_span_id']}"
    if data.get("turn_id") and span.source != "turn":
        return f"turn:{data['turn_id']}"
    if span.parent_span_id is None and event.run_id is not None:
        return f"run:{event.run_id}"
    return span.parent_span_id


def _begin(
    span: Span, event: Event, data: Changes, told: Changes, attributes: Changes | None = None
) -> Changes:
    """Fill in what the start says; the end may have been here before."""
    if span.position == event.position:  # this very fact has made the row, which is empty
        changes = told
    else:
        changes = {name: value for name, value in told.items() if getattr(span, name) in EMPTY}
    if attributes and len(span.attributes) < ATTRIBUTES_MAX:
        changes["attributes"] = attributes | span.attributes
    changes["parent_span_id"] = _parent(span, event, data)
    if span.started_at is None:
        changes["started_at"] = event.occurred_at
        if span.ended_at is not None and span.duration_us is None:
            changes["duration_us"] = duration_us(event.occurred_at, span.ended_at)
    return changes


def _end(span: Span, event: Event, data: Changes, status: str, told: Changes) -> Changes:
    """Say how it ended, unless that was said before."""
    if span.ended_at is not None:
        return {}
    changes = {name: value for name, value in told.items() if value is not None}
    ended_at = event.occurred_at
    changes["parent_span_id"] = _parent(span, event, data)
    changes["status"] = status
    changes["ended_at"] = ended_at
    latency_ms = data.get("latency_ms")
    started_at = changes.get("started_at", span.started_at)
    latency_us = None if latency_ms is None else whole_us(latency_ms)
    if latency_us is not None:
        changes["duration_us"] = latency_us
    elif started_at is not None:
        changes["duration_us"] = duration_us(started_at, ended_at)
    if latency_ms is not None and latency_us is None:
        changes |= anomaly(span, event, "applied without its latency, which is no time")
    return changes


def _run_told(data: Changes) -> Changes:
    return {"input": data.get("input"), "name": data.get("agent_id")}


def _run_created(span: Span, event: Event, data: Changes) -> Changes:
    changes = _begin(span, event, data, _run_told(data))
    changes.pop("started_at", None)
    changes.pop("duration_us", None)
    if span.ended_at is None and span.started_at is None:
        changes["status"] = "pending"
    return changes


def _run_started(span: Span, event: Event, data: Changes) -> Changes:
    changes = _begin(span, event, data, _run_told(data))
    if span.ended_at is None:
        changes["status"] = RUNNING
    return changes


def _run_finished(span: Span, event: Event, data: Changes) -> Changes:
    return _end(span, event, data, "ok", {"output": data.get("output")})


def _run_failed(span: Span, event: Event, data: Changes) -> Changes:
    error = _error(data) if data.get("error") is None else data["error"]
    return _end(span, event, data, "error", {"output": data.get("output"), "error": error})


def _run_stopped(status: str) -> Callable[[Span, Event, Changes], Changes]:
    return lambda span, event, data: _end(span, event, data, status, {"error": data.get("reason")})


def _error(data: Changes) -> Changes | None:
    if "error_code" not in data and "error_message" not in data:
        return None  # as nearly always
    said = {name: data[name] for name in ("error_code", "error_message") if data.get(name)}
    return said or None


def _turn_started(span: Span, event: Event, data: Changes) -> Changes:
    told = {"name": _turn_name(data), "input": data.get("user_message")}
    return _begin(span, event, data, told, _rest(data, _TURN_COLUMNS))


def _turn_finished(span: Span, event: Event, data: Changes) -> Changes:
    told = {
        "name": span.name or _turn_name(data),
        "output": data.get("agent_response"),
        "attributes": span.attributes | _rest(data, _ANSWER_COLUMNS),
    }
    return _end(span, event, data, "ok", told)


def _turn_name(data: Changes) -> str | None:
    number = data.get("turn_number")
    return None if number is None else f"turn {number}"


def _tool_started(span: Span, event: Event, data: Changes) -> Changes:
    arguments = data.get("tool_input")
    told = {
        "name": data.get("tool_name"),
        "tool_call_id": data.get("tool_call_id"),
        "input": data.get("args_json") if arguments is None else arguments,
    }
    return _begin(span, event, data, told, _rest(data, _TOOL_COLUMNS))


def _tool_progressed(span: Span, event: Event, data: Changes) -> Changes:
    # What is there so far; the result takes its place.
    return {} if span.ended_at is not None else {"output": data.get("content")}


def _tool_ended(span: Span, event: Event, data: Changes) -> Changes:
    failed = event.type == "tool.failed"
    status = "ok" if not failed else "denied" if data.get("denied") else "error"
    told = {
        "name": span.name or data.get("tool_name"),
        "tool_call_id": span.tool_call_id or data.get("tool_call_id"),
        "input": data.get("tool_input") if span.input is None else span.input,
        "error": _error(data),
        "attributes": span.attributes | _rest(data, _TOOL_COLUMNS),
    }
    changes = _end(span, event, data, status, told)
    if changes:
        changes["output"] = data.get("tool_output")
    return changes


def _span_started(span: Span, event: Event, data: Changes) -> Changes:
    told = {"name": data.get("name"), "input": data.get("input")}
    changes = _begin(span, event, data, told, data.get("attributes"))
    if data.get("kind") and span.kind == "span":
        changes["kind"] = data["kind"]
    return changes


def _span_finished(span: Span, event: Event, data: Changes) -> Changes:
    told = {
        "kind": data.get("kind"),
        "name": data.get("name"),
        "input": data.get("input"),
        "output": data.get("output"),
        "error": data.get("error"),
        "started_at": data.get("started_at") and datetime.fromisoformat(data["started_at"]),
        "attributes": span.attributes | data.get("attributes", {}),
    }
    status = data.get("status") or ("ok" if told["error"] is None else "error")
    return _end(span, event, data, status, told)


def _step(span: Span, event: Event, data: Changes) -> Changes:
    told = {
        "name": data.get("origin_function"),
        "input": data.get("method_params"),
        "output": data.get("method_return_value"),
        "error": data.get("error_message") or None,
        "attributes": _rest(data, _STEP_COLUMNS),
    }
    return _end(span, event, data, data.get("status", ""), told)


def _rest(data: Changes, columns: frozenset[str]) -> Changes:
    return {name: value for name, value in data.items() if name not in columns}


_TURN_COLUMNS = frozenset({"turn_id", "user_message"})
_ANSWER_COLUMNS = frozenset({"turn_id", "agent_response"})
_TOOL_COLUMNS = frozenset(
    {
        *("call_id", "tool_name", "tool_call_id", "tool_input", "args_json", "tool_output"),
        *("error_code", "error_message", "parent_span_id"),
    }
)
_STEP_COLUMNS = frozenset(
    {
        *("step_id", "origin_function", "status", "method_params", "method_return_value"),
        *("error_message", "parent_span_id"),
    }
)

_FOLDS: dict[str, Callable[[Span, Event, Changes], Changes]] = {
    "run.created": _run_created,
    "run.started": _run_started,
    "run.finished": _run_finished,
    "run.failed": _run_failed,
    "run.cancelled": _run_stopped("cancelled"),
    "run.timed_out": _run_stopped("timeout"),
    "turn.started": _turn_started,
    "turn.finished": _turn_finished,
    "tool.started": _tool_started,
    "tool.progressed": _tool_progressed,
    "tool.finished": _tool_ended,
    "tool.failed": _tool_ended,
    "span.started": _span_started,
    "span.finished": _span_finished,
    "trace.appended": _step,
}
_STARTS = frozenset({"tool.started", "span.started"})
# The first word of a type names the source, except for these two.
_SOURCES = {name: name.split(".")[0] for name in _FOLDS}
_SOURCES |= {name: "call" for name in _FOLDS if name.startswith("tool.")}
_SOURCES["trace.appended"] = "step"
_ID_FIELDS = {name: f"{source}_id" for name, source in _SOURCES.items()}
# Whose misfits are kept here; those of runs and turns are kept in views of their own.
_JUDGED = frozenset(name for name in _FOLDS if _SOURCES[name] not in ("run", "turn"))

TRACES = Projection(
    name="traces",
    version=1,
    view=Span,
    key=("tenant", "session_id", "span_id"),
    keys=keys,
    apply=apply,
    apply_all=apply_all,
    indexes=(
        ("tenant", "session_id", "first_sequence", "span_id"),
        ("tenant", "session_id", "run_id", "first_sequence", "span_id"),
        Index(("tenant", "trace_id"), present="trace_id"),
    ),
    types=frozenset({*_FOLDS, "content.redacted"}),
)
