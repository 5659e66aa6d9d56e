"""A log of whole conversations, as stored rows: what views have to fold in real life."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.codec import encode_json
from ledger.digests import bucket_of
from tests.bench.workload import START_US, Rows
from tests.support.support_session import facts

_DIGEST = bytes(32)
#: Each conversation is the recorded one: so many facts of twenty types.
FACTS = facts()
_STORED = [(fact, encode_json(fact.payload, "payload")) for fact in FACTS]
#: How many sessions go on at the same time in each bucket.
_TOGETHER = 4
_US_PER_EVENT = 20_000


class Conversations(Rows):
    """Rows of sessions that are going on at the same time, a few in each bucket.

    The digests are zeros, which nobody looks at but `verify`.
    """

    def __init__(self, buckets: int) -> None:
        super().__init__(buckets, len(FACTS))
        self._begun = 0

    def take(self, count: int) -> Iterator[tuple[Any, ...]]:
        """Yield rows of new sessions, bucket by bucket; the last ones may be cut short."""
        waiting: list[list[str]] = [[] for _ in self.ends]
        left = count
        while left > 0:
            session_id = f"session-{self._begun:08d}"
            self._begun += 1
            bucket = bucket_of("", session_id, len(self.ends))
            waiting[bucket].append(session_id)
            if len(waiting[bucket]) == _TOGETHER:
                yield from self._together(bucket, waiting[bucket], left)
                left -= _TOGETHER * len(FACTS)
                waiting[bucket] = []

    def _together(
        self, bucket: int, session_ids: list[str], count: int
    ) -> Iterator[tuple[Any, ...]]:
        self.sessions += session_ids[:count]
        for number in range(min(count, len(session_ids) * len(FACTS))):
            sequence, place = divmod(number, len(session_ids))
            yield self._row(bucket, session_ids[place], sequence)

    def _row(self, bucket: int, session_id: str, sequence: int) -> tuple[Any, ...]:
        fact, stored = _STORED[sequence]
        self.ends[bucket] += 1
        position = self.ends[bucket]
        at_us = START_US + position * _US_PER_EVENT
        event_id = f"0197d1c2-{position >> 16:04x}-7{bucket:03x}-8000-{position:012x}"
        return (
            bucket,
            position,
            "",
            session_id,
            sequence + 1,
            event_id,
            fact.type,
            1,
            fact.run_id,
            at_us,
            at_us,
            fact.actor,
            None,
            None,
            None,
            None,
            "{}",
            "application/json",
            stored,
            _DIGEST,
            _DIGEST,
            _DIGEST,
        )
