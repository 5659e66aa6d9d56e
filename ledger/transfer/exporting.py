"""Exporting: all buckets merged into one order, in memory that does not grow with the log.

A bucket's events come in the order of `recorded_us`, except where older events were imported
behind newer ones. So the log is read twice. The first pass cuts each bucket into as few
ascending chains as possible (patience sorting: one, unless there were such imports) and keeps
nothing but their bounds; the second merges the chains. Both stop at the heads seen at the start,
which makes an export under load a consistent prefix.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import deque
from hashlib import sha256

from ..backends.base import FeedQuery, SessionQuery
from ..checker import UNHASHABLE
from ..digests import bucket_of, genesis
from ..errors import IntegrityError
from ..events import SESSION_FORKED
from ..lineage import fork_place
from ..paging import PAGE_BYTES, PageSize
from ..plans import Plan
from ..reading import Storage, bucket_heads
from ..records import Record
from .format import (
    FORMAT,
    VERSION,
    HeaderLine,
    Key,
    TrailerLine,
    encode_line,
    event_line,
    key_of,
)

EXPORT_PAGE_EVENTS = 500
#: What all chains together keep in memory, groups of the same microsecond aside.
EXPORT_BUFFER_EVENTS = 2_000
_CHAIN_PAGE_EVENTS_MIN = 8

Range = tuple[int, int, int]


class Chain:
    """Part of a bucket in which `recorded_us` never goes backwards: ranges, then their events."""

    def __init__(self, bucket: int) -> None:
        self.bucket = bucket
        self.bounds: list[list[int]] = []
        self._unread: deque[Range] = deque()
        self._group: list[Record] = []
        self.ready: deque[Record] = deque()

    def add(self, position: int) -> None:
        """Take up a position that comes behind all others."""
        if self.bounds and self.bounds[-1][1] == position - 1:
            self.bounds[-1][1] = position
        else:
            self.bounds.append([position - 1, position])

    def rewind(self) -> None:
        """Begin to read."""
        self._unread = deque((self.bucket, after, upto) for after, upto in self.bounds)
        self.bounds = []

    def load(self, backend: Storage, size: PageSize) -> Plan[None]:
        """Read on until there are events whose place is settled, or the chain has ended.

        Events of the same microsecond are in order of commit, not of the export. They are held
        back until one of a later microsecond shows that none is missing.
        """
        while not self.ready and (self._unread or self._group):
            ranges = self._take(size.events)
            if ranges:
                page = yield from _all_of(backend, ranges)
                size.saw(page)
                self._group += page
            self._group.sort(key=key_of)
            settled = len(self._group)
            if self._unread:
                last_us = self._group[-1].recorded_us
                settled = bisect_right(self._group, last_us - 1, key=_recorded_us)
            self.ready.extend(self._group[:settled])
            del self._group[:settled]

    def _take(self, size: int) -> tuple[Range, ...]:
        taken = []
        while self._unread and size:
            bucket, after, upto = self._unread.popleft()
            end = min(upto, after + size)
            taken.append((bucket, after, end))
            size -= end - after
            if end < upto:
                self._unread.appendleft((bucket, end, upto))
        return tuple(taken)


class Exporter:
    """One export: `start` once, then `page` until it is empty."""

    def __init__(self, backend: Storage) -> None:
        self._backend = backend
        self._hash = sha256()
        self._events = 0
        self._merge: list[tuple[Key, int]] = []
        self._chains: list[Chain] = []
        self._trailed = False

    def start(self) -> Plan[list[bytes]]:
        """Fix what is exported and return the first line."""
        heads = yield from bucket_heads(self._backend)
        self._chains = yield from _ascending_chains(self._backend, heads)
        chains = max(1, len(self._chains))
        share = max(_CHAIN_PAGE_EVENTS_MIN, EXPORT_BUFFER_EVENTS // chains)
        self._size = PageSize(min(EXPORT_PAGE_EVENTS, share), PAGE_BYTES // chains)
        for index, chain in enumerate(self._chains):
            chain.rewind()
            yield from self._queue(index)
        return [self._hashed(encode_line(HeaderLine(FORMAT, VERSION)))]

    def page(self) -> Plan[list[bytes]]:
        """Return some more lines, the trailer last; [] at the end."""
        lines: list[bytes] = []
        left = PAGE_BYTES
        while self._merge and len(lines) < EXPORT_PAGE_EVENTS and left > 0:
            _, index = heapq.heappop(self._merge)
            record = self._chains[index].ready.popleft()
            origin: bytes | None = None
            if record.sequence == 1:
                origin = yield from self._origin(record)
            lines.append(self._hashed(event_line(record, origin)))
            left -= len(lines[-1])
            self._events += 1
            yield from self._queue(index)
        if not self._merge and not self._trailed:
            self._trailed = True
            lines.append(encode_line(TrailerLine(self._events, self._hash.hexdigest())))
        return lines

    def _queue(self, index: int) -> Plan[None]:
        chain = self._chains[index]
        if not chain.ready:
            yield from chain.load(self._backend, self._size)
        if chain.ready:
            heapq.heappush(self._merge, (key_of(chain.ready[0]), index))

    def _origin(self, record: Record) -> Plan[bytes]:
        if record.type != SESSION_FORKED:
            try:
                return genesis(record.tenant, record.session_id)
            except UNHASHABLE as error:
                raise IntegrityError(
                    f"The name of a session in bucket {record.bucket}, position"
                    f" {record.position}, is none that can be appended to: {error}."
                ) from error
        place = fork_place(record.payload)
        found: Record | None = None
        if place is not None and place[0] != record.session_id:
            found = yield from event_at(self._backend, record.tenant, *place)
        if found is None:
            raise IntegrityError(
                f"Session {record.session_id!r} of tenant {record.tenant!r} was forked from an"
                " event that is missing."
            )
        return found.event_hash

    def _hashed(self, line: bytes) -> bytes:
        self._hash.update(line)
        return line


def event_at(backend: Storage, tenant: str, session_id: str, sequence: int) -> Plan[Record | None]:
    """Return one event by its sequence, deleted or not."""
    found: list[Record] = yield backend.read(
        SessionQuery(
            bucket=bucket_of(tenant, session_id, backend.info.buckets),
            tenant=tenant,
            session_id=session_id,
            limit=1,
            after=sequence - 1,
            before=sequence + 1,
            deleted=True,
        )
    )
    return found[0] if found else None


def _all_of(backend: Storage, ranges: tuple[Range, ...]) -> Plan[list[Record]]:
    """Return the events of ranges of one bucket; raise IntegrityError if one is missing."""
    asked = sum(upto - after for _, after, upto in ranges)
    page: list[Record] = yield backend.feed(FeedQuery(ranges=ranges, limit=asked))
    if len(page) != asked:
        bucket, after, upto = ranges[0][0], ranges[0][1], ranges[-1][2]
        raise IntegrityError(
            f"Of {asked} events of bucket {bucket} at positions {after + 1} to {upto}"
            f" there are {len(page)}."
        )
    return page


def _ascending_chains(backend: Storage, heads: list[int]) -> Plan[list[Chain]]:
    found: list[Chain] = []
    size = PageSize(EXPORT_PAGE_EVENTS)
    for bucket, head in enumerate(heads):
        # Ascending; an event goes to the chain with the latest end that is not behind it.
        ends_us: list[int] = []
        chains: list[Chain] = []
        upto = 0
        while upto < head:
            after, upto = upto, min(head, upto + size.events)
            page = yield from _all_of(backend, ((bucket, after, upto),))
            size.saw(page)
            for record in page:
                place = bisect_right(ends_us, record.recorded_us) - 1
                if place < 0:
                    place = 0
                    ends_us.insert(0, 0)
                    chains.insert(0, Chain(bucket))
                ends_us[place] = record.recorded_us
                chains[place].add(record.position)
        found += chains
    return found


def _recorded_us(record: Record) -> int:
    return record.recorded_us
