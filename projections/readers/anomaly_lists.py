"""Listing what did not fit, across the views of a session or of all sessions of a tenant."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from ledger.plans import Plan

from ..backends.row_queries import RowQuery
from ..engine.dropping import outlives_drops
from ..engine.tables import ANOMALY_COUNT, Key, Table
from ..folds.anomalies import Anomaly
from .arguments import instance
from .consistency import Consistency, strong
from .reading import Reader

PAGE_ROWS = 500


class MarkedFact(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A fact that did not fit, the row that had to decide, and what was made of it.

    `row_key` is the key of that row of `view` within the session, () for the session's own row.
    """

    session_id: str
    sequence: int
    view: str
    row_key: tuple[str, ...]
    type: str
    reason: str


@outlives_drops
def anomalies(
    reader: Reader,
    tenant: str,
    consistency: Consistency,
    *,
    session_id: str | None,
    limit: int,
    after: MarkedFact | None,
) -> Plan[list[MarkedFact]]:
    """Return marked facts by session id, then by sequence, then by view and key."""
    strong(consistency)
    if after is not None:
        instance(after, "after", MarkedFact)
    equal: list[tuple[str, Any]] = [("tenant", reader.tenant(tenant))]
    bucket = None
    if session_id is not None:
        bucket = reader.bucket((tenant, session_id))
        equal.append(("session_id", session_id))
    tables = [table for table in reader.tables() if "anomalies" in table.names]
    tables = yield from reader.settle(tables, bucket, consistency)
    start = "" if after is None else after.session_id
    # Each row has one at least.
    rows_at_once = max(1, min(limit, PAGE_ROWS))
    streams = [_Rows(reader, table, bucket, tuple(equal), start, rows_at_once) for table in tables]
    found: list[MarkedFact] = []
    while len(found) < limit:
        for rows in streams:
            yield from rows.fill()
        sessions = [rows.session_id for rows in streams if rows.session_id is not None]
        if not sessions:
            break
        current = min(sessions)
        marked: list[MarkedFact] = []
        for rows in streams:
            while rows.session_id == current:
                marked += yield from rows.take()
                yield from rows.fill()
        found += [one for one in sorted(marked) if after is None or one > after]
    return found[:limit]


class _Rows:
    """The rows of one table that have anomalies, by session id and key, a page at a time."""

    def __init__(
        self,
        reader: Reader,
        table: Table,
        bucket: int | None,
        equal: tuple[tuple[str, Any], ...],
        start: str,
        limit: int,
    ) -> None:
        self._reader = reader
        self._table = table
        self._rows: deque[Any] = deque()
        self._query: RowQuery | None = RowQuery(
            table=table,
            bucket=bucket,
            equal=equal,
            at_least=(("session_id", start),),
            positive=(ANOMALY_COUNT,),
            order=table.key[1:],
            limit=limit,
        )

    @property
    def session_id(self) -> str | None:
        """The session of the next row; None if there is none."""
        return self._rows[0].session_id if self._rows else None

    def fill(self) -> Plan[None]:
        """Read the next page once the one before is used up."""
        if self._rows or self._query is None:
            return
        page: list[Any] = yield from self._reader.select(self._query)
        self._rows.extend(page)
        if len(page) < (self._query.limit or 0):
            self._query = None
        else:
            # Whoever needs more than a page is looking for a place within a long session.
            self._query = msgspec.structs.replace(
                self._query, after=self._key(page[-1]), limit=PAGE_ROWS
            )

    def take(self) -> Plan[list[MarkedFact]]:
        """Take the next row and return its anomalies."""
        row: Any = self._rows.popleft()
        session_id, *row_key = self._key(row)
        marked: list[Anomaly] = row.anomalies
        if row.anomaly_count > len(marked) and self._table.is_exact:
            bucket = self._reader.bucket(self._table.key_of(row))
            history = self._reader.history
            marked = yield from history.anomalies(self._table, row, bucket, row.last_sequence)
        return [
            MarkedFact(
                session_id=session_id,
                sequence=one.sequence,
                view=self._table.projection.name,
                row_key=tuple(row_key),
                type=one.type,
                reason=one.reason,
            )
            for one in marked
        ]

    def _key(self, row: Any) -> Key:
        return self._table.key_of(row)[1:]
