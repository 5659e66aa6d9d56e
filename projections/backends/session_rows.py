"""What readers ask several tables for at once, in no database's language: the rows of a session."""

from __future__ import annotations

import msgspec

from ..engine.tables import Key
from .row_queries import RowQuery

#: The column by which a session's rows are ordered where they have it: when they were first heard of.
FIRST_SEQUENCE = "first_sequence"


class SessionRows(msgspec.Struct, frozen=True, eq=False):
    """Rows of one session in several tables, whichever session it is.

    `queries` name tenant and session first, of a session that is nobody's. Equal to itself alone,
    so that a backend finds by it what it once composed: to look at the shapes of five queries again
    takes as long as sending them.
    """

    queries: tuple[RowQuery, ...]

    def of(self, bucket: int, session: Key) -> list[RowQuery]:
        """Return the queries as they are asked of a session."""
        return [_of(query, bucket, session) for query in self.queries]


def is_single(query: RowQuery) -> bool:
    """Whether a query of a session's rows is of one at most, so that it needs no order."""
    named = {name for name, value in query.equal if value is not None}
    return named.issuperset(query.table.key) and query.limit != 0


def parts_asked(query: RowQuery) -> list[tuple[str, str]]:
    """Return the parts of keys, behind tenant and session, that rows must have."""
    return [(name, value) for name, value in query.equal[2:] if value is not None]


def _of(query: RowQuery, bucket: int, session: Key) -> RowQuery:
    named = zip(("tenant", "session_id"), session, strict=True)
    return msgspec.structs.replace(query, bucket=bucket, equal=(*named, *query.equal[2:]))
