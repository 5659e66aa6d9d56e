"""Rows of several views of a session, a statement each, of one moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import apsw
import msgspec

from ledger.backends.sqlite import SqliteBackend, make_own

from ...engine.shapes import Shapes
from ...engine.tables import Key, Table
from ..row_queries import RowQuery
from ..session_rows import SessionRows, is_single, parts_asked
from .statements import TableStatements
from .tables import SQL, listed, quoted

Parameters = tuple[Any, ...]
#: What stands in front of a statement's own parameters.
_PLACE = ("bucket", "tenant", "session_id")


class _Rows(msgspec.Struct, frozen=True):
    """The statement for one table, its parameters behind the session's, and who reads its rows."""

    statement: str
    parameters: Parameters
    table: TableStatements


class _Asked(msgspec.Struct, frozen=True):
    """What is run for some tables, and what a connection wants before: it cannot be asked for that."""

    is_current: str
    versions: Parameters
    rows: list[_Rows]
    own: list[str]


class Together:
    """Composes what is asked of several tables, and asks for it."""

    def __init__(self, log: SqliteBackend, of: Callable[[Table], TableStatements]) -> None:
        self._log = log
        self._of = of
        self._asked = Shapes[SessionRows, _Asked]()

    def views(self, bucket: int, session: Key, wanted: SessionRows) -> list[list[Any]] | None:
        """Return a session's views; None if they may be behind."""
        asked = self._asked_of(wanted)
        with self._log.reader() as connection:
            try:
                found = _found(connection, asked, bucket, session)
            except apsw.SQLError:
                # The first of these tables on this connection.
                for statement in asked.own:
                    make_own(connection, statement)
                try:
                    found = _found(connection, asked, bucket, session)
                except apsw.SQLError:
                    return None  # a version was dropped, which the long way tells, as all else
        if found is None:
            return None
        return [rows.table.views(read) for rows, read in zip(asked.rows, found, strict=True)]

    def _asked_of(self, wanted: SessionRows) -> _Asked:
        found = self._asked.get(wanted)
        if found is None:
            found = self._asked[wanted] = self._compose(wanted.queries)
        return found

    def _compose(self, queries: Sequence[RowQuery]) -> _Asked:
        tables = [self._of(query.table) for query in queries]
        return _Asked(
            SQL["are_current"].format(each=" AND ".join([SQL["is_one_current"]] * len(tables))),
            tuple(part for one in tables for part in one.table.identity),
            [_rows(one, query) for one, query in zip(tables, queries, strict=True)],
            [one.create_documents for one in tables if one.read_document is not None],
        )


def _rows(table: TableStatements, query: RowQuery) -> _Rows:
    """Compose the statement for the rows of a session, which are few."""
    parts = parts_asked(query)
    conditions = [f"v.{quoted(name)} = ?" for name in (*_PLACE, *(name for name, _ in parts))]
    parameters: list[Any] = [value for _, value in parts]
    if table.read_document is None:
        conditions += [f"v.{quoted(name)} IS NULL" for name, _ in query.table.present]
        template = SQL["select"].format(
            columns=listed(query.table.names, "v."),
            table=quoted(query.table.name),
            conditions=" AND ".join(conditions),
        )
    else:
        # Those that are there is what this view has.
        template = SQL["documents_of"].format(
            documents=table.documents, conditions=" AND ".join(conditions)
        )
    if not is_single(query):
        direction = " DESC" if query.descending else ""
        order = ", ".join(f"v.{quoted(name)}{direction}" for name in query.order)
        template += "\n" + SQL["order"].format(order=order)
        if query.limit is not None:
            template += "\nLIMIT ?"
            parameters.append(query.limit)
    return _Rows(template, tuple(parameters), table)


def _found(
    connection: apsw.Connection, asked: _Asked, bucket: int, session: Key
) -> list[list[Any]] | None:
    connection.execute("BEGIN")
    try:
        if not connection.execute(asked.is_current, (bucket, *asked.versions)).get:
            return None
        place: Parameters = (bucket, *session)
        return [
            connection.execute(rows.statement, place + rows.parameters).fetchall()
            for rows in asked.rows
        ]
    finally:
        # Some errors (no memory, I/O) have ended it already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
