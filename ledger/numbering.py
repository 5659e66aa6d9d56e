"""The decision inside an append: known ids, expectations, numbers, hashes. Pure.

The memory and SQLite backends run this between taking their lock and writing; PostgreSQL runs the
same steps in `append_events.sql`, and the model test holds the two together.
"""

from __future__ import annotations

import msgspec

from .digests import event_hash
from .errors import EventIdReused, SequenceConflict
from .records import Draft, Head, Numbered, Outcome, Part, Record, Unit, same_content


class BucketHead(msgspec.Struct):
    """The end of a bucket; `recorded_us` never goes backwards, whatever the clock does."""

    position: int
    recorded_us: int


class Numbering:
    """The state one locked transaction works on: heads it read, rows it will insert."""

    def __init__(
        self,
        buckets: dict[int, BucketHead],
        heads: dict[tuple[str, str], Head],
        known: dict[tuple[str, str, str], Record],
        now_us: int,
    ) -> None:
        self.buckets = buckets
        self.heads = heads
        self.known = known
        self.now_us = now_us
        self.rows: list[Record] = []

    def decide(self, unit: Unit) -> Outcome:
        """Accept the unit and add its rows, or say why nothing of it may be stored."""
        for part in unit.parts:
            refused = self._refusal(part)
            if refused is not None:
                return refused
        return [self._number(part, draft) for part in unit.parts for draft in part.drafts]

    def _refusal(self, part: Part) -> SequenceConflict | EventIdReused | None:
        new = False
        for draft in part.drafts:
            known = self.known.get((part.tenant, part.session_id, draft.event_id))
            if known is None:
                new = True
            elif not same_content(known, draft):
                return EventIdReused(part.tenant, part.session_id, draft.event_id)
        head = self.heads.get((part.tenant, part.session_id), Head())
        if new and part.expected is not None and part.expected != head.sequence:
            return SequenceConflict(part.tenant, part.session_id, part.expected, head.sequence)
        return None

    def _number(self, part: Part, draft: Draft) -> Numbered:
        session = (part.tenant, part.session_id)
        known = self.known.get((*session, draft.event_id))
        if known is not None:
            return Numbered(
                known.sequence,
                known.position,
                known.occurred_us,
                known.recorded_us,
                known.event_hash,
                False,
            )
        bucket = self.buckets[part.bucket]
        head = self.heads.get(session, Head())
        previous = head.event_hash if head.sequence else part.genesis
        sequence = head.sequence + 1
        recorded_us = draft.recorded_us
        if recorded_us is None:
            recorded_us = max(self.now_us, bucket.recorded_us)
        bucket.position += 1
        bucket.recorded_us = max(bucket.recorded_us, recorded_us)
        digest = event_hash(previous, sequence, recorded_us, draft.body_digest)
        self.heads[session] = Head(sequence, digest, head.deleted)
        record = _record(part, draft, sequence, bucket.position, recorded_us, digest)
        self.known[(*session, draft.event_id)] = record
        self.rows.append(record)
        return Numbered(sequence, record.position, draft.occurred_us, recorded_us, digest, True)


def _record(
    part: Part, draft: Draft, sequence: int, position: int, recorded_us: int, digest: bytes
) -> Record:
    return Record(
        part.bucket,
        position,
        part.tenant,
        part.session_id,
        sequence,
        draft.event_id,
        draft.type,
        draft.schema_version,
        draft.run_id,
        draft.occurred_us,
        recorded_us,
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
        digest,
    )
