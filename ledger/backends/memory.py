"""The log in this process's memory: for tests, and the plainest reading of the contract."""

from __future__ import annotations

import threading
import time
import uuid
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from ..errors import InvalidArgument, LedgerClosed
from ..numbering import BucketHead, Numbering
from ..records import Head, Outcome, Record, Unit, places_of
from ..wakeups import Wakeups, Where
from .base import FeedQuery, LedgerInfo, OpenOptions, Place, SessionQuery


class MemoryBackend:
    """Lists and dicts behind one lock; gone with the object."""

    lanes = 1
    where = "memory:"

    def __init__(self, options: OpenOptions) -> None:
        if not options.create:
            raise InvalidArgument("url", "a ledger in memory is always a new one")
        buckets = 1 if options.buckets is None else options.buckets
        self.lock_timeout_s = options.lock_timeout_s
        self.info = LedgerInfo(str(uuid.uuid4()), buckets, 1)
        self.lock = threading.RLock()
        self._log: list[list[Record]] = [[] for _ in range(buckets)]
        self._ends = [BucketHead(0, 0) for _ in range(buckets)]
        self._sessions: dict[tuple[str, str], list[Record]] = {}
        self._ids: dict[tuple[str, str, str], Record] = {}
        self._heads: dict[tuple[str, str], Head] = {}
        self._wakeups = Wakeups(buckets)
        self._closed = False

    def append(self, units: Sequence[Unit], *, wait: bool) -> list[Outcome]:
        with self.lock:
            self._check_open()
            # The live state is handed over: `decide` changes it only for what it accepts.
            numbering = Numbering(
                dict(enumerate(self._ends)), self._heads, self._ids, time.time_ns() // 1_000
            )
            outcomes = [numbering.decide(unit) for unit in units]
            for record in numbering.rows:
                self._insert(record)
        self._wakeups.signal(places_of(numbering.rows))
        return outcomes

    def append_within(self, unit: Unit, connection: Any) -> NoReturn:
        raise InvalidArgument("connection", "a memory ledger has no transactions to join")

    def read(self, query: SessionQuery) -> list[Record]:
        with self.lock:
            self._check_open()
            records = self._sessions.get((query.tenant, query.session_id), [])
            first = query.after
            if not query.deleted:
                first = max(first, self.head(query.bucket, query.tenant, query.session_id).deleted)
            last = len(records) if query.before is None else min(query.before - 1, len(records))
            chosen = records[first : max(last, first)]
        if query.newest_first:
            chosen.reverse()
        return _take(chosen, query)

    def get(self, bucket: int, tenant: str, session_id: str, event_id: str) -> Record | None:
        with self.lock:
            self._check_open()
            return self._ids.get((tenant, session_id, event_id))

    def head(self, bucket: int, tenant: str, session_id: str) -> Head:
        with self.lock:
            self._check_open()
            return self._heads.get((tenant, session_id), Head())

    def heads(self, tenant: str, session_ids: Sequence[tuple[int, str]]) -> list[Head]:
        with self.lock:
            self._check_open()
            return [self._heads.get((tenant, one), Head()) for _, one in session_ids]

    def positions(self) -> list[int]:
        with self.lock:
            self._check_open()
            return [end.position for end in self._ends]

    def feed(self, query: FeedQuery) -> list[Record]:
        page: list[Record] = []
        with self.lock:
            self._check_open()
            for bucket, after, upto in query.ranges:
                for record in self._log[bucket][after:upto]:
                    if len(page) == query.limit:
                        return page
                    if (query.types is None or record.type in query.types) and (
                        query.tenant is None or record.tenant == query.tenant
                    ):
                        page.append(record)
        return page

    def session_ids(
        self, tenant: str, bucket: int, after: str, limit: int, *, deleted: bool
    ) -> list[tuple[int, str]]:
        with self.lock:
            self._check_open()
            found = sorted(
                (records[0].bucket, session_id)
                for (owner, session_id), records in self._sessions.items()
                if owner == tenant and (deleted or self._heads[owner, session_id].visible)
            )
        return found[bisect_right(found, (bucket, after)) :][:limit]

    def scan(self, after: Place, limit: int) -> list[Record]:
        with self.lock:
            self._check_open()
            ordered = sorted(self._log[after.bucket], key=_scan_key)
        start = bisect_right(
            ordered, (after.tenant, after.session_id, after.sequence), key=_scan_key
        )
        return ordered[start : start + limit]

    def token(self, where: Where) -> int:
        return self._wakeups.token(where)

    def wait(self, where: Where, token: int, timeout_s: float) -> bool:
        return self._wakeups.wait(where, token, timeout_s)

    async def wait_async(self, where: Where, token: int, timeout_s: float) -> bool:
        """Wait in a task; the threaded wrapper prefers this over holding a thread."""
        return await self._wakeups.wait_async(where, token, timeout_s)

    def close(self) -> None:
        self._closed = True
        self._wakeups.signal()

    def _insert(self, record: Record) -> None:
        session = (record.tenant, record.session_id)
        self._log[record.bucket].append(record)
        self._sessions.setdefault(session, []).append(record)

    def _check_open(self) -> None:
        if self._closed:
            raise LedgerClosed("The ledger is closed.")


def _take(records: Iterable[Record], query: SessionQuery) -> list[Record]:
    taken: list[Record] = []
    for record in records:
        if (
            (query.run_id is None or record.run_id == query.run_id)
            and (query.types is None or record.type in query.types)
            and (query.since_us is None or record.occurred_us >= query.since_us)
            and (query.until_us is None or record.occurred_us < query.until_us)
        ):
            taken.append(record)
            if len(taken) == query.limit:
                break
    return taken


def _scan_key(record: Record) -> tuple[str, str, int]:
    return (record.tenant, record.session_id, record.sequence)
