"""Finding marks of consumers in SQLite."""

from __future__ import annotations

from typing import Any

import apsw

from ..marks import Mark, MarksQuery
from .tables import SQL, quoted


def marks(connection: apsw.Connection, wanted: MarksQuery) -> list[Mark]:
    """Return the wanted marks, by one statement."""
    statement = SQL["marks"].format(
        marks=quoted(wanted.marks.name), sessions=quoted(wanted.sessions.name)
    )
    parameters = (wanted.events_max, wanted.mark, wanted.limit)
    rows: list[Any] = connection.execute(statement, parameters).fetchall()
    return [Mark(*row) for row in rows]
