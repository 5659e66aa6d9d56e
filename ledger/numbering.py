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
        numbers: list[Numbered] = []
        for part in unit.parts:
            self._number(part, numbers)
        return numbers

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

    def _number(self, part: Part, numbers: list[Numbered]) -> None:
        session = (part.tenant, part.session_id)
        bucket = self.buckets[part.bucket]
        head = self.heads.get(session, Head())
        sequence = head.sequence
        hash_ = head.event_hash if sequence else part.genesis
        for draft in part.drafts:
            known = self.known.get((*session, draft.event_id))
            if known is not None:
                numbers.append(_numbered(known, stored=False))
                continue
            recorded_us = draft.recorded_us
            if recorded_us is None:
                recorded_us = max(self.now_us, bucket.recorded_us)
            bucket.recorded_us = max(bucket.recorded_us, recorded_us)
            bucket.position += 1
            sequence += 1
            hash_ = event_hash(hash_, sequence, recorded_us, draft.body_digest)
            record = _record(part, draft, sequence, bucket.position, recorded_us, hash_)
            self.known[(*session, draft.event_id)] = record
            self.rows.append(record)
            numbers.append(_numbered(record, stored=True))
        if sequence > head.sequence:
            self.heads[session] = Head(sequence, hash_, head.deleted)


def _numbered(record: Record, *, stored: bool) -> Numbered:
    return Numbered(
        record.sequence,
        record.position,
        record.occurred_us,
        record.recorded_us,
        record.event_hash,
        stored,
    )


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
