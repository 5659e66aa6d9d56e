"""Verification: numbering, digests and hash chains, recomputed from the stored bytes.

The log is read in (bucket, tenant, session, sequence) order, so the memory needed does not grow
with it; `checker` says what is wrong with each event. Nothing that is stored ends a verification:
what cannot be read is a finding too, and the rest is looked at.

What a hash chain cannot show, whoever can rewrite the database can hide: a session cut at its end
together with the bucket's head, or a whole history written anew. That takes evidence kept outside.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from .arguments import check_callback
from .backends.base import FeedQuery, Place, SessionQuery
from .checker import FINDINGS_MAX, UNHASHABLE, Checker, Finding, VerifyReport, recompute
from .digests import bucket_of, genesis
from .errors import IntegrityError
from .events import SESSION_FORKED
from .limits import READ_PAGE_EVENTS
from .lineage import fork_place
from .paging import PageSize
from .plans import Plan
from .reading import Storage, bucket_heads
from .records import Record

__all__ = [
    "Finding",
    "Progress",
    "VerifyReport",
    "recompute",
    "verify_everything",
    "verify_session",
]

#: Called with the events looked at so far and the events there were at the start.
Progress = Callable[[int, int], None]

#: Before whatever a column of 64 bits can hold; forged sequences may be negative.
_BEFORE_ALL = -(2**63)
_WHOLE_LOG = -1


def verify_session(
    backend: Storage, tenant: str, session_id: str, buckets: int, progress: Progress | None
) -> Plan[VerifyReport]:
    """Verify one session, deleted events included; bucket positions are not looked at."""
    check_callback(progress, "progress")
    checker, size = Checker(buckets), PageSize(READ_PAGE_EVENTS)
    bucket = bucket_of(tenant, session_id, buckets)
    total = (yield backend.head(bucket, tenant, session_id)).sequence
    place: Place | None = Place(bucket, tenant, session_id, _BEFORE_ALL)
    while place is not None:
        # The scan reads what a read refuses. It goes on into the next session.
        page, place = yield from _scan(backend, place, size)
        for record in page:
            if (record.tenant, record.session_id) != (tenant, session_id):
                place = None
                break
            yield from _check(backend, checker, record, buckets)
        if progress is not None:
            progress(checker.events, total)
    return checker.report()


def verify_everything(
    backend: Storage, buckets: int, progress: Progress | None
) -> Plan[VerifyReport]:
    """Verify every session and every bucket's positions up to the heads of this moment."""
    check_callback(progress, "progress")
    checker, size, late = Checker(buckets), PageSize(READ_PAGE_EVENTS), _Late()
    known = yield from _heads(backend, checker)
    heads = [0] * buckets if known is None else known
    for bucket, head in enumerate(heads):
        place: Place | None = Place(bucket, sequence=_BEFORE_ALL)
        count = total = 0
        while place is not None:
            page, place = yield from _scan(backend, place, size)
            for record in page:
                yield from _check(backend, checker, record, buckets)
                if record.position > head:
                    late.add(record, head)
                elif record.position > 0:
                    count += 1
                    total += record.position
            if progress is not None:
                progress(checker.events, sum(heads))
        if (count, total) != (head, head * (head + 1) // 2):
            yield from _missing_positions(backend, checker, bucket, head, count)
    if known is not None:
        yield from _check_late(backend, checker, late)
    return checker.report()


class _Late:
    """Events behind the heads of the start: appended since, or never. The furthest are kept."""

    def __init__(self) -> None:
        self._furthest: list[tuple[int, int, int, str, str, int]] = []

    def add(self, record: Record, head: int) -> None:
        """Remember an event; the least far one is forgotten for it."""
        session = (record.tenant, record.session_id, record.sequence)
        place = (record.position - head, record.bucket, record.position, *session)
        heapq.heappush(self._furthest, place)
        if len(self._furthest) > FINDINGS_MAX:
            heapq.heappop(self._furthest)

    def beyond(self, heads: list[int]) -> list[tuple[int, int, str, str, int]]:
        """Return (bucket, position, tenant, session_id, sequence) of what is behind these heads."""
        return sorted(place[1:] for place in self._furthest if place[2] > heads[place[1]])


def _check_late(backend: Storage, checker: Checker, late: _Late) -> Plan[None]:
    """Find events behind a head that was read after them: readers of the log never see those."""
    heads = yield from _heads(backend, checker)
    if heads is None:
        return
    for bucket, position, tenant, session_id, sequence in late.beyond(heads):
        problem = f"position {position} is behind the bucket's head, {heads[bucket]}"
        checker.note(bucket, tenant, session_id, sequence, problem)


def _heads(backend: Storage, checker: Checker) -> Plan[list[int] | None]:
    try:
        return (yield from bucket_heads(backend))
    except IntegrityError as error:
        checker.note(_WHOLE_LOG, "", "", 0, error.problem)
        return None


def _scan(
    backend: Storage, place: Place, size: PageSize
) -> Plan[tuple[list[Record], Place | None]]:
    asked = size.events
    page: list[Record] = yield backend.scan(place, asked)
    if len(page) < asked:
        return page, None
    size.saw(page)
    last = page[-1]
    return page, Place(place.bucket, last.tenant, last.session_id, last.sequence)


def _check(backend: Storage, checker: Checker, record: Record, buckets: int) -> Plan[None]:
    origin: bytes | None = None
    if checker.starts_session(record):
        try:
            origin = genesis(record.tenant, record.session_id)
            if record.type == SESSION_FORKED:
                origin = yield from _fork_origin(backend, record, buckets)
        except UNHASHABLE:
            origin = b""  # of no consequence: nothing of this event can be hashed
    checker.add(record, origin)


def _fork_origin(backend: Storage, record: Record, buckets: int) -> Plan[bytes | None]:
    place = fork_place(record.payload)
    if place is None:
        return None
    parent, at = place
    query = SessionQuery(
        bucket=bucket_of(record.tenant, parent, buckets),
        tenant=record.tenant,
        session_id=parent,
        limit=1,
        after=at - 1,
        before=at + 1,
        deleted=True,
    )
    try:
        found: list[Record] = yield backend.read(query)
    except IntegrityError:
        return None  # the parent's event cannot be read, which is found there
    return found[0].event_hash if found else None


def _missing_positions(
    backend: Storage, checker: Checker, bucket: int, head: int, count: int
) -> Plan[None]:
    expected, size = 1, PageSize(READ_PAGE_EVENTS)
    known = len(checker.findings)
    while expected <= head:
        asked = size.events
        query = FeedQuery(ranges=((bucket, expected - 1, head),), limit=asked)
        try:
            page: list[Record] = yield backend.feed(query)
        except IntegrityError as error:
            problem = f"{count} events at positions 1 to {head}; {error.problem}"
            checker.note(bucket, "", "", 0, problem)
            return
        size.saw(page)
        for record in page:
            if record.position != expected:
                checker.note(bucket, "", "", 0, _gap(expected, record.position - 1))
            expected = record.position + 1
        if len(page) < asked:
            break
    if expected <= head:
        checker.note(bucket, "", "", 0, _gap(expected, head))
    if len(checker.findings) == known:
        checker.note(bucket, "", "", 0, f"{count} events at positions 1 to {head}")


def _gap(first: int, last: int) -> str:
    return f"no event at positions {first} to {last}"
