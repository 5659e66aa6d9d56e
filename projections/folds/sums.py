"""Sums of tokens and cost, in whole numbers.

Cost is counted in nano-USD: floats would make the sum depend on where a batch was cut, and
micro-USD would round a short embedding (10 tokens at 0.02 USD per million) down to nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec

NANO_USD = 1_000_000_000
MODELS_MAX = 64
OTHER_KINDS_MAX = 64
OTHER_KINDS = "(other)"
OTHER_MODELS = "(other)"
TOKEN_KINDS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_creation_tokens",
    "reasoning_tokens",
)


class ModelUsage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one model used; `unpriced_count` of its `usage_count` facts came without a cost."""

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
    cost_nano_usd: int = 0

    @property
    def cost_usd(self) -> float:
        """The cost in US dollars."""
        return self.cost_nano_usd / NANO_USD


def nano_usd(cost_usd: float | None) -> int:
    """Return dollars as whole nano-dollars; nothing for None."""
    return 0 if cost_usd is None else round(cost_usd * NANO_USD)


def usd(cost_nano_usd: int | None) -> float | None:
    """Return nano-dollars as dollars."""
    return None if cost_nano_usd is None else cost_nano_usd / NANO_USD


def with_kinds(sums: dict[str, int], added: dict[str, int]) -> dict[str, int]:
    """Add counts by kind; kinds beyond the first ones share a sum, so that none is lost."""
    if not added:
        return sums
    merged = dict(sums)
    for kind, tokens in added.items():
        if kind not in merged and len(merged) >= OTHER_KINDS_MAX:
            kind = OTHER_KINDS
        merged[kind] = merged.get(kind, 0) + tokens
    return merged


def with_usage(by_model: dict[str, ModelUsage], usage: dict[str, Any]) -> dict[str, ModelUsage]:
    """Return the sums per model with one `usage.recorded` added; "" is usage without a model.

    The first models have a sum of their own, later ones share one, so that all of them together
    are always the session's total.
    """
    model = usage.get("model") or ""
    if model not in by_model and len(by_model) >= MODELS_MAX:
        model = OTHER_MODELS
    before = by_model.get(model) or ModelUsage()
    said, cost = usage.get, usage.get("cost_usd")
    after = ModelUsage(
        provider=said("provider") or before.provider,
        usage_count=before.usage_count + 1,
        unpriced_count=before.unpriced_count + (cost is None),
        error_count=before.error_count + bool(said("errored")),
        input_tokens=before.input_tokens + (said("input_tokens") or 0),
        output_tokens=before.output_tokens + (said("output_tokens") or 0),
        total_tokens=before.total_tokens + (said("total_tokens") or 0),
        cache_read_tokens=before.cache_read_tokens + (said("cache_read_tokens") or 0),
        cache_creation_tokens=before.cache_creation_tokens + (said("cache_creation_tokens") or 0),
        reasoning_tokens=before.reasoning_tokens + (said("reasoning_tokens") or 0),
        cost_nano_usd=before.cost_nano_usd + nano_usd(cost),
    )
    return {**by_model, model: after}
