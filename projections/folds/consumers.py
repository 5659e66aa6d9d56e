"""One row per consumer of a session: how far it has come, and what it wants to find again.

The last word stands, also when it goes back: whoever clamps a mark means it. What a fact does not
say is kept.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ledger.events import Event

from ..engine.projection import Projection, payload


class Consumer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A consumer's mark: done up to event `sequence`, or with the first `count` entries."""

    tenant: str
    session_id: str
    consumer: str
    first_sequence: int
    last_sequence: int
    position: int
    sequence: int | None = None
    count: int | None = None
    state: Any = None
    advance_count: int = 0
    created_at: datetime
    updated_at: datetime


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """A fact touches the consumer it names."""
    consumer = payload(event).get("consumer")
    return () if consumer is None else ((event.tenant, event.session_id, consumer),)


def apply(consumer: Consumer | None, event: Event) -> Consumer:
    """Return the consumer after one more fact."""
    data = payload(event)
    if consumer is None:
        consumer = Consumer(
            tenant=event.tenant,
            session_id=event.session_id,
            consumer=data["consumer"],
            first_sequence=event.sequence,
            last_sequence=event.sequence,
            position=event.position,
            created_at=event.occurred_at,
            updated_at=event.occurred_at,
        )
    return msgspec.structs.replace(
        consumer,
        last_sequence=event.sequence,
        position=event.position,
        advance_count=consumer.advance_count + 1,
        updated_at=event.occurred_at,
        **{name: data[name] for name in ("sequence", "count", "state") if name in data},
    )


CONSUMERS = Projection(
    name="consumers",
    version=1,
    view=Consumer,
    key=("tenant", "session_id", "consumer"),
    keys=keys,
    apply=apply,
    types=frozenset({"consumer.offset_advanced"}),
)
