"""The decision inside an append: known ids, expectations, numbers, hashes. Pure.

The memory and SQLite backends run this between taking their lock and writing; PostgreSQL runs the
same steps in `append_events.sql`, and the model test holds the two together.
"""

from __future__ import annotations

import msgspec

from .digests import event_hash
from .errors import EventIdReused, IncarnationConflict, SequenceConflict
from .events import SESSION_DELETED
from .records import Head, Numbered, Outcome, Part, Record, Unit, record_of, same_content

#: Of a session that has no events yet.
_NO_HEAD = Head()


class BucketHead(msgspec.Struct):
    """The end of a bucket; `recorded_us` never goes backwards, whatever the clock does."""

    position: int
    recorded_us: int


class Numbering:
    """The state one locked transaction works on: heads it read, rows it will insert.

    A head needs its last deletion only where a part of the session asks for an incarnation.
    """

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

    def _refusal(self, part: Part) -> SequenceConflict | IncarnationConflict | EventIdReused | None:
        new = not self.known
        if not new:
            for draft in part.drafts:
                known = self.known.get((part.tenant, part.session_id, draft.event_id))
                if known is None:
                    new = True
                elif not same_content(known, draft):
                    return EventIdReused(part.tenant, part.session_id, draft.event_id)
        if not new:
            # What is stored already is told as ever, whatever became of the session since: the
            # first answer may have been lost.
            return None
        if part.incarnation is None and part.expected is None:
            return None
        session = (part.tenant, part.session_id)
        head = self.heads.get(session, _NO_HEAD)
        if part.incarnation is not None and part.incarnation != head.deleted:
            return IncarnationConflict(*session, part.incarnation, head.deleted)
        if part.expected is not None and part.expected != head.sequence:
            return SequenceConflict(*session, part.expected, head.sequence)
        return None

    def _number(self, part: Part, numbers: list[Numbered]) -> None:
        session = (part.tenant, part.session_id)
        bucket = self.buckets[part.bucket]
        head = self.heads.get(session, _NO_HEAD)
        sequence, deleted = head.sequence, head.deleted
        hash_ = head.event_hash if sequence else part.genesis
        recorded_us = 0
        for draft in part.drafts:
            key = (part.tenant, part.session_id, draft.event_id)
            known = self.known.get(key)
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
            given_us = draft.recorded_us
            recorded_us = max(self.now_us, bucket.recorded_us) if given_us is None else given_us
            bucket.recorded_us = max(bucket.recorded_us, recorded_us)
            bucket.position += 1
            sequence += 1
            if draft.type == SESSION_DELETED:
                deleted = sequence
            hash_ = event_hash(hash_, sequence, recorded_us, draft.body_digest)
            number = Numbered(
                sequence, bucket.position, draft.occurred_us, recorded_us, hash_, True
            )
            record = record_of(part, draft, number)
            self.known[key] = record
            self.rows.append(record)
            numbers.append(number)
        if sequence > head.sequence:
            self.heads[session] = Head(sequence, hash_, deleted, recorded_us)
