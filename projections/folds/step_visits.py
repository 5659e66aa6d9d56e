"""One row per step that a session entered, in the order of `first_sequence`, never changed.

A visit has no id of its own and goes by its event's. It stays when its scenario is left.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from ledger.events import Event

from ..engine.projection import Projection, payload


class StepVisit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A step that was entered, and why."""

    tenant: str
    session_id: str
    visit_id: str
    first_sequence: int
    last_sequence: int
    position: int
    run_id: str | None = None
    scenario_id: str
    scenario_version: int | None = None
    step_id: str
    step_name: str | None = None
    step_content_hash: str | None = None
    turn_number: int = 0
    transition_reason: str | None = None
    confidence: float = 1.0
    is_checkpoint: bool = False
    checkpoint_description: str | None = None
    entered_at: datetime


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """Every fact is a row, unless its content was erased."""
    named = {"scenario_id", "step_id"} <= payload(event).keys()
    return ((event.tenant, event.session_id, event.event_id),) if named else ()


def apply(visit: StepVisit | None, event: Event) -> StepVisit:
    """Return the visit; an event id comes once."""
    data = payload(event)
    return visit or StepVisit(
        tenant=event.tenant,
        session_id=event.session_id,
        visit_id=event.event_id,
        first_sequence=event.sequence,
        last_sequence=event.sequence,
        position=event.position,
        run_id=event.run_id,
        scenario_id=data["scenario_id"],
        scenario_version=data.get("scenario_version"),
        step_id=data["step_id"],
        step_name=data.get("step_name"),
        step_content_hash=data.get("step_content_hash"),
        turn_number=data.get("turn_number", 0),
        transition_reason=data.get("transition_reason"),
        confidence=float(data.get("confidence", 1.0)),
        is_checkpoint=data.get("is_checkpoint", False),
        checkpoint_description=data.get("checkpoint_description"),
        entered_at=event.occurred_at,
    )


STEP_VISITS = Projection(
    name="step_visits",
    version=1,
    view=StepVisit,
    key=("tenant", "session_id", "visit_id"),
    keys=keys,
    apply=apply,
    indexes=(("tenant", "session_id", "first_sequence"),),
    types=frozenset({"scenario.step_entered"}),
)
