"""The rows of a view in memory, and questions about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import eq, ge, gt, lt, ne
from typing import Any

from ..engine.folding import Change
from ..engine.tables import BUCKET, Key, Row, Table
from .row_queries import RowQuery


class Bucket(Mapping[Key, Row]):
    """The rows of one bucket by their keys, those of a session together.

    In one dict of all, each question about one session looked at the rows of every other.
    """

    def __init__(self) -> None:
        self._groups: dict[Key, dict[Key, Row]] = {}

    def __getitem__(self, key: Key) -> Row:
        return self._groups[key[:2]][key]

    def __iter__(self) -> Iterator[Key]:
        return chain.from_iterable(self._groups.values())

    def __len__(self) -> int:
        return sum(map(len, self._groups.values()))

    def asked(self, query: RowQuery) -> Iterable[Row]:
        """Return the rows that may hold a query's conditions, in no order."""
        equal = dict(query.equal)
        if all(name in equal for name in query.table.key[:2]):
            group = tuple(equal[name] for name in query.table.key[:2])
            return self._groups.get(group, {}).values()
        return chain.from_iterable(rows.values() for rows in self._groups.values())

    def change(self, change: Change, rows: Mapping[Key, Row]) -> None:
        """Take out the rows that a change takes away, and put those in that it makes."""
        for group in set(change.cleared):
            self._groups.pop(group, None)
        for key in change.gone:
            del self._groups[key[:2]][key]
            if not self._groups[key[:2]]:
                del self._groups[key[:2]]
        for key, row in rows.items():
            self._groups.setdefault(key[:2], {})[key] = row


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


def _is_in(value: Any, values: tuple[Any, ...]) -> bool:
    return value in values


def _is_behind(place: Row, after: Row, descending: bool) -> bool:
    return place < after if descending else place > after
