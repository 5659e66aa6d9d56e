"""Rows of several views of a session that are all of one moment. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ledger import InvalidArgument

from ..backends.base import Instant, RowQuery
from ..engine.tables import Table
from .consistency import SessionKey
from .listing_queries import present

FIRST_SEQUENCE = "first_sequence"


def session_query(
    table: Table, session: SessionKey, bucket: int, limit: int | None, *, newest_first: bool
) -> RowQuery:
    """Return the query of a session's rows in the order in which they were first heard of.

    Where a view does not keep that, they are ordered by their key.
    """
    key = table.key[2:]
    return RowQuery(
        table=table,
        bucket=bucket,
        equal=(*zip(("tenant", "session_id"), session, strict=True), *present(table)),
        order=(FIRST_SEQUENCE, *key) if FIRST_SEQUENCE in table.names else key,
        descending=newest_first,
        limit=limit,
    )


def is_of_one_moment(found: Instant, tables: Sequence[Table], at_least: int) -> bool:
    """Whether tables are those that are read, at one position, and that is far enough."""
    places = [found.checkpoints.get(table.identity) for table in tables]
    return (
        all(place is not None and place.active for place in places)
        and len({place.position for place in places if place is not None}) == 1
        and all(place is not None and place.position >= at_least for place in places)
    )


def check_all_of_sessions(tables: Sequence[Table]) -> None:
    """Raise InvalidArgument for a view whose rows are made of several sessions' events."""
    for table in tables:
        if not table.of_sessions:
            raise InvalidArgument(
                "projections", f"{table.projection.name} has no rows of a single session"
            )
