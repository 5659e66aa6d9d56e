"""The steps of an append inside an open write transaction: load, decide, insert."""

from __future__ import annotations

import time
from collections.abc import Sequence

import apsw
import msgspec
from msgspec.structs import astuple

from ...errors import IncarnationConflict, IntegrityError, SequenceConflict
from ...limits import SEQUENCE_MAX
from ...numbering import BucketHead, Numbering
from ...records import Head, Outcome, Part, Record, Unit
from ..queries import load_queries
from .rows import add_records

_SQL = load_queries(__package__, "queries.sql")
_BUCKET, _ADVANCE = _SQL["bucket"], _SQL["advance_bucket"]
_END, _HEAD = _SQL["session_end"], _SQL["head"]
_KNOWN, _INSERT = _SQL["known_events"], _SQL["insert_event"]
_UNMET = (SequenceConflict, IncarnationConflict)


def store(
    cursor: apsw.Cursor, units: Sequence[Unit], *, look_up: bool = True
) -> tuple[list[Outcome], list[Record]]:
    """Insert what can be stored; return each unit's outcome, and the rows that were inserted.

    Without `look_up` an id that its session has already is not looked for: its row meets the
    unique index, apsw.ConstraintError is raised, and the caller rolls back and looks them up.
    """
    # The clock is read under the lock, so that recorded_us follows the order of commits.
    numbering = Numbering({}, {}, {}, time.time_ns() // 1_000)
    for unit in units:
        for part in unit.parts:
            _load(cursor, part, numbering, look_up=look_up)
    outcomes = []
    for unit in units:
        outcome = numbering.decide(unit)
        if not look_up and isinstance(outcome, _UNMET):
            # Whose condition failed may be a repeat, which has none: nothing is inserted yet.
            return store(cursor, units)
        outcomes.append(outcome)
    rows = numbering.rows
    if not rows:
        return outcomes, rows
    cursor.executemany(_INSERT, map(astuple, rows))
    ends = {row.bucket: row.position for row in rows}  # in order, so the last of each bucket
    for bucket, position in ends.items():
        cursor.execute(_ADVANCE, (bucket, position, numbering.buckets[bucket].recorded_us))
    return outcomes, rows


def _load(cursor: apsw.Cursor, part: Part, into: Numbering, *, look_up: bool) -> None:
    """Read what the decision on a part needs: two or three probes, each by its own index."""
    bucket, tenant, session_id = part.bucket, part.tenant, part.session_id
    session = (tenant, session_id)
    if bucket not in into.buckets:
        for position, recorded_us in cursor.execute(_BUCKET, (bucket,)):
            if not 0 <= position < SEQUENCE_MAX:
                raise IntegrityError(f"The head of bucket {bucket} is {position}.")
            into.buckets[bucket] = BucketHead(position, recorded_us)
        if bucket not in into.buckets:
            raise IntegrityError(f"The row of bucket {bucket} is missing.")
    if part.incarnation is not None:
        # Another part may have read the head before, without the deletion.
        for row in cursor.execute(_HEAD, (bucket, tenant, session_id)):
            into.heads[session] = Head(*row)
    elif session not in into.heads:
        for sequence, event_hash in cursor.execute(_END, (bucket, tenant, session_id)):
            into.heads[session] = Head(sequence, event_hash)
    if look_up and session in into.heads:  # a new session knows no ids
        ids = msgspec.json.encode([draft.event_id for draft in part.drafts]).decode()
        known: list[Record] = []
        rows = cursor.execute(_KNOWN, (bucket, tenant, session_id, ids))
        add_records(
            known, rows, lambda _: f"An event of session {session_id!r}, tenant {tenant!r},"
        )
        for record in known:
            into.known[tenant, session_id, record.event_id] = record
