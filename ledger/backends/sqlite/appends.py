"""The steps of an append inside an open write transaction: load, decide, insert."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import apsw
import msgspec
from msgspec.structs import astuple

from ...numbering import BucketHead, Numbering
from ...records import Head, Outcome, Part, Record, Unit
from ..queries import load_queries

_SQL = load_queries(__package__, "queries.sql")
_BUCKET, _ADVANCE = _SQL["bucket"], _SQL["advance_bucket"]
_END, _KNOWN, _INSERT = _SQL["session_end"], _SQL["known_events"], _SQL["insert_event"]


def store(cursor: apsw.Cursor, units: Sequence[Unit]) -> tuple[list[Outcome], dict[int, int]]:
    """Insert what can be stored; return each unit's outcome and the new end of each bucket.

    `executemany` runs one prepared statement per key: as few calls as one statement with a list,
    and every key takes its index whatever the planner thinks.
    """
    parts = [part for unit in units for part in unit.parts]
    buckets = _bucket_heads(cursor, parts)
    heads = _session_heads(cursor, parts)
    known = _known_events(cursor, parts, heads)
    # The clock is read under the lock, so that recorded_us follows the order of commits.
    numbering = Numbering(buckets, heads, known, time.time_ns() // 1_000)
    outcomes = [numbering.decide(unit) for unit in units]
    rows = numbering.rows
    if not rows:
        return outcomes, {}
    cursor.executemany(_INSERT, map(astuple, rows))
    grown = {row.bucket: buckets[row.bucket] for row in rows}
    cursor.executemany(
        _ADVANCE, ((bucket, end.position, end.recorded_us) for bucket, end in grown.items())
    )
    return outcomes, {bucket: end.position for bucket, end in grown.items()}


def _bucket_heads(cursor: apsw.Cursor, parts: Iterable[Part]) -> dict[int, BucketHead]:
    rows = cursor.executemany(_BUCKET, [(bucket,) for bucket in {part.bucket for part in parts}])
    return {bucket: BucketHead(position, recorded_us) for bucket, position, recorded_us in rows}


def _session_heads(cursor: apsw.Cursor, parts: Iterable[Part]) -> dict[tuple[str, str], Head]:
    sessions = {(part.bucket, part.tenant, part.session_id) for part in parts}
    rows = cursor.executemany(_END, sessions)
    return {(tenant, session): Head(sequence, digest) for tenant, session, sequence, digest in rows}


def _known_events(
    cursor: apsw.Cursor, parts: Iterable[Part], heads: dict[tuple[str, str], Head]
) -> dict[tuple[str, str, str], Record]:
    keys = [
        (part.bucket, part.tenant, part.session_id, _json([d.event_id for d in part.drafts]))
        for part in parts
        if (part.tenant, part.session_id) in heads  # a new session knows no ids
    ]
    records = (Record(*row) for row in cursor.executemany(_KNOWN, keys))
    return {(record.tenant, record.session_id, record.event_id): record for record in records}


def _json(ids: list[str]) -> str:
    return msgspec.json.encode(ids).decode()
