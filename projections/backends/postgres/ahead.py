"""A row and the events that are not folded into it yet, each in one statement. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from psycopg import sql

from ledger.backends.queries import load_queries
from ledger.records import Record

from ...engine.tables import Key, Row, Table
from ..base import Ahead, Behind, RowPlace
from .calls import Call
from .composing import EVENT_COLUMNS

_TEMPLATES = load_queries(__package__, "ahead.sql")
#: Columns in front of the row's.
_PLACES = 5
_position = attrgetter("position")


def ahead_statement(schema: str, table: Table, columns: sql.Composable) -> bytes:
    """Return the statement for a table, whose columns are selected so."""
    matches = (
        sql.SQL("{} = {}").format(sql.Identifier("v", name), sql.Placeholder())
        for name in table.key
    )
    template = sql.SQL(_TEMPLATES["ahead"])
    return template.format(
        schema=sql.Identifier(schema),
        table=sql.Identifier(schema, table.name),
        columns=columns,
        no_columns=_nulls(len(table.columns)),
        event=EVENT_COLUMNS,
        no_event=_nulls(len(Record.__struct_fields__)),
        matches=sql.SQL(" AND ").join(matches),
    ).as_bytes(None)


def _nulls(count: int) -> sql.Composed:
    return sql.SQL(", ").join([sql.NULL] * count)


def ahead_parameters(table: Table, bucket: int, key: Key, events_max: int) -> Sequence[Any]:
    """Return the parameters of that statement."""
    session, checkpoint = key[:2], (bucket, *table.identity)
    before = (bucket, bucket, *session, *key, *checkpoint)
    return *before, bucket, events_max, *checkpoint, *session


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


def behind_statement(schema: str) -> bytes:
    """Return the statement of who has a row, whatever the table."""
    template = sql.SQL(_TEMPLATES["behind"])
    return template.format(schema=sql.Identifier(schema), event=EVENT_COLUMNS).as_bytes(None)


def behind_call(
    statement: bytes, table: Table, bucket: int, place: RowPlace, events_max: int
) -> Call:
    """Return the call of that statement; one event more tells that there are too many."""
    events = (place.tenant, place.session_id, place.sequence, events_max + 2)
    version = (bucket, *table.identity, table.made_by.text, place.position)
    return Call(statement, (*events, *version), prepare=True)


def behind_of(found: Sequence[Row], events_max: int) -> Behind | None:
    """Return what it found."""
    if not 0 < len(found) <= events_max + 1:
        return None
    records = [Record(*one[1:]) for one in found]
    records.sort(key=_position)
    return Behind(found[0][0], records)
