"""One row per turn: what the user said, what was answered, and what audits ask about it.

Rules for facts that do not fit (each is also kept in `anomalies`):
- the first end stands, a later one changes nothing;
- a second start, or one after the end, only fills what is still empty.

A turn may be told by its end alone. Analyses that name no turn belong to none and stay in the log.
A redaction names turns among its `span_ids`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from ledger.events import Event

from ..engine.projection import Projection, payload
from .anomalies import Anomaly, anomaly
from .changes import Changes, reached


class Turn(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A turn of the user. `status` is pending (only analysed so far), running or finished.

    `latency_ms` and `tokens_used` are as told, never computed. Tool calls are those of the turn's
    own summary; the ones that were recorded one by one are in the traces, under `turn:<turn_id>`.
    """

    tenant: str
    session_id: str
    turn_id: str
    first_sequence: int
    last_sequence: int
    position: int
    run_id: str | None = None
    status: str = "pending"
    turn_number: int | None = None
    user_message: str | None = None
    agent_response: str | None = None
    outcome: Any = None
    canonical_intent: str | None = None
    latency_ms: float | None = None
    tokens_used: int | None = None
    scenario_id: str | None = None
    step_id: str | None = None
    scenario_before: dict[str, Any] | None = None
    scenario_after: dict[str, Any] | None = None
    matched_rule_ids: list[str] = msgspec.field(default_factory=list)
    matched_rules_count: int | None = None
    template_ids_used: list[str] = msgspec.field(default_factory=list)
    tool_calls: list[dict[str, Any]] = msgspec.field(default_factory=list)
    tool_executions: list[Any] = msgspec.field(default_factory=list)
    enforcement_triggered: bool = False
    enforcement_action: str | None = None
    enforcement_violations: list[Any] = msgspec.field(default_factory=list)
    regeneration_attempts: int | None = None
    scenario_lifecycle_decisions: list[Any] = msgspec.field(default_factory=list)
    step_transitions: list[Any] = msgspec.field(default_factory=list)
    query_to_answer: str | None = None
    response_to_user: str | None = None
    served_context_ratings: list[Any] = msgspec.field(default_factory=list)
    candidate_context_updates: list[Any] = msgspec.field(default_factory=list)
    previous_answer_rating: Any = None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    anomaly_count: int = 0
    anomalies: list[Anomaly] = msgspec.field(default_factory=list)


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """A fact touches the turn it names; a redaction may name many."""
    data = payload(event)
    if event.type != "content.redacted":
        named = data.get("turn_id")
        return ((event.tenant, event.session_id, named),) if isinstance(named, str) else ()
    return tuple(
        (event.tenant, event.session_id, turn_id)
        for turn_id in dict.fromkeys(data.get("span_ids", ()))
        if isinstance(turn_id, str)
    )


def apply(turn: Turn | None, event: Event) -> Turn | None:
    """Return the turn after one more fact, None if there is none or no longer."""
    fold = _FOLDS.get(event.type)
    if fold is None:
        return None
    data = payload(event)
    if turn is None:
        turn = Turn(
            tenant=event.tenant,
            session_id=event.session_id,
            turn_id=data["turn_id"],
            first_sequence=event.sequence,
            last_sequence=event.sequence,
            position=event.position,
            run_id=event.run_id,
            created_at=event.occurred_at,
            updated_at=event.occurred_at,
        )
    return msgspec.structs.replace(
        turn,
        **reached(event),
        **fold(turn, event, data),
    )


def _started(turn: Turn, event: Event, data: Changes) -> Changes:
    changes: Changes = {
        name: data[name]
        for name in _ASKED
        if data.get(name) is not None and getattr(turn, name) is None
    }
    if turn.status != "pending":
        changes.update(anomaly(turn, event, f"{turn.status} before: only fills what is empty"))
    else:
        changes["status"] = "running"
    changes["started_at"] = turn.started_at or event.occurred_at
    return changes


def _finished(turn: Turn, event: Event, data: Changes) -> Changes:
    if turn.ended_at is not None:
        return anomaly(turn, event, "ignored, the turn was finished already")
    changes: Changes = {name: data[name] for name in _ANSWERED if data.get(name) is not None}
    if changes.get("latency_ms") is not None:
        changes["latency_ms"] = float(changes["latency_ms"])
    changes["status"] = "finished"
    changes["ended_at"] = event.occurred_at
    return changes


def _analysed(turn: Turn, event: Event, data: Changes) -> Changes:
    return {name: data[name] for name in _ANALYSED if data.get(name) is not None}


_ASKED = ("turn_number", "user_message", "scenario_before")
_ANALYSED = (
    "query_to_answer",
    "response_to_user",
    "served_context_ratings",
    "candidate_context_updates",
    "previous_answer_rating",
)
_ANSWERED = (
    "turn_number",
    "agent_response",
    "outcome",
    "canonical_intent",
    "latency_ms",
    "tokens_used",
    "scenario_id",
    "step_id",
    "scenario_before",
    "scenario_after",
    "matched_rule_ids",
    "matched_rules_count",
    "template_ids_used",
    "tool_calls",
    "tool_executions",
    "enforcement_triggered",
    "enforcement_action",
    "enforcement_violations",
    "regeneration_attempts",
    "scenario_lifecycle_decisions",
    "step_transitions",
)

_FOLDS: dict[str, Callable[[Turn, Event, Changes], Changes]] = {
    "turn.started": _started,
    "turn.finished": _finished,
    "turn.analysed": _analysed,
}

TURNS = Projection(
    name="turns",
    version=1,
    view=Turn,
    key=("tenant", "session_id", "turn_id"),
    keys=keys,
    apply=apply,
    indexes=(
        ("tenant", "session_id", "first_sequence", "turn_id"),
        ("tenant", "created_at", "session_id", "turn_id"),
    ),
    types=frozenset({*_FOLDS, "content.redacted"}),
)
