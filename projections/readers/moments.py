"""Rows of several views of a session that are all of one moment. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ledger import InvalidArgument

from ..backends.base import Instant
from ..backends.row_queries import RowQuery
from ..backends.session_rows import FIRST_SEQUENCE
from ..engine.projector import chosen
from ..engine.tables import Table
from .arguments import count_limit, flag, mapping, several
from .consistency import Consistency, SessionKey, strong
from .listing_queries import text_filter

if TYPE_CHECKING:
    from .reading import Reader

Parts = tuple[tuple[str, str], ...]


def session_query(
    table: Table,
    session: SessionKey,
    bucket: int,
    limit: int | None,
    *,
    only: Parts = (),
    newest_first: bool,
) -> RowQuery:
    """Return the query of a session's rows in the order in which they were first heard of.

    Where a view does not keep that, they are ordered by their key. Only those that have some parts
    of the key, if any are said.
    """
    key = table.key[2:]
    return RowQuery(
        table=table,
        bucket=bucket,
        equal=(("tenant", session[0]), ("session_id", session[1]), *only, *table.present),
        order=(FIRST_SEQUENCE, *key) if FIRST_SEQUENCE in table.names else key,
        descending=newest_first,
        limit=limit,
    )


class SeveralViews(msgspec.Struct, frozen=True):
    """What is asked of several views, each of which has rows of single sessions."""

    tables: list[Table]
    parts: tuple[tuple[str, Parts], ...]
    consistency: Consistency
    limit: int | None
    newest_first: bool

    def queries(self, tables: Sequence[Table], session: SessionKey, bucket: int) -> list[RowQuery]:
        """Return the query of each table, of whichever versions they are by now."""
        parts = dict(self.parts)
        return [
            session_query(
                table,
                session,
                bucket,
                self.limit,
                only=parts.get(table.projection.name, ()),
                newest_first=self.newest_first,
            )
            for table in tables
        ]


def several_views(
    reader: Reader,
    names: object,
    consistency: Consistency,
    limit: int | None,
    only: object,
    *,
    newest_first: bool,
) -> SeveralViews:
    """Return checked arguments."""
    strong(consistency)
    count = count_limit(limit)
    flag(newest_first, "newest_first")
    given = several(names, "projections", "names of views")
    tables = [reader.table(name, "projections") for name in given]
    check_all_of_sessions(tables)
    return SeveralViews(tables, key_parts(only, tables), consistency, count, newest_first)


def key_parts(given: object, tables: Sequence[Table]) -> tuple[tuple[str, Parts], ...]:
    """Return which parts of their keys the rows of some of the views must have, by view."""
    if given is None:
        return ()
    by_name = {table.projection.name: table for table in tables}
    found: dict[str, Parts] = {}
    for name, parts in mapping(given, "only").items():
        if name not in by_name:
            raise InvalidArgument("only", f"{name!r} is none of the views that are asked for")
        fields = by_name[name].key[2:]
        for field in mapping(parts, f"only[{name!r}]"):
            if field not in fields:
                raise InvalidArgument("only", f"{field!r} is no part of the key of {name}")
        found[name] = tuple(text_filter(*part) for part in parts.items())
    return tuple(found.items())


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
