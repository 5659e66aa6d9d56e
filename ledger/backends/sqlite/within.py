"""Appending inside a transaction that somebody else began and will commit."""

from __future__ import annotations

import os
from typing import Any

import apsw

from ...errors import InvalidArgument
from ...records import Outcome, Unit
from ..base import LedgerInfo
from ..queries import load_queries
from .appends import store
from .errors import translated_for_caller

_INFO = load_queries(__package__, "queries.sql")["ledger_info"]


def store_within(unit: Unit, connection: Any, path: str, info: LedgerInfo) -> Outcome:
    """Store a unit behind a savepoint: if it fails, the caller's transaction is as before."""
    if not isinstance(connection, apsw.Connection):
        raise InvalidArgument("connection", "it must be an apsw.Connection")
    bucket = unit.first_bucket
    with translated_for_caller(path, bucket):
        cursor = apsw.Cursor(connection)
        # A tracer of the caller's may turn rows into something else.
        cursor.row_trace = lambda _, row: row
        _check(connection, cursor, path, info)
        cursor.execute("SAVEPOINT ledger_append")
        try:
            outcomes, _ = store(cursor, [unit])
        except BaseException:
            # A full disk ends the whole transaction, and the savepoint with it.
            if connection.in_transaction:
                cursor.execute("ROLLBACK TO ledger_append; RELEASE ledger_append")
            raise
        cursor.execute("RELEASE ledger_append")
    return outcomes[0]


def _check(connection: apsw.Connection, cursor: apsw.Cursor, path: str, info: LedgerInfo) -> None:
    if not connection.in_transaction:
        raise InvalidArgument(
            "connection", "it has no open transaction; begin with BEGIN IMMEDIATE"
        )
    name = connection.db_filename("main")
    if not name or not os.path.exists(name) or not os.path.samefile(name, path):
        raise InvalidArgument("connection", f"its main database is not this ledger's, {path}")
    if cursor.execute(_INFO).fetchall() != [(info.ledger_id, info.buckets)]:
        raise InvalidArgument("connection", f"its file is no longer this ledger, {path}")
