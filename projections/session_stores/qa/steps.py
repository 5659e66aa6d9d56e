"""The steps of an agent, and the snapshot of the knowledge graph, of a session. Plans."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ledger import InvalidArgument, new_event_id
from ledger.plans import Plan

from ...folds.graph_context import GraphContext
from ...folds.traces import Span
from .core import QACore
from .entries import once
from .ids import Key, Place, canonical, dataset_uuid
from .json_values import json_value
from .records import SessionTraceStep, Stored, checked_last, step_of

FEEDBACK_CHARS_MAX = 500
_SUCCEEDED = ("success", "succeeded", "ok")
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NAMED = ("origin_function", "status")
_TEXTS = ("memory_query", "memory_context", "error_message", "session_feedback")


def save(
    core: QACore, place: Place, step: SessionTraceStep, dataset_id: Key | None
) -> Plan[Stored]:
    """Append a step; one of an id that is there already is the same step, or refused."""
    if not isinstance(step, SessionTraceStep):
        raise InvalidArgument("step", f"expected a SessionTraceStep, got {type(step).__name__}")
    given = step.trace_id is not None
    step_id = canonical(step.trace_id, "trace_id") if given else new_event_id()
    payload: dict[str, Any] = {"step_id": step_id}
    payload |= {name: _text(step, name) for name in (*_NAMED, *_TEXTS)}
    said = payload["session_feedback"]
    if not said.strip():
        payload["session_feedback"] = feedback_text(
            payload["origin_function"], payload["status"], payload["error_message"]
        )
    payload["method_params"] = _params(step.method_params)
    payload["method_return_value"] = json_value(step.method_return_value)
    fact = core.fact("trace.appended", payload)
    dataset = None if dataset_id is None else dataset_uuid(dataset_id)
    if given:
        return (
            yield from once(
                core,
                place,
                step_id,
                fact,
                ("traces", f"step:{step_id}"),
                dataset,
                # Feedback was once stored as it was given, empty or not.
                formerly=payload | {"session_feedback": said},
            )
        )
    appended = yield from core.write(place, [fact], dataset)
    return Stored(step_id, appended[0].sequence)


def steps(core: QACore, place: Place, last_n: int | None) -> Plan[list[SessionTraceStep]]:
    """Return the steps of a session, or the last of them, oldest first."""
    count = checked_last(last_n)
    if not (yield from core.is_there(place)):
        return []
    found: list[Span] = yield core.views.steps(place.ledger_id, tenant=core.tenant, last_n=count)
    return [step_of(one) for one in found]


def steps_after(
    core: QACore, place: Place, sequence: int, limit: int | None
) -> Plan[list[SessionTraceStep]]:
    """Return the first steps of a session behind a sequence, oldest first."""
    if not (yield from core.is_there(place)):
        return []
    found: list[Span] = yield core.views.steps_after(
        place.ledger_id, sequence, tenant=core.tenant, limit=limit
    )
    return [step_of(one) for one in found]


def feedback(core: QACore, place: Place, last_n: int | None) -> Plan[list[str]]:
    """Return what the steps say about themselves, by the rules of `steps`."""
    found = yield from steps(core, place, last_n)
    return [one.session_feedback for one in found]


def count(core: QACore, place: Place) -> Plan[int]:
    """Return how many steps a session has."""
    if not (yield from core.is_there(place)):
        return 0
    found: int = yield core.views.count_steps(place.ledger_id, tenant=core.tenant)
    return found


def graph_context(core: QACore, place: Place) -> Plan[str | None]:
    """Return the snapshot of the graph, or None."""
    if not (yield from core.is_there(place)):
        return None
    found: GraphContext | None = yield core.views.graph_context(place.ledger_id, tenant=core.tenant)
    return None if found is None else found.content


def set_graph_context(core: QACore, place: Place, context: str | None) -> Plan[int]:
    """Replace the snapshot of the graph, or remove it."""
    fact = core.fact("graph_context.set", {"content": context})
    appended = yield from core.write(place, [fact])
    return appended[0].sequence


def feedback_text(origin_function: str, status: str, error_message: str = "") -> str:
    """Return what a step says about itself when no model words it. Pure."""
    name = scrubbed(origin_function)
    if status.strip().casefold() in _SUCCEEDED:
        return f"{name} succeeded."
    reason = scrubbed(error_message)
    return f"{name} failed. Reason: {reason}." if reason else f"{name} failed."


def scrubbed(text: str) -> str:
    """Return a text without escape sequences and control characters, cut where it gets long."""
    plain = _CONTROL.sub("", _ESCAPES.sub("", text))
    return plain.strip()[:FEEDBACK_CHARS_MAX].rstrip(".")


def _text(step: SessionTraceStep, name: str) -> str:
    value: object = getattr(step, name)
    if not isinstance(value, str):
        raise InvalidArgument(name, f"expected text, got {type(value).__name__}")
    if name not in _NAMED:
        return value
    if not value.strip():
        raise InvalidArgument(name, "must not be empty or blank")
    return value.strip()


def _params(given: object) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise InvalidArgument("method_params", f"expected names with values, got {kind}")
    params: dict[str, Any] = json_value(given)
    return params
