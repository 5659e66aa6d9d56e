"""What a page does to the rows of a table, within the transaction of whoever stores it."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from ...engine.folding import Change
from ...engine.rows import Row
from .statements import TableStatements


def store_rows(
    connection: apsw.Connection, statements: TableStatements, bucket: int, change: Change
) -> None:
    """Delete and store the rows of a change, in the order it tells, and index their words."""
    # Most events change nothing in most views, and a statement for no rows costs as one for one.
    if change.cleared:
        connection.executemany(statements.clear, ((bucket, *key) for key in change.cleared))
    if change.gone:
        connection.executemany(statements.delete, ((bucket, *key) for key in change.gone))
    if not change.rows:
        return
    if statements.table.words is None:
        _store(connection, statements, bucket, change)
    else:
        _store_searched(connection, statements, bucket, change)


def _store_searched(
    connection: apsw.Connection, statements: TableStatements, bucket: int, change: Change
) -> None:
    """Store rows that are found by words, and index those that were not there."""
    # New rows get the next numbers, and each leaves its own as the connection's last; a row that is
    # updated leaves none, and what triggers and FTS5 insert is none of it. So what there is to be
    # indexed is known without asking, where it is nothing (as after most appends) and where it is
    # one row.
    alone = len(change.rows) == 1
    last: int = 0 if alone else connection.execute(statements.last_search_id).get
    connection.set_last_insert_rowid(0)
    _store(connection, statements, bucket, change)
    newest = connection.last_insert_rowid()
    if newest:
        connection.execute(statements.index_words, (newest - 1 if alone else last,))


def _store(
    connection: apsw.Connection, statements: TableStatements, bucket: int, change: Change
) -> None:
    rows: Sequence[Row] = change.rows
    if change.fresh:
        try:
            for statement, bound in statements.inserts(bucket, rows[: change.fresh]):
                connection.executemany(statement, bound)
        except apsw.ConstraintError:
            # One of them is there all the same, or breaks a rule of the table, which upserting
            # tells then; those that were stored are stored again.
            pass
        else:
            rows = rows[change.fresh :]
    if rows:
        for statement, bound in statements.upserts(bucket, rows):
            connection.executemany(statement, bound)
