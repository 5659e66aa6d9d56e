"""One row per run: its status, what went in and came out, what it used, how it was judged.

The status is what was said, never guessed: pending until `run.started`, and messages alone start
nothing. Rules for facts that do not fit (each is also kept in `anomalies`):
- the first terminal fact wins, a later one changes nothing, its output included;
- a repeated `run.created` or `run.started` only fills what is still empty;
- work after the end is counted.

Feedback on a run that nobody has seen creates no row. A redacted run keeps its numbers and loses
its words.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from ledger.events import SESSION_DELETED, Event

from .anomalies import Anomaly, noted
from .projection import Projection, payload
from .sums import TOKEN_KINDS, ModelUsage, nano_usd, usd, with_usage

TOKEN_KINDS_MAX = 64
PENDING_APPROVALS_MAX = 100

TERMINAL = frozenset({"completed", "failed", "cancelled", "timeout"})
_WORK = frozenset({"turn.started", "message.appended", "tool.started", "usage.recorded"})
_FILLED = (
    "parent_run_id",
    "agent_id",
    "provider",
    "model",
    "input",
    "metadata",
    "provider_metadata",
)
_AMENDED = ("input", "output", "error", "metadata", "provider", "provider_metadata", "turn_count")
_MICROSECOND = timedelta(microseconds=1)

Changes = dict[str, Any]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run as its facts say.

    `token_usage` sums by kind, other kinds included. `cost_nano_usd` is None while no price is
    known. `duration_us` is from the start, or from the first fact, to the end. `score` (1 to 5)
    and `reward` (any number) are the last ones given.
    """

    tenant: str
    session_id: str
    run_id: str
    first_sequence: int
    last_sequence: int
    position: int
    status: str = "pending"
    parent_run_id: str | None = None
    agent_id: str | None = None
    provider: str | None = None
    model: str | None = None
    input: Any = None
    output: Any = None
    error: dict[str, Any] | None = None
    error_code: str | None = None
    error_message: str | None = None
    stop_reason: str | None = None
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    provider_metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    plan: dict[str, Any] | None = None
    pending_approvals: list[str] = msgspec.field(default_factory=list)
    checkpoint_step: str | None = None
    checkpoint_sequence: int | None = None
    event_count: int = 0
    turn_count: int = 0
    message_count: int = 0
    tool_call_count: int = 0
    tool_failure_count: int = 0
    error_count: int = 0
    token_usage: dict[str, int] = msgspec.field(default_factory=dict)
    cost_nano_usd: int | None = None
    model_usage: dict[str, ModelUsage] = msgspec.field(default_factory=dict)
    score: int | None = None
    reward: float | None = None
    feedback_text: str | None = None
    feedback_count: int = 0
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_us: int | None = None
    is_redacted: bool = False
    anomaly_count: int = 0
    anomalies: list[Anomaly] = msgspec.field(default_factory=list)

    @property
    def cost_usd(self) -> float | None:
        """The cost of all usage whose price is known, in US dollars; None if none is."""
        return usd(self.cost_nano_usd)


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """A fact touches the run of its envelope; feedback and redaction may name others."""
    if event.type == "content.redacted":
        named = payload(event).get("run_ids", ())
        return tuple((event.tenant, event.session_id, run_id) for run_id in dict.fromkeys(named))
    run_id = event.run_id
    if event.type in ("feedback.given", "feedback.cleared"):
        data = payload(event)
        run_id = data.get("run_id") or (None if data.get("qa_id") else run_id)
    if run_id is None or event.type == SESSION_DELETED:
        return ()
    return ((event.tenant, event.session_id, run_id),)


