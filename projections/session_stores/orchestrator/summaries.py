"""What runs used and cost, added up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Annotated

import msgspec
from msgspec import Meta

from ledger.catalogue.base import COST_USD_MAX

from ...folds.sums import NANO_USD, nano_usd
from .records import RunRecord, converted

#: US dollars per token by kind: input, output, cache_read, cache_creation.
Rates = Mapping[str, Annotated[float, Meta(ge=0, le=COST_USD_MAX)]]
#: Provider -> model, or the beginning of its name -> rates; "default" is for any other model.
PricingTable = Mapping[str, Mapping[str, Rates]]

DEFAULT_MODEL = "default"
UNKNOWN = "unknown"
_KINDS = ("input_tokens", "output_tokens", "total_tokens")


class _Prices(msgspec.Struct, frozen=True):
    pricing_table: PricingTable


class TokenTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of runs; `total_tokens` adds up what the providers said, not the other two."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    run_count: int = 0


class UsageSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of runs, all together and by provider; without one it is "unknown"."""

    total: TokenTotals
    by_provider: dict[str, TokenTotals]


class CostTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What runs cost in US dollars, and the tokens they used."""

    cost_usd: float = 0.0
    run_count: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class CostSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What runs cost; `unmapped_runs` have neither a cost nor a rate and are in no sum of cost."""

    total_cost_usd: float
    run_count: int
    by_provider: dict[str, CostTotals]
    by_model: dict[str, CostTotals]
    unmapped_runs: int


#: Billionths of a US dollar, and the tokens that cost them.
_Cost = tuple[int, TokenTotals]


class UsageSums:
    """Sums of tokens that runs are added to."""

    def __init__(self) -> None:
        self._by_provider: dict[str, TokenTotals] = {}

    def add(self, runs: Iterable[RunRecord]) -> None:
        """Add the tokens of runs."""
        for run in runs:
            name = run.provider or UNKNOWN
            before = self._by_provider.get(name, TokenTotals())
            self._by_provider[name] = _with(before, token_totals([run]))

    def summary(self) -> UsageSummary:
        """Return the sums."""
        total = reduce(_with, self._by_provider.values(), TokenTotals())
        return UsageSummary(total=total, by_provider=self._by_provider)


class CostSums:
    """Sums of cost that runs are added to: the saved one, else what the tokens cost by a table."""

    def __init__(self, prices: PricingTable) -> None:
        self._prices = prices
        self._by_provider: dict[str, _Cost] = {}
        self._by_model: dict[str, _Cost] = {}
        self._run_count = 0
        self._unmapped = 0

    def add(self, runs: Iterable[RunRecord]) -> None:
        """Add the cost of runs."""
        for run in runs:
            self._run_count += 1
            cost = run_cost(run, self._prices)
            if cost is None:
                self._unmapped += 1
                continue
            for sums, name in (
                (self._by_provider, run.provider),
                (self._by_model, model_of(run)),
            ):
                nano, tokens = sums.get(name or UNKNOWN, (0, TokenTotals()))
                sums[name or UNKNOWN] = (nano + cost, _with(tokens, token_totals([run])))

    def summary(self) -> CostSummary:
        """Return the sums."""
        return CostSummary(
            total_cost_usd=sum(nano for nano, _ in self._by_provider.values()) / NANO_USD,
            run_count=self._run_count,
            by_provider={name: _totals(*one) for name, one in self._by_provider.items()},
            by_model={name: _totals(*one) for name, one in self._by_model.items()},
            unmapped_runs=self._unmapped,
        )


def check_prices(prices: PricingTable | None) -> PricingTable:
    """Return a table by which cost can be computed; None is an empty one."""
    return converted({"pricing_table": {} if prices is None else prices}, _Prices).pricing_table


def token_totals(runs: Iterable[RunRecord]) -> TokenTotals:
    """Return the sums of tokens."""
    listed = list(runs)
    sums = {kind: sum(run.token_usage.get(kind, 0) for run in listed) for kind in _KINDS}
    return TokenTotals(**sums, run_count=len(listed))


def run_cost(run: RunRecord, prices: PricingTable) -> int | None:
    """Return what a run cost in billionths of a US dollar, None if nobody knows."""
    if run.cost_usd is not None:
        return nano_usd(run.cost_usd)
    rates = _rates(prices.get(run.provider or UNKNOWN, {}), model_of(run) or "")
    if rates is None:
        return None
    tokens, input_rate = run.token_usage, rates.get("input", 0.0)
    return nano_usd(
        tokens.get("input_tokens", 0) * input_rate
        + tokens.get("output_tokens", 0) * rates.get("output", 0.0)
        + tokens.get("cache_read_tokens", 0) * rates.get("cache_read", input_rate)
        + tokens.get("cache_creation_tokens", 0) * rates.get("cache_creation", input_rate)
    )


def model_of(run: RunRecord) -> str | None:
    """Return the model that the provider's metadata names."""
    model = run.provider_metadata.get("model")
    return model if isinstance(model, str) and model else None


def _rates(models: Mapping[str, Rates], model: str) -> Rates | None:
    named = [name for name in models if name != DEFAULT_MODEL and model.startswith(name)]
    return models.get(max(named, key=len) if named else DEFAULT_MODEL)


def _with(sums: TokenTotals, added: TokenTotals) -> TokenTotals:
    names = (*_KINDS, "run_count")
    return TokenTotals(**{name: getattr(sums, name) + getattr(added, name) for name in names})


def _totals(cost: int, tokens: TokenTotals) -> CostTotals:
    return CostTotals(
        cost_usd=cost / NANO_USD,
        run_count=tokens.run_count,
        input_tokens=tokens.input_tokens,
        output_tokens=tokens.output_tokens,
    )
