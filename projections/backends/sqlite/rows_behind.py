"""What happened to a session behind a row of it that the caller has."""

from __future__ import annotations

from typing import Any

import apsw

from ledger.backends.sqlite.rows import add_records
from ledger.records import Record

from ...engine.tables import Table
from ..base import Behind, RowPlace
from .tables import SQL


def behind(
    connection: apsw.Connection, table: Table, bucket: int, place: RowPlace, events_max: int
) -> Behind | None:
    """Return that, by one statement; None if the version may have another row."""
    version = (bucket, *table.identity, table.made_by.text, place.position)
    # One more than is asked for tells that there are too many.
    events = (place.tenant, place.session_id, place.sequence, events_max + 2)
    found: list[Any] = connection.execute(SQL["behind"], (*version, *events)).fetchall()
    if not 0 < len(found) <= events_max + 1:
        return None
    records: list[Record] = []
    rows = (row[1:] for row in found)
    add_records(records, rows, lambda _: f"A row of session {place.session_id!r}")
    return Behind(found[0][0], records)
