"""One row per policy that was broken; a violation has no id of its own and goes by its event's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ledger.events import Event

from ..engine.projection import Projection, payload


class Violation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A broken policy and what was done about it: cancel, request_approval, warn or nothing."""

    tenant: str
    session_id: str
    violation_id: str
    first_sequence: int
    last_sequence: int
    position: int
    run_id: str | None = None
    policy: str
    kind: str
    action: str | None = None
    tool_name: str | None = None
    call_id: str | None = None
    details: Any = None
    actor: str | None = None
    created_at: datetime


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """Every fact is a row, unless its content was erased."""
    return ((event.tenant, event.session_id, event.event_id),) if payload(event) else ()


def apply(violation: Violation | None, event: Event) -> Violation:
    """Return the violation; an event id comes once."""
    data = payload(event)
    return violation or Violation(
        tenant=event.tenant,
        session_id=event.session_id,
        violation_id=event.event_id,
        first_sequence=event.sequence,
        last_sequence=event.sequence,
        position=event.position,
        run_id=event.run_id,
        policy=data.get("policy", ""),
        kind=data.get("kind", ""),
        action=data.get("action"),
        tool_name=data.get("tool_name"),
        call_id=data.get("call_id"),
        details=data.get("details"),
        actor=event.actor,
        created_at=event.occurred_at,
    )


VIOLATIONS = Projection(
    name="violations",
    version=1,
    view=Violation,
    key=("tenant", "session_id", "violation_id"),
    keys=keys,
    apply=apply,
    indexes=(("tenant", "policy", "created_at"),),
    types=frozenset({"policy.violated"}),
)
