"""The marks that consumers left in sessions which have gone on: what to look for, and what is found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ledger.backends.base import Backend, SessionQuery
from ledger.digests import bucket_of

from ..engine.tables import Key, Row, Table

#: When the oldest event behind a mark was stored, of which nobody knows.
UNKNOWN_US = 0


class MarksQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The marks behind which events lie, those with the oldest of them first.

    `marks` is a table of consumers, `sessions` that of sessions. Events of the type `mark` do not
    count; if there are `events_max` of them and no others right behind a mark, and more events
    behind these, nobody knows. `limit` is how many marks are wanted.
    """

    marks: Table
    sessions: Table
    mark: str
    events_max: int
    limit: int

    @property
    def tables(self) -> tuple[Table, Table]:
        """Which are read."""
        return self.marks, self.sessions


class Mark(msgspec.Struct, frozen=True):
    """A consumer's mark, and when the oldest event behind it was stored; UNKNOWN_US comes first."""

    tenant: str
    session_id: str
    consumer: str
    sequence: int
    oldest_us: int


#: Columns of the two tables that are looked at.
_OF_MARKS = ("tenant", "session_id", "consumer", "sequence", "last_sequence")
_OF_SESSIONS = ("tenant", "session_id", "first_sequence", "last_sequence")


def marks_among(
    wanted: MarksQuery,
    marks: Iterable[Row],
    sessions: Iterable[Row],
    log: Backend,
) -> list[Mark]:
    """Return the wanted marks of all rows of the two tables."""
    ends: dict[Key, tuple[int, int]] = {}
    for tenant, session_id, first, last in _columns(wanted.sessions, _OF_SESSIONS, sessions):
        ends[tenant, session_id] = first, last
    found = []
    for tenant, session_id, consumer, sequence, own in _columns(wanted.marks, _OF_MARKS, marks):
        first, last = ends.get((tenant, session_id), (0, 0))
        # Its own mark comes behind what it is done with.
        if sequence is None or last <= sequence or last == own == sequence + 1:
            continue
        after = max(sequence, first - 1)
        query = SessionQuery(
            bucket=bucket_of(tenant, session_id, log.info.buckets),
            tenant=tenant,
            session_id=session_id,
            after=after,
            limit=wanted.events_max,
        )
        left = [one.recorded_us for one in log.read(query) if one.type != wanted.mark]
        if left:
            found.append(Mark(tenant, session_id, consumer, sequence, left[0]))
        elif last - after > wanted.events_max:
            found.append(Mark(tenant, session_id, consumer, sequence, UNKNOWN_US))
    return sorted(found, key=lambda mark: mark.oldest_us)[: wanted.limit]


def _columns(table: Table, names: tuple[str, ...], rows: Iterable[Row]) -> Iterable[Any]:
    places = [table.names.index(name) for name in names]
    return ([row[place] for place in places] for row in rows)
