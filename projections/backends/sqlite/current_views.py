"""Views that reflect the log's end, by one statement where there are any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import apsw

from ledger.backends.sqlite import SqliteBackend

from ...engine.tables import Key
from ..row_queries import RowQuery, key_query
from .statements import TableStatements


def current(log: SqliteBackend, statements: TableStatements, query: RowQuery) -> list[Any] | None:
    """Return the views that a query asks for; None if they may be behind."""
    return _found(log, statements, statements.current(query), lambda: query)


def current_row(
    log: SqliteBackend, statements: TableStatements, bucket: int, key: Key
) -> list[Any] | None:
    """Return the same for the row under a whole key."""
    table = statements.table
    parameters = (bucket, *table.identity, bucket, *key)
    call = statements.current_row, parameters
    return _found(log, statements, call, lambda: key_query(table, bucket, key))


def _found(
    log: SqliteBackend,
    statements: TableStatements,
    call: tuple[str, Sequence[Any]],
    query: Callable[[], RowQuery],
) -> list[Any] | None:
    with log.reader() as connection:
        try:
            found: list[Any] = connection.execute(*call).fetchall()
            if not found:
                asked = query()
                if not connection.execute(*statements.is_current(asked)).get:
                    return None
                # Nothing is there, or it has just been folded: what is read behind that is of its
                # moment or a later one.
                found = connection.execute(*statements.read(asked)).fetchall()
        except apsw.SQLError:
            return None  # the version was dropped, which the long way tells, as all else
    return statements.views(found)
