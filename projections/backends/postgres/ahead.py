"""A row and the events that are not folded into it yet, in one statement. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from psycopg import sql

from ledger.backends.queries import load_queries
from ledger.records import Record

from ...engine.tables import Key, Row, Table
from ..base import Ahead

_AHEAD = load_queries(__package__, "ahead.sql")["ahead"]
_EVENT = Record.__struct_fields__
#: Columns in front of an event's.
_PLACES = 5


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
        event=sql.SQL(", ").join(sql.Identifier("e", name) for name in _EVENT),
        columns=columns,
        matches=sql.SQL(" AND ").join(matches),
    ).as_bytes(None)


def ahead_parameters(table: Table, bucket: int, key: Key, events_max: int) -> Sequence[Any]:
    """Return the parameters of that statement."""
    session = key[:2]
    return bucket, *session, events_max, *session, *key, bucket, *table.identity


def ahead_of(
    table: Table, found: Sequence[Row], row: Callable[[Row], Row], events_max: int
) -> Ahead | None:
    """Return what the statement found; `row` makes a row of what PostgreSQL returned."""
    if not found:
        return None
    active, position, end, skipping, head, *_ = found[0]
    if not active or skipping or end - position > events_max:
        return None
    behind = _PLACES + len(_EVENT)
    values = found[0][behind:]
    is_there = values[table.names.index(table.key[0])] is not None
    events = (one[_PLACES:behind] for one in found)
    records = [Record(*event) for event in events if event[0] is not None]
    return Ahead(position, head, row(values) if is_there else None, records)
