"""Finding marks of consumers in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from ledger.backends.queries import load_queries

from ..marks import Mark, MarksQuery
from .calls import Call

_TEMPLATES = load_queries(__package__, "marks.sql")


def marks_call(schema: str, wanted: MarksQuery) -> Call:
    """Return the call that finds them."""
    statement = sql.SQL(_TEMPLATES["marks"]).format(
        schema=sql.Identifier(schema),
        marks=sql.Identifier(schema, wanted.marks.name),
        sessions=sql.Identifier(schema, wanted.sessions.name),
    )
    parameters = (wanted.events_max, wanted.mark, wanted.events_max, wanted.limit)
    return Call(statement.as_bytes(None), parameters, prepare=False)


def marks_of(rows: Sequence[Any]) -> list[Mark]:
    """Return the marks in the rows of that."""
    return [Mark(*row) for row in rows]
