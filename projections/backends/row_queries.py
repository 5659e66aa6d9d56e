"""What readers ask a table for, in no database's language."""

from __future__ import annotations

from typing import Any

import msgspec

from ..engine.tables import Key, Row, Table


class RowQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table, of one bucket or of all.

    `equal`, `at_least` and `below` are (column, value) pairs, `one_of` gives a column several
    values; the columns in `positive` are above 0; the row has all the `words`, which are looked for
    only `among` so many rows, if that is given: the first, in the order, for which all else holds.
    `order` are columns that are never NULL, all ascending or all `descending`; `after` are their
    values in the last row of the page before.
    """

    table: Table
    bucket: int | None
    equal: tuple[tuple[str, Any], ...]
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


def of_session(query: RowQuery, bucket: int, session_id: str) -> RowQuery:
    """Return a query of one session as it is asked of another one of its tenant."""
    tenant, (name, _), *others = query.equal
    equal = (tenant, (name, session_id), *others)
    return msgspec.structs.replace(query, bucket=bucket, equal=equal)


def key_query(table: Table, bucket: int, key: Key) -> RowQuery:
    """Return the query for the row under a whole key, if what it is about is there."""
    equal = (*zip(table.key, key, strict=True), *table.present)
    return RowQuery(table=table, bucket=bucket, equal=equal)
