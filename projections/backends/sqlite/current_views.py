"""Views that reflect the log's end, by one statement where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw

from ledger.backends.sqlite import SqliteBackend, make_own

from ...engine.tables import Key
from ..row_queries import RowQuery, key_query
from .statements import TableStatements


def current(log: SqliteBackend, statements: TableStatements, query: RowQuery) -> list[Any] | None:
    """Return the views that a query asks for; None if they may be behind."""
    with log.reader() as connection:
        try:
            found = connection.execute(*statements.current(query)).fetchall()
            if not found:
                return _settled(connection, statements, query)
        except apsw.SQLError:
            return None  # the version was dropped, which the long way tells, as all else
    return statements.views(found)


def current_row(
    log: SqliteBackend, statements: TableStatements, bucket: int, key: Key
) -> list[Any] | None:
    """Return the same for the row under a whole key."""
    read = statements.read_document
    if read is None:
        return current(log, statements, key_query(statements.table, bucket, key))
    parameters = (bucket, *statements.table.identity, bucket, *key)
    with log.reader() as connection:
        try:
            document = _document(connection, statements, parameters)
            if document is None:
                return _settled(connection, statements, key_query(statements.table, bucket, key))
        except apsw.SQLError:
            return None
    return [read(document)]


def _document(
    connection: apsw.Connection, statements: TableStatements, parameters: Sequence[Any]
) -> Any:
    try:
        return connection.execute(statements.current_document, parameters).get
    except apsw.SQLError:
        # The first of this table on this connection.
        make_own(connection, statements.create_documents)
        return connection.execute(statements.current_document, parameters).get


def _settled(
    connection: apsw.Connection, statements: TableStatements, query: RowQuery
) -> list[Any] | None:
    """Return what is there where nothing was found that is up to date; None if it may be behind."""
    if not connection.execute(*statements.is_current(query)).get:
        return None
    # Nothing is there, or it has just been folded: what is read behind that is of its moment or a
    # later one.
    return statements.views(connection.execute(*statements.read(query)).fetchall())