def apply(run: Run | None, event: Event) -> Run | None:
    """Return the run after one more fact."""
    if run is None:
        if event.type in _NEVER_FIRST or event.run_id is None:
            return None
        run = Run(
            tenant=event.tenant,
            session_id=event.session_id,
            run_id=event.run_id,
            first_sequence=event.sequence,
            last_sequence=event.sequence,
            position=event.position,
            created_at=event.occurred_at,
            updated_at=event.occurred_at,
        )
    fold = _FOLDS.get(event.type)
    changes: Changes = {} if fold is None else fold(run, event, payload(event))
    changes["event_count"] = run.event_count + 1
    changes["last_sequence"] = event.sequence
    changes["position"] = event.position
    changes["updated_at"] = event.occurred_at
    if event.type in _WORK and run.status in TERMINAL:
        changes.update(_anomaly(run, event, f"counted, the run was {run.status}"))
    return msgspec.structs.replace(run, **changes)


def _anomaly(run: Run, event: Event, reason: str) -> Changes:
    return {
        "anomaly_count": run.anomaly_count + 1,
        "anomalies": noted(run.anomalies, event, reason),
    }


def _fill(run: Run, data: Changes) -> Changes:
    return {
        name: data[name]
        for name in _FILLED
        if data.get(name) is not None and getattr(run, name) in (None, {})
    }


def _created(run: Run, event: Event, data: Changes) -> Changes:
    changes = _fill(run, data)
    if run.event_count:
        changes.update(_anomaly(run, event, "not the run's first fact: only fills what is empty"))
    return changes


def _started(run: Run, event: Event, data: Changes) -> Changes:
    if run.status in TERMINAL:
        return _anomaly(run, event, f"ignored, the run was {run.status} already")
    changes = _fill(run, data)
    if run.status == "running":
        changes.update(_anomaly(run, event, "started before: only fills what is empty"))
    else:
        changes["status"] = "running"
        changes["started_at"] = run.started_at or event.occurred_at
    return changes


def _finished(run: Run, event: Event, data: Changes) -> Changes:
    told: Changes = {"output": data.get("output"), "stop_reason": data.get("stop_reason")}
    return _end(run, event, "completed", told | _provider(run, data))


def _failed(run: Run, event: Event, data: Changes) -> Changes:
    told = {name: data.get(name) for name in ("error", "error_code", "error_message", "output")}
    return _end(run, event, "failed", told | _provider(run, data))


def _cancelled(run: Run, event: Event, data: Changes) -> Changes:
    return _end(run, event, "cancelled", {"stop_reason": data.get("reason")})


def _timed_out(run: Run, event: Event, data: Changes) -> Changes:
    return _end(run, event, "timeout", {"stop_reason": data.get("reason")})


def _provider(run: Run, data: Changes) -> Changes:
    return {"provider_metadata": run.provider_metadata | data.get("provider_metadata", {})}


def _end(run: Run, event: Event, status: str, told: Changes) -> Changes:
    if run.status in TERMINAL:
        return _anomaly(run, event, f"ignored, the run was {run.status} already")
    changes = {name: value for name, value in told.items() if value is not None}
    changes["status"] = status
    changes["ended_at"] = event.occurred_at
    changes["duration_us"] = _duration_us(run.started_at or run.created_at, event.occurred_at)
    changes["pending_approvals"] = []
    return changes


