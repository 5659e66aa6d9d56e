"""The reading operations, as plans over a backend: sessions, lineage, the whole log."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from .backends.base import AsyncBackend, Backend, FeedQuery, SessionQuery
from .cursor import Cursor
from .digests import bucket_of
from .errors import IntegrityError, InvalidCursor
from .events import SESSION_FORKED
from .limits import FEED_SCAN_EVENTS_MAX, READ_PAGE_EVENTS, SEQUENCE_MAX
from .lineage import fork_place
from .plans import Plan
from .records import Head, Record

Storage = Backend | AsyncBackend
Pages = Callable[[Storage, SessionQuery, int | None], Plan[list[Record]]]


class RecordPage(msgspec.Struct, frozen=True):
    """Records of a page, the place behind it, and whether the log went on when it was read."""

    records: list[Record]
    cursor: Cursor
    more: bool


def read_pages(backend: Storage, query: SessionQuery, limit: int | None) -> Plan[list[Record]]:
    """Read one session as of one moment, page by page."""
    found: list[Record] = []
    while len(found) != limit:
        size = READ_PAGE_EVENTS if limit is None else min(READ_PAGE_EVENTS, limit - len(found))
        page: list[Record] = yield backend.read(msgspec.structs.replace(query, limit=size))
        found += page
        if len(page) < size or len(found) == limit:
            break
        if not query.deleted:
            # The session may be deleted, and begin anew, between two pages: which events there are
            # is settled by one look at its end, and not by where each page finds its beginning.
            head: Head = yield backend.head(query.bucket, query.tenant, query.session_id)
            query = _as_of(query, head)
            if min(found[0].sequence, found[-1].sequence) <= head.deleted:
                found = []
                continue
        last = page[-1].sequence
        bound = {"before": last} if query.newest_first else {"after": last}
        query = msgspec.structs.replace(query, **bound)
    return found


def _as_of(query: SessionQuery, head: Head) -> SessionQuery:
    """Return the query for what is visible at a session's end, whatever is appended behind it."""
    behind = min(head.sequence, SEQUENCE_MAX - 1) + 1
    return msgspec.structs.replace(
        query,
        after=max(query.after, head.deleted),
        before=behind if query.before is None else min(query.before, behind),
        deleted=True,
    )


def read_event(
    backend: Storage, bucket: int, key: tuple[str, str], event_id: str, *, deleted: bool
) -> Plan[Record | None]:
    """Read one event of a session by its id, unless it was deleted."""
    record: Record | None = yield backend.get(bucket, *key, event_id)
    if record is None or deleted:
        return record
    head: Head = yield backend.head(bucket, *key)
    return record if record.sequence > head.deleted else None


def read_session(
    backend: Storage,
    query: SessionQuery,
    limit: int | None,
    wait_s: float,
    pages: Pages = read_pages,
) -> Plan[list[Record]]:
    """Read one session; if nothing fits, wait for something that does until the time is over."""
    if limit == 0:
        return []
    deadline = time.monotonic() + wait_s
    while True:
        token = 0
        if wait_s > 0:
            token = yield backend.token(query.session)
        records = yield from pages(backend, query, limit)
        left_s = deadline - time.monotonic()
        if records or left_s <= 0:
            return records
        yield backend.wait(query.session, token, left_s)


def read_lineage(backend: Storage, query: SessionQuery, limit: int | None) -> Plan[list[Record]]:
    """Read a session with the prefixes of the sessions it was forked from, oldest ancestor first.

    Newest first is the exact reverse: the session itself, then its ancestors. A deleted ancestor's
    events stay hidden here too, with all that came before them, unless the query reads deleted ones.
    """
    line = yield from _line(backend, query)
    found: list[Record] = []
    for part in line if query.newest_first else reversed(line):
        left = None if limit is None else limit - len(found)
        if left == 0:
            break
        found += yield from read_pages(backend, part, left)
    return found


