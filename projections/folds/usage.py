"""What was used, per session, model and day: what every total is added up from.

`usage.recorded` is an increment and is counted whenever it comes, also after the session's end.
The day is that of `occurred_at` in UTC; a model that nobody named is "".
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ledger.events import Event

from ..engine.projection import Projection, payload
from .changes import reached
from .sums import NANO_USD, TOKEN_KINDS, nano_usd, with_kinds


class Usage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one session used of one model on one day (`YYYY-MM-DD`, UTC).

    Cost is in billionths of a US dollar. `unpriced_count` of the `usage_count` facts came without a
    cost. `provider` is the last named.
    """

    tenant: str
    session_id: str
    model: str
    day: str
    first_sequence: int
    last_sequence: int
    position: int
    provider: str | None = None
    usage_count: int = 0
    unpriced_count: int = 0
    error_count: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0
    reasoning_tokens: int = 0
    other_tokens: dict[str, int] = msgspec.field(default_factory=dict)
    cost_nano_usd: int = 0
    created_at: datetime
    updated_at: datetime

    @property
    def cost_usd(self) -> float:
        """The cost of all usage whose price is known, in US dollars."""
        return self.cost_nano_usd / NANO_USD


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """A fact touches the row of its model and day."""
    model = payload(event).get("model") or ""
    return ((event.tenant, event.session_id, model, event.occurred_at.date().isoformat()),)


def apply(usage: Usage | None, event: Event) -> Usage:
    """Return the sums after one more fact."""
    data = payload(event)
    if usage is None:
        usage = Usage(
            tenant=event.tenant,
            session_id=event.session_id,
            model=data.get("model") or "",
            day=event.occurred_at.date().isoformat(),
            first_sequence=event.sequence,
            last_sequence=event.sequence,
            position=event.position,
            created_at=event.occurred_at,
            updated_at=event.occurred_at,
        )
    cost = data.get("cost_usd")
    changes: dict[str, Any] = {
        kind: getattr(usage, kind) + data[kind] for kind in TOKEN_KINDS if data.get(kind)
    }
    return msgspec.structs.replace(
        usage,
        **reached(event),
        provider=data.get("provider") or usage.provider,
        usage_count=usage.usage_count + 1,
        unpriced_count=usage.unpriced_count + (cost is None),
        error_count=usage.error_count + bool(data.get("errored")),
        other_tokens=with_kinds(usage.other_tokens, data.get("other_tokens") or {}),
        cost_nano_usd=usage.cost_nano_usd + nano_usd(cost),
        **changes,
    )


USAGE = Projection(
    name="usage",
    version=1,
    view=Usage,
    key=("tenant", "session_id", "model", "day"),
    keys=keys,
    apply=apply,
    indexes=(("tenant", "day", "session_id", "model"),),
    types=frozenset({"usage.recorded"}),
)
