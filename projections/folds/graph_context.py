"""One row per session that has a snapshot of a knowledge graph; the last one set stands."""

from __future__ import annotations

from datetime import datetime

import msgspec

from ledger.events import Event

from ..engine.projection import Projection, payload


class GraphContext(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The snapshot as it was last set; "" is a snapshot, null was its removal."""

    tenant: str
    session_id: str
    first_sequence: int
    last_sequence: int
    position: int
    run_id: str | None = None
    content: str
    created_at: datetime
    updated_at: datetime


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """Every fact touches its session's snapshot."""
    return ((event.tenant, event.session_id),)


def apply(before: GraphContext | None, event: Event) -> GraphContext | None:
    """Return what was set, None if that was nothing."""
    content = payload(event).get("content")
    if content is None:
        return None
    return GraphContext(
        tenant=event.tenant,
        session_id=event.session_id,
        first_sequence=event.sequence if before is None else before.first_sequence,
        last_sequence=event.sequence,
        position=event.position,
        run_id=event.run_id,
        content=content,
        created_at=event.occurred_at if before is None else before.created_at,
        updated_at=event.occurred_at,
    )


GRAPH_CONTEXT = Projection(
    name="graph_context",
    version=1,
    view=GraphContext,
    key=("tenant", "session_id"),
    keys=keys,
    apply=apply,
    types=frozenset({"graph_context.set"}),
)
