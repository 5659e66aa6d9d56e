"""The decision inside an append: known ids, expectations, numbers, hashes. Pure.

The memory and SQLite backends run this between taking their lock and writing; PostgreSQL runs the
same steps in `append_events.sql`, and the model test holds the two together.
"""

from __future__ import annotations

import msgspec

from .digests import event_hash
from .errors import EventIdReused, SequenceConflict
from .records import Head, Numbered, Outcome, Part, Record, Unit, record_of, same_content


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
                numbers.append(
                    Numbered(
                        known.sequence,
                        known.position,
                        known.occurred_us,
                        known.recorded_us,
                        known.event_hash,
                        False,
                    )
                )
                continue
            recorded_us = draft.recorded_us
            if recorded_us is None:
                recorded_us = max(self.now_us, bucket.recorded_us)
            bucket.recorded_us = max(bucket.recorded_us, recorded_us)
            bucket.position += 1
            sequence += 1
            hash_ = event_hash(hash_, sequence, recorded_us, draft.body_digest)
            number = Numbered(
                sequence, bucket.position, draft.occurred_us, recorded_us, hash_, True
            )
            record = record_of(part, draft, number)
            self.known[(*session, draft.event_id)] = record
            self.rows.append(record)
            numbers.append(number)
        if sequence > head.sequence:
            self.heads[session] = Head(sequence, hash_, head.deleted)
