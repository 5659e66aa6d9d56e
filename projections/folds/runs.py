"""One row per run: its status, what went in and came out, what it used, how it was judged.

The status is what was said, never guessed: pending until `run.started`, and messages alone start
nothing. Rules for facts that do not fit (each is also kept in `anomalies`):
- the first terminal fact wins, a later one changes nothing, its output included;
- a run may fail, be cancelled or time out before it starts; one that finishes is taken as started;
- a repeated `run.created` or `run.started` only fills what is still empty;
- work after the end is counted;
- `run.amended` sets what it names, also a status, and says nothing of how it came to it;
- feedback on a run that nobody has seen is kept, in a pending run; its usage, a change, a failure,
  a cancelling and a timeout are applied: these speak of a run as of something known, while what
  merely happens in one (messages, tools, turns and the like) may be the first that is seen of it;
- pending approvals beyond their bound are left out, and found in their own view.

A fact that names no run belongs to none; if it is one that only runs have, the session's row marks
it. A redacted run keeps its numbers and loses its words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from ledger.events import SESSION_DELETED, Event

from ..engine.projection import Index, Projection, payload
from .anomalies import Anomaly, anomaly
from .bounds import with_names
from .changes import EMPTY, Changes, filled, reached
from .durations import duration_us
from .sums import TOKEN_KINDS, ModelUsage, nano_usd, usd, with_kinds, with_usage

PENDING_APPROVALS_MAX = 100

TERMINAL = frozenset({"completed", "failed", "cancelled", "timeout"})
_FEEDBACK = frozenset({"feedback.given", "feedback.cleared"})
_PRESUMING = _FEEDBACK | {
    *("usage.recorded", "run.amended", "run.failed", "run.cancelled", "run.timed_out"),
}
_WORK = frozenset({"turn.started", "message.appended", "tool.started", "usage.recorded"})
_FILLED = frozenset(
    {
        *("parent_run_id", "agent_id", "provider", "model"),
        *("input", "metadata", "provider_metadata"),
    }
)
_AMENDED = (
    *("input", "output", "error", "metadata", "provider", "provider_metadata", "turn_count"),
    "status",
)


class Run(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A run as its facts say.

    `status` is pending, running, completed, failed, cancelled or timeout. `token_usage` sums by
    kind, other kinds included. `created_sequence` is None while nobody has created or
    started it. `cost_nano_usd`, in billionths of a US dollar, is None while no
    price is known. `duration_us`, in microseconds, is from the start, or from the first fact, to
    the end. `score` (1 to 5) and `reward` (any number) are the last ones given.
    """

    tenant: str
    session_id: str
    run_id: str
    first_sequence: int
    last_sequence: int
    position: int
    status: str = "pending"
    created_sequence: int | None = None
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
        named = dict.fromkeys(payload(event).get("run_ids", ()))
        return tuple((event.tenant, event.session_id, one) for one in named)
    run_id = _named(event)
    if run_id is None or event.type == SESSION_DELETED:
        return ()
    return ((event.tenant, event.session_id, run_id),)


def _named(event: Event) -> str | None:
    if event.type not in _FEEDBACK:
        return event.run_id
    data = payload(event)
    named: str | None = data.get("run_id")
    return named or (None if data.get("qa_id") else event.run_id)


def apply(run: Run | None, event: Event) -> Run | None:
    """Return the run after one more fact."""
    return apply_all(run, (event,))


def apply_all(run: Run | None, events: Sequence[Event]) -> Run | None:
    """Return the run after several more facts, in order; made once, and filled in."""
    new = None if run is None else msgspec.structs.replace(run)
    for event in events:
        if new is None:
            new = _new(event)
            if new is None:
                continue
        fold = _FOLDS.get(event.type)
        if fold is not None:
            changes = fold(new, event, payload(event))
            if event.type in _WORK and new.status in TERMINAL:
                changes |= anomaly(new, event, f"counted, the run was {new.status}")
            elif event.type in _PRESUMING and not new.event_count:
                changes |= anomaly(new, event, "applied, nobody had seen the run")
            filled(new, changes)
        force_setattr(new, "event_count", new.event_count + 1)
    return None if new is None else filled(new, reached(events[-1]))


def _new(event: Event) -> Run | None:
    run_id = _named(event)
    if run_id is None or event.type == "content.redacted":
        return None
    now = event.occurred_at
    return Run(
        tenant=event.tenant,
        session_id=event.session_id,
        run_id=run_id,
        first_sequence=event.sequence,
        last_sequence=event.sequence,
        position=event.position,
        created_at=now,
        updated_at=now,
    )


def _fill(run: Run, event: Event, data: Changes) -> Changes:
    changes: Changes = {
        name: value
        for name, value in data.items()
        if name in _FILLED and value is not None and getattr(run, name) in EMPTY
    }
    changes["created_sequence"] = run.created_sequence or event.sequence
    return changes


def _created(run: Run, event: Event, data: Changes) -> Changes:
    changes = _fill(run, event, data)
    if run.event_count:
        changes.update(anomaly(run, event, "not the run's first fact: only fills what is empty"))
    return changes


def _started(run: Run, event: Event, data: Changes) -> Changes:
    if run.status in TERMINAL:
        return anomaly(run, event, f"ignored, the run was {run.status} already")
    changes = _fill(run, event, data)
    if run.status == "running":
        changes.update(anomaly(run, event, "started before: only fills what is empty"))
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
        return anomaly(run, event, f"ignored, the run was {run.status} already")
    changes = {name: value for name, value in told.items() if value is not None}
    changes["status"] = status
    changes["ended_at"] = event.occurred_at
    changes["duration_us"] = duration_us(run.started_at or run.created_at, event.occurred_at)
    changes["pending_approvals"] = []
    if run.status == "pending" and status == "completed":
        changes.update(anomaly(run, event, "applied, nobody had started the run"))
    return changes


def _amended(run: Run, event: Event, data: Changes) -> Changes:
    changes = {name: data[name] for name in _AMENDED if name in data}
    if "token_usage" in data:
        changes["token_usage"] = with_kinds({}, data["token_usage"])
    if "cost_usd" in data:
        cost = data["cost_usd"]
        changes["cost_nano_usd"] = None if cost is None else nano_usd(cost)
    for name in ("started_at", "ended_at"):
        if name in data:
            changes[name] = data[name] and datetime.fromisoformat(data[name])
    if "started_at" in changes or "ended_at" in changes:
        ended_at = changes.get("ended_at", run.ended_at)
        started_at = changes.get("started_at", run.started_at) or run.created_at
        changes["duration_us"] = ended_at and duration_us(started_at, ended_at)
    return changes


def _usage(run: Run, event: Event, data: Changes) -> Changes:
    said = {kind: data[kind] for kind in TOKEN_KINDS if kind in data}
    changes: Changes = {
        "token_usage": with_kinds(run.token_usage, said | data.get("other_tokens", {})),
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
    asked = [one for one in [data.get("approval_id")] if one]
    pending, left_out = with_names(run.pending_approvals, asked, PENDING_APPROVALS_MAX)
    if left_out:
        return anomaly(run, event, "left out what is beyond the bound of pending approvals")
    return {"pending_approvals": pending}


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
    apply_all=apply_all,
    indexes=(
        ("tenant", "session_id", "first_sequence", "run_id"),
        ("tenant", "run_id", "created_at", "session_id"),
        ("tenant", "created_at", "session_id", "run_id"),
        ("tenant", "status", "created_at", "session_id", "run_id"),
        Index(("tenant", "agent_id", "created_at", "session_id", "run_id"), present="agent_id"),
    ),
)
