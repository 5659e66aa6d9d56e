"""What rows add up to: asked of the database, which need not hand out each of them for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from ..engine.tables import Row, Table
from .row_queries import RowQuery

_MICROSECOND = timedelta(microseconds=1)


class TotalsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to add up of the `rows` of a query without an order.

    Apart for each value of the text column `by`, and for the rows in which the column of the pair
    `before` lies before its moment. `sums` are columns of integers. `lasting` are columns of
    moments: each row lasts from the first to the second, or to the third where that is None.
    """

    rows: RowQuery
    by: str
    before: tuple[str, datetime]
    sums: tuple[str, ...]
    lasting: tuple[str, str, str]


class Totals(NamedTuple):
    """The sums over some rows; what lasts for less than no time lasts for none."""

    by: str
    is_before: bool
    row_count: int
    lasting_us: int
    sums: Sequence[int]


def totals_of(wanted: TotalsQuery, rows: Iterable[Row]) -> list[Totals]:
    """Return the totals of rows that are here. Pure."""
    table: Table = wanted.rows.table
    by, moment = table.names.index(wanted.by), table.names.index(wanted.before[0])
    sums = [table.names.index(name) for name in wanted.sums]
    start, end, last = (table.names.index(name) for name in wanted.lasting)
    groups: dict[tuple[str, bool], list[Row]] = {}
    for row in rows:
        groups.setdefault((row[by], row[moment] < wanted.before[1]), []).append(row)

    def lasts(row: Row) -> int:
        until: Any = row[last] if row[end] is None else row[end]
        microseconds: int = (until - row[start]) // _MICROSECOND
        return max(0, microseconds)

    return [
        Totals(*group, len(some), sum(map(lasts, some)), [sum(r[n] for r in some) for n in sums])
        for group, some in groups.items()
    ]
