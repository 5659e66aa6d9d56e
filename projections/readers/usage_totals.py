"""Adding up what was used: per session, model or day, or any of them together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal

import msgspec

from ledger import InvalidArgument
from ledger.plans import Plan
from ledger.refusals import shown

from ..folds.sums import NANO_USD, TOKEN_KINDS
from ..folds.usage import USAGE, Usage
from .arguments import one_of, several
from .consistency import Consistency
from .reading import Reader

UsageBy = Literal["session", "model", "day"]
_FIELDS = {"session": "session_id", "model": "model", "day": "day"}
_SUMS = (*TOKEN_KINDS, "usage_count", "unpriced_count", "error_count", "cost_nano_usd")


class UsageTotal(msgspec.Struct, frozen=True, kw_only=True):
    """A sum; of `session_id`, `model` and `day`, those are set that it was asked by.

    `session_count` counts the sessions in it; the rest is as in Usage.
    """

    session_id: str | None = None
    model: str | None = None
    day: str | None = None
    session_count: int = 0
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

    @property
    def cost_usd(self) -> float:
        """The cost of all usage whose price is known, in US dollars."""
        return self.cost_nano_usd / NANO_USD


def usage_totals(
    reader: Reader,
    tenant: str,
    consistency: Consistency,
    *,
    by: Sequence[UsageBy],
    session_id: str | None,
    since: date | None,
    until: date | None,
) -> Plan[list[UsageTotal]]:
    """Read the rows of all sessions, or of one, in one statement, and add them up."""
    for one in several(by, "by", f"of {', '.join(_FIELDS)}"):
        one_of(one, "by", _FIELDS)
    first, last = _day("since", since), _day("until", until)
    if session_id is None:
        rows: list[Usage] = yield from reader.of_tenant(
            USAGE.name,
            tenant,
            consistency,
            order=("day", "session_id", "model"),
            limit=None,
            at_least=() if first is None else (("day", first),),
            below=() if last is None else (("day", last),),
        )
    else:
        rows = yield from reader.rows(USAGE.name, (tenant, session_id), consistency)
        rows = [
            row
            for row in rows
            if (first is None or row.day >= first) and (last is None or row.day < last)
        ]
    return added_up(rows, by)


def added_up(rows: Sequence[Usage], by: Sequence[UsageBy]) -> list[UsageTotal]:
    """Return the sums by day, and within a day the dearest first. Pure."""
    fields = [_FIELDS[one] for one in by]
    groups: dict[tuple[str, ...], list[Usage]] = {}
    for row in rows:
        groups.setdefault(tuple(getattr(row, field) for field in fields), []).append(row)
    totals = [
        UsageTotal(
            session_count=len({row.session_id for row in group}),
            other_tokens=_others(group),
            **{name: sum(getattr(row, name) for row in group) for name in _SUMS},
            **{field: getattr(group[0], field) for field in fields},
        )
        for group in groups.values()
    ]
    return sorted(
        totals,
        key=lambda one: (one.day or "", -one.cost_nano_usd, one.model or "", one.session_id or ""),
    )


def _others(rows: Sequence[Usage]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for row in rows:
        for kind, tokens in row.other_tokens.items():
            sums[kind] = sums.get(kind, 0) + tokens
    return sums


def _day(name: str, day: object) -> str | None:
    if day is None:
        return None
    if not isinstance(day, date) or isinstance(day, datetime):
        raise InvalidArgument(name, f"expected a date, got {shown(day)}")
    return day.isoformat()
