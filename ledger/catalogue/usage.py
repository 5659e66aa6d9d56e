"""Facts about what a call to a model used and cost: the only ones that move token sums."""

from pydantic import Field

from .base import CostUsd, Count, Fact, Id, Milliseconds


class UsageRecorded(Fact, type="usage.recorded", version=1):
    """Tokens were used: an increment, never a running total.

    `total_tokens` is what the provider says it is. `other_tokens` counts kinds without a field of
    their own. Without a `cost_usd` the price is unknown, which is not the same as nothing.
    """

    model: Id | None = None
    provider: Id | None = None
    input_tokens: Count = 0
    output_tokens: Count = 0
    total_tokens: Count = 0
    cache_read_tokens: Count = 0
    cache_creation_tokens: Count = 0
    reasoning_tokens: Count = 0
    other_tokens: dict[str, Count] = Field(default_factory=dict)
    cost_usd: CostUsd | None = None
    errored: bool = False
    call_id: Id | None = None
    latency_ms: Milliseconds | None = None
