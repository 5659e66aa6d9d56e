"""One row per action that was allowed always in a session, with its revocation if there was one.

What is always allowed now are the rows without a `revoked_at`. Rules: a decision that names no
`action_key` allows its one call only; an action that is allowed again is allowed anew. Every
decision counts, as it does in the session's row, whatever became of its approval.

Rules for facts that do not fit (each is also kept in `anomalies`): the first revocation stands; one
of what was never allowed makes a row that says so.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ledger.events import Event

from ..engine.projection import Projection, payload
from .anomalies import Anomaly, anomaly, carried


class AllowedAction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A kind of action that need not be asked for again, unless it was revoked.

    `allowed_by` and `revoked_by` are the actors of the facts; `allowed_at` is None where nobody
    ever allowed it.
    """

    tenant: str
    session_id: str
    action_key: str
    first_sequence: int
    last_sequence: int
    position: int
    run_id: str | None = None
    approval_id: str | None = None
    tool_name: str | None = None
    allowed_by: str | None = None
    allowed_reason: str | None = None
    revoked_by: str | None = None
    revoked_reason: str | None = None
    allowed_at: datetime | None = None
    revoked_at: datetime | None = None
    anomaly_count: int = 0
    anomalies: list[Anomaly] = msgspec.field(default_factory=list)


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """A fact touches the action it names."""
    data = payload(event)
    action_key = data.get("action_key")
    if not action_key or data.get("decision", "allow_always") != "allow_always":
        return ()
    return ((event.tenant, event.session_id, action_key),)


def apply(action: AllowedAction | None, event: Event) -> AllowedAction:
    """Return the action after one more fact."""
    return (_allowed if event.type == "approval.decided" else _revoked)(action, event)


def _allowed(before: AllowedAction | None, event: Event) -> AllowedAction:
    data = payload(event)
    first = event.sequence if before is None else before.first_sequence
    return AllowedAction(
        tenant=event.tenant,
        session_id=event.session_id,
        action_key=data["action_key"],
        first_sequence=first,
        last_sequence=event.sequence,
        position=event.position,
        run_id=event.run_id,
        approval_id=data.get("approval_id"),
        tool_name=data.get("tool_name"),
        allowed_by=event.actor,
        allowed_reason=data.get("reason"),
        allowed_at=event.occurred_at,
        **carried(before),
    )


def _revoked(action: AllowedAction | None, event: Event) -> AllowedAction:
    data = payload(event)
    if action is None:
        action = AllowedAction(
            tenant=event.tenant,
            session_id=event.session_id,
            action_key=data["action_key"],
            first_sequence=event.sequence,
            last_sequence=event.sequence,
            position=event.position,
            run_id=event.run_id,
        )
    changes: dict[str, Any] = {"last_sequence": event.sequence, "position": event.position}
    if action.revoked_at is not None:
        changes |= anomaly(action, event, "ignored, it was revoked already")
    else:
        changes |= {
            "revoked_by": event.actor,
            "revoked_reason": data.get("reason"),
            "revoked_at": event.occurred_at,
        }
        if action.allowed_at is None:
            changes |= anomaly(action, event, "applied, nobody had allowed it")
    return msgspec.structs.replace(action, **changes)


ALLOWED_ACTIONS = Projection(
    name="allowed_actions",
    version=1,
    view=AllowedAction,
    key=("tenant", "session_id", "action_key"),
    keys=keys,
    apply=apply,
    types=frozenset({"approval.decided", "approval.revoked"}),
)
