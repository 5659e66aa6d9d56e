"""The statements that read several views of many sessions at once, and what they return."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from psycopg import sql

from ledger.backends.queries import load_queries

from ...engine.shapes import Shapes
from ...engine.tables import Identity
from ..base import Checkpoint, Instant
from ..row_queries import RowQuery
from .calls import Call, Results
from .composing import of_v
from .statements import SELECTED, TableStatements

_TEMPLATES = load_queries(__package__, "many_sessions.sql")


class ManySessions:
    """Composes the statements of one schema."""

    def __init__(self, schema: str, *, distributed: bool) -> None:
        self._schema = schema
        self._distributed = distributed
        names = sql.Identifier(schema)
        self._places = sql.SQL(_TEMPLATES["places"]).format(schema=names).as_bytes(None)
        self._composed = Shapes[tuple[Any, ...], bytes]()

    def places(self, queries: Sequence[RowQuery], buckets: Collection[int]) -> Call:
        """Return the call for what `instants` reads."""
        names = [query.table.projection.name for query in queries]
        return Call(self._places, (names, list(buckets)), prepare=False)

    def of_each(self, query: RowQuery, sessions: Sequence[tuple[int, str]]) -> list[Call]:
        """Return the calls for the rows that a query of one session asks for, of each of some.

        One call, or one for each bucket.
        """
        equal = [(name, value) for name, value in query.equal if name != "session_id"]
        shape = query.table.name, *query.shape
        statement = self._composed.get(shape)
        if statement is None:
            statement = self._composed[shape] = self._compose(query, equal)
        # LIMIT NULL is none.
        values = [*(value for _, value in equal if value is not None), query.limit]
        if self._distributed:
            return [
                Call(statement, [*where, *values], prepare=False) for where in _by_bucket(sessions)
            ]
        buckets, session_ids = zip(*sessions, strict=True)
        return [Call(statement, [list(buckets), list(session_ids), *values], prepare=False)]

    def _compose(self, query: RowQuery, equal: Sequence[tuple[str, Any]]) -> bytes:
        table = query.table
        columns = [SELECTED[one.kind].format(of_v(one.name)) for one in table.columns]
        conditions = [
            sql.SQL("{} IS NULL" if value is None else "{} = %s").format(of_v(name))
            for name, value in equal
        ]
        direction = sql.SQL("{} DESC" if query.descending else "{}")
        order = [direction.format(of_v(name)) for name in query.order]
        ordered = sql.SQL(_TEMPLATES["ordered"]).format(columns=sql.SQL(", ").join(order))
        return (
            sql.SQL(_TEMPLATES["of_each_in_bucket" if self._distributed else "of_each"])
            .format(
                columns=sql.SQL(", ").join(columns),
                table=sql.Identifier(self._schema, table.name),
                conditions=sql.SQL(" AND ").join(conditions),
                order=ordered if order else sql.SQL(""),
            )
            .as_bytes(None)
        )


def _by_bucket(sessions: Sequence[tuple[int, str]]) -> Iterator[tuple[list[int], list[str], int]]:
    """Yield the places and the ids of the sessions in each bucket."""
    placed = [(bucket, place, session) for place, (bucket, session) in enumerate(sessions, 1)]
    for bucket, found in groupby(sorted(placed), key=itemgetter(0)):
        _, places, session_ids = zip(*found, strict=True)
        yield list(places), list(session_ids), bucket


def instants(rows: Sequence[Sequence[Any]], buckets: Collection[int]) -> dict[int, Instant]:
    """Return the buckets without rows, from what `places` found."""
    heads: dict[int, int] = dict.fromkeys(buckets, 0)
    places: dict[int, dict[Identity, Checkpoint]] = {bucket: {} for bucket in buckets}
    for bucket, head, name, version, position, active, built in rows:
        heads[bucket] = head
        places[bucket][name, version] = Checkpoint(position, active, built)
    return {bucket: Instant(heads[bucket], places[bucket], ()) for bucket in buckets}


def rows_of_each(calls: Sequence[Sequence[Call]], results: Results) -> list[list[Any]]:
    """Return the rows per query, from what the calls for each of them returned."""
    left = iter(results)
    return [[row for rows, _ in islice(left, len(one)) for row in rows] for one in calls]


def views_of_each(
    statements: TableStatements, rows: Sequence[Sequence[Any]], count: int
) -> list[list[Any]]:
    """Return the views per session, from what `of_each` found."""
    found: list[list[Any]] = [[] for _ in range(count)]
    for place, *values in rows:
        found[place - 1].append(statements.table.decode(statements.row(tuple(values))))
    return found
