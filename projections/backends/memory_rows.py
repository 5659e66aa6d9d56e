"""Questions about the rows of a view, answered over rows in memory. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import eq, ge, gt, lt, ne
from typing import Any

from ..engine.folding import Change
from ..engine.tables import BUCKET, Key, Row, Table
from .row_queries import RowQuery

#: The rows of one bucket.
Bucket = dict[Key, Row]


def buckets_of(query: RowQuery, buckets: int) -> Iterable[int]:
    """Return the buckets of so many that a query asks."""
    if query.bucket is not None:
        return (query.bucket,)
    return dict(query.one_of).get(BUCKET, range(buckets))


def condition(query: RowQuery) -> Callable[[Row], bool]:
    """Return what tells whether a row holds a query's conditions, its bucket and place aside."""
    table = query.table
    wanted: list[tuple[int, Callable[[Any, Any], bool], Any]] = [
        (table.names.index(name), holds, value)
        for pairs, holds in (
            *((query.equal, eq), (query.unlike, ne)),
            *((query.at_least, ge), (query.below, lt)),
        )
        for name, value in pairs
    ]
    wanted += [
        (table.names.index(name), _is_in, values) for name, values in query.one_of if name != BUCKET
    ]
    wanted += [(table.names.index(name), gt, 0) for name in query.positive]

    def fits(row: Row) -> bool:
        return all(holds(row[number], value) for number, holds, value in wanted) and has_words(
            table, row, query.words
        )

    return fits


def page(query: RowQuery, rows: list[Row]) -> list[Row]:
    """Return what a query shows of rows that hold its condition: in order, behind its place."""
    order = [query.table.names.index(name) for name in query.order]

    def place(row: Row) -> Row:
        return tuple(row[number] for number in order)

    if query.after is not None:
        after = query.after
        rows = [row for row in rows if _is_behind(place(row), after, query.descending)]
    if order:
        rows = sorted(rows, key=place, reverse=query.descending)
    return rows[: query.limit]


def has_words(table: Table, row: Row, words: Sequence[str]) -> bool:
    """Whether all words are among those of a row."""
    return not words or (table.words is not None and {*words}.issubset(table.words.of(row)))


def remove(rows: Bucket, change: Change) -> None:
    """Take out the rows that a change takes away."""
    cleared = set(change.cleared)
    if cleared:
        for key in [key for key in rows if key[:2] in cleared]:
            del rows[key]
    for key in change.gone:
        del rows[key]


def _is_in(value: Any, values: tuple[Any, ...]) -> bool:
    return value in values


def _is_behind(place: Row, after: Row, descending: bool) -> bool:
    return place < after if descending else place > after