def _line(backend: Storage, query: SessionQuery) -> Plan[list[SessionQuery]]:
    """Return the queries for a session and its ancestors, all of them as of one moment."""
    line: list[SessionQuery] = []
    firsts: list[int] = []
    known = {query.session_id}
    youngest = query
    while True:
        first: list[Record] = yield backend.read(
            SessionQuery(
                bucket=youngest.bucket,
                tenant=youngest.tenant,
                session_id=youngest.session_id,
                limit=1,
                deleted=youngest.deleted,
            )
        )
        if not first:
            # Whatever comes later may be a fork, whose parents this read would not know.
            break
        line.append(youngest)
        firsts.append(first[0].sequence)
        if first[0].type != SESSION_FORKED:
            break
        fork = fork_place(first[0].payload)
        # A parent is older than its fork, so a lineage that comes back to a session was forged.
        if fork is None or fork[0] in known:
            raise IntegrityError(
                f"Session {youngest.session_id!r} of tenant {youngest.tenant!r} does not name the"
                " event it was forked from."
            )
        parent, at = fork
        known.add(parent)
        behind = at + 1
        youngest = msgspec.structs.replace(
            query,
            bucket=bucket_of(query.tenant, parent, backend.info.buckets),
            session_id=parent,
            before=behind if query.before is None else min(query.before, behind),
        )
    if query.deleted or len(line) < 2:
        return line
    # Any of them may be deleted before it is read, or was since it was looked at.
    heads: list[Head] = yield backend.heads(
        query.tenant, [(part.bucket, part.session_id) for part in line]
    )
    standing = []
    for part, first_sequence, head in zip(line, firsts, heads, strict=True):
        standing.append(_as_of(part, head))
        if first_sequence <= head.deleted:
            # What it was forked from is hidden with the fork; what it has now begins with itself.
            break
    return standing


def bucket_heads(backend: Storage) -> Plan[list[int]]:
    """Return the head of every bucket; raise IntegrityError if there is not one for each."""
    heads: list[int] = yield backend.positions()
    if len(heads) != backend.info.buckets:
        raise IntegrityError(
            f"The table of buckets has {len(heads)} rows for {backend.info.buckets} buckets."
        )
    if min(heads) < 0:
        raise IntegrityError(f"The head of bucket {heads.index(min(heads))} is {min(heads)}.")
    return heads


def feed_page(
    backend: Storage,
    cursor: Cursor,
    limit: int,
    types: tuple[str, ...] | None,
    tenant: str | None,
) -> Plan[RecordPage]:
    """Read the next page of the log and move the cursor over all that was looked at.

    The heads are read first: whatever is at or below them is committed and, positions being
    dense, must be found, so a missing row is noticed here instead of being skipped for ever.
    Pages take turns through the buckets; a busy bucket cannot starve the others.
    """
    heads = yield from bucket_heads(backend)
    if any(reached > head for reached, head in zip(cursor.positions, heads, strict=True)):
        raise InvalidCursor(
            "The cursor is ahead of the log, which was restored from an older state."
        )
    filtered = types is not None or tenant is not None
    ranges = _ranges(cursor, heads, FEED_SCAN_EVENTS_MAX if filtered else limit)
    if not ranges:
        return RecordPage([], cursor, False)
    query = FeedQuery(ranges=tuple(ranges), limit=limit, types=types, tenant=tenant)
    records: list[Record] = yield backend.feed(query)
    positions = list(cursor.positions)
    cut = len(records) == limit
    if not filtered:
        _check_dense(ranges, records)
    for bucket, _, upto in ranges:
        if cut and filtered and bucket == records[-1].bucket:
            positions[bucket] = records[-1].position
            break
        positions[bucket] = upto
    following = Cursor(tuple(positions), (bucket + 1) % len(heads))
    more = any(head > reached for head, reached in zip(heads, positions, strict=True))
    return RecordPage(records, following, more)


def _ranges(cursor: Cursor, heads: list[int], room: int) -> list[tuple[int, int, int]]:
    ranges = []
    for step in range(len(heads)):
        bucket = (cursor.next_bucket + step) % len(heads)
        after = cursor.positions[bucket]
        upto = min(heads[bucket], after + room)
        if upto > after:
            ranges.append((bucket, after, upto))
            room -= upto - after
        if room == 0:
            break
    return ranges


def _check_dense(ranges: list[tuple[int, int, int]], records: list[Record]) -> None:
    end = 0
    for bucket, after, upto in ranges:
        start, end = end, end + upto - after
        found = records[start:end]
        # Rows come in order and no position occurs twice, so both ends tell about all between.
        if (
            len(found) < upto - after
            or (found[0].bucket, found[0].position) != (bucket, after + 1)
            or (found[-1].bucket, found[-1].position) != (bucket, upto)
        ):
            raise IntegrityError(_first_missing(bucket, after, found))


def _first_missing(bucket: int, after: int, found: list[Record]) -> str:
    expected = after + 1
    for record in found:
        if (record.bucket, record.position) != (bucket, expected):
            break
        expected += 1
    return f"Position {expected} of bucket {bucket} is missing."
