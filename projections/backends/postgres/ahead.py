"""A row and the events that are not folded into it yet, in one statement. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from psycopg import sql

from ledger.backends.queries import load_queries
from ledger.records import Record

from ...engine.tables import Key, Row, Table
from ..base import Ahead

_AHEAD = load_queries(__package__, "ahead.sql")["ahead"]
_EVENT = Record.__struct_fields__
#: Columns in front of the row's.
_PLACES = 5
_position = attrgetter("position")


def ahead_statement(schema: str, table: Table, columns: sql.Composable) -> bytes:
    """Return the statement for a table, whose columns are selected so."""
    matches = (
        sql.SQL("{} = {}").format(sql.Identifier("v", name), sql.Placeholder())
        for name in table.key
    )
    template = sql.SQL(_AHEAD)
    return template.format(
        schema=sql.Identifier(schema),
        table=sql.Identifier(schema, table.name),
        columns=columns,
        no_columns=_nulls(len(table.columns)),
        event=sql.SQL(", ").join(sql.Identifier("e", name) for name in _EVENT),
        no_event=_nulls(len(_EVENT)),
        matches=sql.SQL(" AND ").join(matches),
    ).as_bytes(None)


def _nulls(count: int) -> sql.Composed:
    return sql.SQL(", ").join([sql.NULL] * count)


def ahead_parameters(table: Table, bucket: int, key: Key, events_max: int) -> Sequence[Any]:
    """Return the parameters of that statement."""
    session, checkpoint = key[:2], (bucket, *table.identity)
    return bucket, *session, *key, *checkpoint, events_max, *checkpoint, *session


def ahead_of(
    table: Table, found: Sequence[Row], row: Callable[[Row], Row], events_max: int
) -> Ahead | None:
    """Return what the statement found; `row` makes a row of what PostgreSQL returned."""
    end_of_row = _PLACES + len(table.columns)
    places, records = None, []
    for one in found:
        if one[0] is None:
            records.append(Record(*one[end_of_row:]))
        else:
            places = one
    if places is None:
        return None
    active, position, end, skipping, head, *_ = places
    if not active or skipping or end - position > events_max:
        return None
    values = places[_PLACES:end_of_row]
    is_there = values[table.names.index(table.key[0])] is not None
    records.sort(key=_position)  # which a UNION promises nobody
    return Ahead(position, head, row(values) if is_there else None, records)