def _duration_us(started_at: datetime, ended_at: datetime) -> int:
    # Clocks may go backwards between two machines; a run never took less than nothing.
    return max(0, (ended_at - started_at) // _MICROSECOND)


def _amended(run: Run, event: Event, data: Changes) -> Changes:
    changes = {name: data[name] for name in _AMENDED if name in data}
    if "token_usage" in data:
        changes["token_usage"] = dict(list(data["token_usage"].items())[:TOKEN_KINDS_MAX])
    if "cost_usd" in data:
        cost = data["cost_usd"]
        changes["cost_nano_usd"] = None if cost is None else nano_usd(cost)
    for name in ("started_at", "ended_at"):
        if name in data:
            changes[name] = data[name] and datetime.fromisoformat(data[name])
    if "started_at" in changes or "ended_at" in changes:
        ended_at = changes.get("ended_at", run.ended_at)
        started_at = changes.get("started_at", run.started_at) or run.created_at
        changes["duration_us"] = ended_at and _duration_us(started_at, ended_at)
    return changes


def _usage(run: Run, event: Event, data: Changes) -> Changes:
    token_usage = dict(run.token_usage)
    said = {kind: data[kind] for kind in TOKEN_KINDS if kind in data}
    for kind, tokens in (data.get("other_tokens", {}) | said).items():
        if kind in token_usage or len(token_usage) < TOKEN_KINDS_MAX:
            token_usage[kind] = token_usage.get(kind, 0) + tokens
    changes: Changes = {
        "token_usage": token_usage,
        "model_usage": with_usage(run.model_usage, data),
        "model": data.get("model") or run.model,
        "provider": run.provider or data.get("provider"),
    }
    if data.get("cost_usd") is not None:
        changes["cost_nano_usd"] = (run.cost_nano_usd or 0) + nano_usd(data["cost_usd"])
    if data.get("errored"):
        changes["error_count"] = run.error_count + 1
    return changes


def _feedback(run: Run, event: Event, data: Changes) -> Changes:
    changes: Changes = {"feedback_count": run.feedback_count + 1}
    if data.get("score") is not None:
        changes["score"] = data["score"]
    if data.get("reward") is not None:
        changes["reward"] = float(data["reward"])
    if data.get("text") is not None:
        changes["feedback_text"] = data["text"]
    return changes


def _feedback_cleared(run: Run, event: Event, data: Changes) -> Changes:
    return {"score": None, "reward": None, "feedback_text": None}


def _plan(run: Run, event: Event, data: Changes) -> Changes:
    return {"plan": data}


def _asked(run: Run, event: Event, data: Changes) -> Changes:
    asked = dict.fromkeys([*run.pending_approvals, *filter(None, [data.get("approval_id")])])
    return {"pending_approvals": list(asked)[:PENDING_APPROVALS_MAX]}


def _decided(run: Run, event: Event, data: Changes) -> Changes:
    decided = data.get("approval_id")
    return {"pending_approvals": [one for one in run.pending_approvals if one != decided]}


def _checkpoint(run: Run, event: Event, data: Changes) -> Changes:
    return {"checkpoint_step": data.get("step"), "checkpoint_sequence": event.sequence}


def _redacted(run: Run, event: Event, data: Changes) -> Changes:
    return {
        "input": None,
        "output": None,
        "error": None,
        "error_message": None,
        "stop_reason": None,
        "metadata": {},
        "provider_metadata": {},
        "plan": None,
        "feedback_text": None,
        "is_redacted": True,
    }


def _counts(field: str) -> Callable[[Run, Event, Changes], Changes]:
    return lambda run, event, data: {field: getattr(run, field) + 1}


_NEVER_FIRST = frozenset({"feedback.given", "feedback.cleared", "content.redacted"})

_FOLDS: dict[str, Callable[[Run, Event, Changes], Changes]] = {
    "run.created": _created,
    "run.started": _started,
    "run.finished": _finished,
    "run.failed": _failed,
    "run.cancelled": _cancelled,
    "run.timed_out": _timed_out,
    "run.amended": _amended,
    "usage.recorded": _usage,
    "turn.started": _counts("turn_count"),
    "message.appended": _counts("message_count"),
    "tool.started": _counts("tool_call_count"),
    "tool.failed": _counts("tool_failure_count"),
    "error.occurred": _counts("error_count"),
    "feedback.given": _feedback,
    "feedback.cleared": _feedback_cleared,
    "plan.updated": _plan,
    "approval.requested": _asked,
    "approval.decided": _decided,
    "checkpoint.saved": _checkpoint,
    "content.redacted": _redacted,
}

RUNS = Projection(
    name="runs",
    version=1,
    view=Run,
    key=("tenant", "session_id", "run_id"),
    keys=keys,
    apply=apply,
    indexes=(
        ("tenant", "session_id", "first_sequence"),
        ("tenant", "run_id"),
        ("tenant", "status", "created_at"),
        ("tenant", "created_at"),
    ),
)
