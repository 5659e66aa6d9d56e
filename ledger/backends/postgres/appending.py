"""Units as parameters of what appends, and its answers as outcomes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from struct import Struct
from typing import Any

from psycopg.types.numeric import Int4, Int8

from ...errors import EventIdReused, IncarnationConflict, IntegrityError, SequenceConflict
from ...records import Busy, Draft, Numbered, Outcome, Unit
from . import arrays
from .arrays import NULL, blob, text

_BUSY, _SEQUENCE, _INCARNATION = 1, 2, 4
_first = itemgetter(0)
_packed = Struct(">qqq32s")
_draft_ints = Struct(">iqiqiqiqiq")
_part_ints = Struct(">iqiqiqiqiqiq")
# Types, content types and the like repeat; encoding them once per process is enough.
_repeated = lru_cache(1_024)(text)

#: More events of a session are as quick by append_events.
FEW_EVENTS_MAX = 16

#: The row of the statements `append_events` and `append_within`, as psycopg decodes it.
Answer = Sequence[Any]


def touched(units: Sequence[Unit]) -> list[int]:
    """Return the buckets of some units, ascending: their locks are taken in this order."""
    return sorted({part.bucket for unit in units for part in unit.parts})


def single(units: Sequence[Unit]) -> tuple[Any, ...] | None:
    """Return the parameters of append_event behind `wait`; None for more than one event."""
    if len(units) != 1 or len(units[0].parts) != 1 or len(units[0].parts[0].drafts) != 1:
        return None
    part = units[0].parts[0]
    draft = part.drafts[0]
    return (
        Int4(part.bucket),
        part.tenant,
        part.session_id,
        Int8(-1 if part.expected is None else part.expected),
        part.genesis,
        Int8(draft.schema_version),
        Int8(draft.occurred_us),
        Int8(-1 if draft.recorded_us is None else draft.recorded_us),
        draft.event_id,
        draft.type,
        draft.run_id,
        draft.actor,
        draft.causation_id,
        draft.correlation_id,
        draft.trace_id,
        draft.span_id,
        draft.metadata,
        draft.content_type,
        draft.payload,
        draft.salt,
        draft.payload_digest,
        draft.body_digest,
        Int8(-1 if part.incarnation is None else part.incarnation),
    )


def single_outcome(units: Sequence[Unit], packed: bytes) -> list[Outcome]:
    """Return what append_event answered, which is that it stored the event."""
    sequence, position, recorded_us, event_hash = _packed.unpack(packed)
    occurred_us = units[0].parts[0].drafts[0].occurred_us
    return [[Numbered(sequence, position, occurred_us, recorded_us, event_hash, True)]]


def few(units: Sequence[Unit]) -> dict[str, Any] | None:
    """Return the parameters of append_few; None unless it is two events of a session or a few."""
    if len(units) != 1 or len(units[0].parts) != 1:
        return None
    [part] = units[0].parts
    count = len(part.drafts)
    if not 1 < count <= FEW_EVENTS_MAX:
        return None
    texts: list[bytes] = []
    for draft in part.drafts:
        texts += _texts_of(draft)
    return {
        "bucket": Int4(part.bucket),
        "tenant": part.tenant,
        "session_id": part.session_id,
        "expected": Int8(-1 if part.expected is None else part.expected),
        "incarnation": Int8(-1 if part.incarnation is None else part.incarnation),
        "genesis": part.genesis,
        "count": Int4(count),
        "ints": arrays.int8_elements(5 * count, [_ints_of(draft, 1) for draft in part.drafts]),
        "texts": arrays.text_elements(10 * count, texts),
        "bytes": arrays.bytea_elements(
            4 * count, [one for draft in part.drafts for one in _bytes_of(draft)]
        ),
    }


def few_outcome(units: Sequence[Unit], rows: Sequence[Answer]) -> list[Outcome]:
    """Return what append_few answered, which is that it stored the events."""
    drafts = units[0].parts[0].drafts
    return [
        [
            Numbered(sequence, position, draft.occurred_us, recorded_us, event_hash, True)
            for draft, (sequence, position, recorded_us, event_hash) in zip(
                drafts, sorted(rows, key=_first), strict=True
            )
        ]
    ]


def several(units: Sequence[Unit]) -> tuple[arrays.Array | None, ...]:
    """Return the parameters of append_events behind `wait`; layouts are told in its file."""
    parts = [(u, part) for u, unit in enumerate(units, 1) for part in unit.parts]
    buckets = touched(units)
    places = {bucket: i for i, bucket in enumerate(buckets, 1)}
    sessions: dict[tuple[str, str], int] = {}
    part_ints: list[bytes] = []
    part_texts: list[bytes] = []
    geneses: list[bytes] = []
    incarnations: list[int] = []
    conditional = False
    draft_ints: list[bytes] = []
    draft_texts: list[bytes] = []
    draft_bytes: list[bytes] = []
    last = 0
    for p, (u, part) in enumerate(parts, 1):
        session = sessions.setdefault((part.tenant, part.session_id), p)
        first, last = last + 1, last + len(part.drafts)
        expected = -1 if part.expected is None else part.expected
        part_ints.append(
            _part_ints.pack(
                8, u, 8, places[part.bucket], 8, session, 8, expected, 8, first, 8, last
            )
        )
        part_texts += (text(part.tenant), text(part.session_id))
        geneses.append(blob(part.genesis))
        conditional = conditional or part.incarnation is not None
        incarnations.append(-1 if part.incarnation is None else part.incarnation)
        for draft in part.drafts:
            draft_ints.append(_ints_of(draft, p))
            draft_texts += _texts_of(draft)
            draft_bytes += _bytes_of(draft)
    return (
        arrays.int4_array(buckets),
        arrays.int8_elements(6 * len(parts), part_ints),
        arrays.text_elements(2 * len(parts), part_texts),
        arrays.bytea_elements(len(parts), geneses),
        arrays.int8_elements(5 * last, draft_ints),
        arrays.text_elements(10 * last, draft_texts),
        arrays.bytea_elements(4 * last, draft_bytes),
        arrays.int8_array(incarnations) if conditional else None,
    )


def outcomes(units: Sequence[Unit], answer: Answer, *, waited: bool) -> list[Outcome]:
    """Return what became of each unit; who `waited` for a lock and has none found no row."""
    sequences, positions, recorded, hashes, known, refusals = answer
    originals = dict(zip(known[::2], known[1::2], strict=True)) if known else {}
    refused = {refusals[i]: refusals[i + 1 : i + 4] for i in range(0, len(refusals or ()), 4)}
    found: list[Outcome] = []
    part = draft = 0
    for u, unit in enumerate(units, 1):
        drafts = [one for part_ in unit.parts for one in part_.drafts]
        if u in refused:
            refusal = _refusal(unit, part, draft, *refused[u])
            if waited and isinstance(refusal, Busy):
                refusal = IntegrityError(f"The row of bucket {refusal.bucket} is missing.")
            found.append(refusal)
        else:
            found.append(
                [
                    Numbered(
                        sequences[i],
                        positions[i],
                        originals.get(i + 1, one.occurred_us),
                        recorded[i],
                        hashes[i],
                        i + 1 not in originals,
                    )
                    for i, one in enumerate(drafts, draft)
                ]
            )
        part += len(unit.parts)
        draft += len(drafts)
    return found


def _refusal(
    unit: Unit, parts_before: int, drafts_before: int, reason: int, part: int, detail: int
) -> Outcome:
    refused = unit.parts[part - parts_before - 1]
    if reason == _BUSY:
        return Busy(refused.bucket)
    # What is refused was asked for, so neither number is None.
    if reason == _SEQUENCE:
        return SequenceConflict(refused.tenant, refused.session_id, refused.expected or 0, detail)
    if reason == _INCARNATION:
        asked = refused.incarnation or 0
        return IncarnationConflict(refused.tenant, refused.session_id, asked, detail)
    drafts = [draft for one in unit.parts for draft in one.drafts]
    event_id = drafts[detail - drafts_before - 1].event_id
    return EventIdReused(refused.tenant, refused.session_id, event_id)


def _ints_of(draft: Draft, part: int) -> bytes:
    recorded_us = -1 if draft.recorded_us is None else draft.recorded_us
    return _draft_ints.pack(
        8,
        part,
        8,
        draft.schema_version,
        8,
        draft.occurred_us,
        8,
        draft.occurred_given,
        8,
        recorded_us,
    )


def _texts_of(draft: Draft) -> tuple[bytes, ...]:
    return (
        text(draft.event_id),
        _repeated(draft.type),
        NULL if draft.run_id is None else _repeated(draft.run_id),
        NULL if draft.actor is None else _repeated(draft.actor),
        NULL if draft.causation_id is None else text(draft.causation_id),
        NULL if draft.correlation_id is None else text(draft.correlation_id),
        NULL if draft.trace_id is None else _repeated(draft.trace_id),
        NULL if draft.span_id is None else text(draft.span_id),
        _repeated(draft.metadata),
        _repeated(draft.content_type),
    )


def _bytes_of(draft: Draft) -> tuple[bytes, ...]:
    return (
        blob(draft.payload),
        blob(draft.salt),
        blob(draft.payload_digest),
        blob(draft.body_digest),
    )
