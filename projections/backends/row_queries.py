"""What readers ask a table for, in no database's language."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

import msgspec

from ..engine.tables import Key, Row, Table

#: A statement has so many parts at most: PostgreSQL plans each of them for a millisecond or two.
PARTS_MAX = 16


class RowQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table, of one bucket or of all.

    `equal`, `unlike`, `at_least` and `below` are (column, value) pairs, a column that is NULL is
    unlike any value; `one_of` gives a column several values, each once, or the bucket; the columns
    in `positive` are above 0; the row has all the `words`, which are looked for only `among` so
    many rows, if that is given: the first, in the order, for which all else holds.
    `order` are columns that are never NULL, all ascending or all `descending`; `after` are their
    values in the last row of the page before.
    """

    table: Table
    bucket: int | None
    equal: tuple[tuple[str, Any], ...]
    unlike: tuple[tuple[str, str], ...] = ()
    at_least: tuple[tuple[str, Any], ...] = ()
    below: tuple[tuple[str, Any], ...] = ()
    one_of: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    positive: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    among: int | None = None
    order: tuple[str, ...] = ()
    descending: bool = False
    after: Row | None = None
    limit: int | None = None

    @property
    def shape(self) -> tuple[Any, ...]:
        """What decides on the statement; the rest is its parameters."""
        return (
            self.bucket is None,
            tuple([name if value is not None else (name,) for name, value in self.equal]),
            # Most have none of these: a fifth of a read's time went into making nothing of them.
            tuple([name for name, _ in self.unlike]) if self.unlike else (),
            tuple([name for name, _ in self.at_least]) if self.at_least else (),
            tuple([name for name, _ in self.below]) if self.below else (),
            tuple([(name, len(values)) for name, values in self.one_of]) if self.one_of else (),
            self.positive,
            len(self.words) if self.among is not None else not self.words,
            self.among is None,
            self.order,
            self.descending,
            self.after is None,
            self.limit is None,
        )


def parts_of(query: RowQuery, *, ties: bool) -> list[RowQuery]:
    """Return the queries, one per value of a column, whose first rows have the first rows among them.

    Together several values have no order in an index, each alone may have one: of a million ended
    sessions none is read to find the ten that are active or idle. None are returned where another
    index, which does not know the column, narrows the rows down more, and only with `ties` where it
    does so as much: for a database that knows which of the two is better.
    """
    if not query.one_of or not query.order or query.bucket is not None:
        return []
    limit = query.limit if query.among is None else query.among
    if limit is None or (query.words and query.among is None):
        return []  # all of them are read anyway
    (name, values), *others = query.one_of
    if len(values) > PARTS_MAX:
        return []
    named = {column for column, value in query.equal if value is not None}
    alone, apart = _found_in_order(query, named, name), _found_in_order(query, named)
    if alone < apart or (alone == apart and not (alone and ties)):
        return []
    return [
        msgspec.structs.replace(
            query,
            equal=(*query.equal, (name, value)),
            one_of=tuple(others),
            words=(),
            among=None,
            limit=limit,
        )
        for value in values
    ]


def _found_in_order(query: RowQuery, named: set[str], one: str | None = None) -> int:
    """Return how many columns, `one` among them, are equal at most where an index has the order."""
    most = 0
    for index in query.table.indexes.values():
        equal = list(takewhile(lambda field: field == one or field in named, index.fields))
        if one is not None and one not in equal:
            continue
        if index.fields[len(equal) :][: len(query.order)] == query.order:
            most = max(most, len(equal))
    return most


def of_session(query: RowQuery, bucket: int, session_id: str) -> RowQuery:
    """Return a query of one session as it is asked of another one of its tenant."""
    tenant, (name, _), *others = query.equal
    equal = (tenant, (name, session_id), *others)
    return msgspec.structs.replace(query, bucket=bucket, equal=equal)


def key_query(table: Table, bucket: int, key: Key) -> RowQuery:
    """Return the query for the row under a whole key, if what it is about is there."""
    equal = (*zip(table.key, key, strict=True), *table.present)
    return RowQuery(table=table, bucket=bucket, equal=equal)
