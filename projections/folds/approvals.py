"""One row per approval: what was asked, how risky it was, what was decided and by whom.

Rules for facts that do not fit (each is also kept in `anomalies`):
- the first decision stands, a later one changes nothing;
- a decision that nobody asked for is a row of its own, which a late request fills; to allow an action
  always is said of what comes, and fits without a request;
- a second request only fills what is still empty.
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

REQUESTED = "requested"
_ASKED = (
    "title",
    "message",
    "action_key",
    "risk_level",
    "raw",
    "source",
    "tool_name",
    "policy_name",
    "call_id",
)


class Approval(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An approval. `status` is requested until it is the decision: allow_once, allow_always, deny.

    `requested_by` and `decided_by` are the actors of the facts.
    """

    tenant: str
    session_id: str
    approval_id: str
    first_sequence: int
    last_sequence: int
    position: int
    run_id: str | None = None
    status: str = REQUESTED
    title: str | None = None
    message: str | None = None
    action_key: str | None = None
    risk_level: str | None = None
    raw: Any = None
    source: str | None = None
    tool_name: str | None = None
    policy_name: str | None = None
    call_id: str | None = None
    requested_by: str | None = None
    decided_by: str | None = None
    reason: str | None = None
    created_at: datetime
    updated_at: datetime
    requested_at: datetime | None = None
    decided_at: datetime | None = None
    anomaly_count: int = 0
    anomalies: list[Anomaly] = msgspec.field(default_factory=list)


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """A fact touches the approval it names."""
    approval_id = payload(event).get("approval_id")
    return () if approval_id is None else ((event.tenant, event.session_id, approval_id),)


def apply(approval: Approval | None, event: Event) -> Approval:
    """Return the approval after one more fact."""
    data = payload(event)
    if approval is None:
        approval = Approval(
            tenant=event.tenant,
            session_id=event.session_id,
            approval_id=data["approval_id"],
            first_sequence=event.sequence,
            last_sequence=event.sequence,
            position=event.position,
            run_id=event.run_id,
            created_at=event.occurred_at,
            updated_at=event.occurred_at,
        )
    return msgspec.structs.replace(
        approval,
        **reached(event),
        **_FOLDS[event.type](approval, event, data),
    )


def _requested(approval: Approval, event: Event, data: Changes) -> Changes:
    changes: Changes = {
        name: data[name]
        for name in _ASKED
        if data.get(name) is not None and getattr(approval, name) is None
    }
    changes["requested_by"] = approval.requested_by or event.actor
    changes["requested_at"] = approval.requested_at or event.occurred_at
    if approval.requested_at is not None:
        changes.update(anomaly(approval, event, "asked before: only fills what is empty"))
    return changes


def _decided(approval: Approval, event: Event, data: Changes) -> Changes:
    if approval.decided_at is not None:
        return anomaly(approval, event, f"ignored, it was decided already: {approval.status}")
    changes: Changes = {
        "status": data.get("decision", REQUESTED),
        "decided_by": event.actor,
        "decided_at": event.occurred_at,
        "reason": data.get("reason"),
        "action_key": approval.action_key or data.get("action_key"),
        "tool_name": approval.tool_name or data.get("tool_name"),
    }
    in_advance = changes["status"] == "allow_always" and changes["action_key"] is not None
    if approval.requested_at is None and not in_advance:
        changes.update(anomaly(approval, event, "applied, nobody had asked"))
    return changes


_FOLDS: dict[str, Callable[[Approval, Event, Changes], Changes]] = {
    "approval.requested": _requested,
    "approval.decided": _decided,
}

APPROVALS = Projection(
    name="approvals",
    version=1,
    view=Approval,
    key=("tenant", "session_id", "approval_id"),
    keys=keys,
    apply=apply,
    indexes=(("tenant", "status", "created_at", "session_id", "approval_id"),),
    types=frozenset(_FOLDS),
)
