"""Rows of several views of a session that are all of one moment. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ledger import InvalidArgument

from ..backends.base import Instant, RowQuery
from ..engine.projector import chosen
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


def is_of_one_moment(
    found: Instant, tables: Sequence[Table], known: Sequence[Table], at_least: int
) -> bool:
    """Whether tables are those of the known ones that are read, at one position, far enough."""
    read = chosen(known, [table.projection.name for table in tables], found.checkpoints)
    positions = {found.checkpoints[table.identity].position for table in read.values()}
    return (
        all(read[table.projection.name] is table for table in tables)
        and len(positions) == 1
        and min(positions) >= at_least
    )


def check_all_of_sessions(tables: Sequence[Table]) -> None:
    """Raise InvalidArgument for a view whose rows are made of several sessions' events."""
    for table in tables:
        if not table.of_sessions:
            raise InvalidArgument(
                "projections", f"{table.projection.name} has no rows of a single session"
            )
