"""Verification: numbering, digests and hash chains, recomputed from the stored bytes.

The log is read in (bucket, tenant, session, sequence) order, so the memory needed does not grow
with it. Each event is recomputed on the *stored* hash before it, and on the computed one where
that differs: an altered event is thereby named itself, not everything behind it.

What a hash chain cannot show, whoever can rewrite the database can hide: a session cut at its end
together with the bucket's head, or a whole history written anew. That takes evidence kept outside.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import msgspec

from .backends.base import FeedQuery, Place, SessionQuery
from .codec import decode_json
from .digests import (
    HASH_BYTES,
    SALT_BYTES,
    body_digest,
    bucket_of,
    event_hash,
    genesis,
    meta_digest,
    payload_digest,
)
from .errors import IntegrityError
from .events import SESSION_FORKED
from .limits import READ_PAGE_EVENTS
from .plans import Plan
from .reading import Storage
from .records import Record

FINDINGS_MAX = 1_000


class Finding(msgspec.Struct, frozen=True):
    """One place where the log is not what was appended; `sequence` 0 means a whole bucket."""

    bucket: int
    tenant: str
    session_id: str
    sequence: int
    problem: str


class VerifyReport(msgspec.Struct, frozen=True):
    """What was looked at, and what was found; at most 1,000 findings are kept."""

    events: int
    sessions: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


#: Called with the events looked at so far and the events there were at the start.
Progress = Callable[[int, int], None]


def recompute(record: Record, previous: bytes) -> bytes:
    """Return the event hash that a record's other columns give; struct.error if one cannot be."""
    meta = meta_digest(
        record.actor,
        record.causation_id,
        record.correlation_id,
        record.trace_id,
        record.span_id,
        record.metadata,
    )
    body = body_digest(
        record.tenant,
        record.session_id,
        record.event_id,
        record.occurred_us,
        record.type,
        record.schema_version,
        record.run_id,
        record.content_type,
        meta,
        record.payload_digest,
    )
    return event_hash(previous, record.sequence, record.recorded_us, body)


class Checker:
    """Checks records that come in (tenant, session_id, sequence) order of one bucket."""

    def __init__(self, buckets: int) -> None:
        self.events = 0
        self.sessions = 0
        self.findings: list[Finding] = []
        self._buckets = buckets
        self._last: Record | None = None
        self._computed = b""

    def starts_session(self, record: Record) -> bool:
        """Whether this record is of another session than the one before."""
        last = self._last
        return last is None or (last.tenant, last.session_id) != (record.tenant, record.session_id)

    def add(self, record: Record, origin: bytes | None) -> None:
        """Check one record; `origin` is the hash before the session's first event."""
        first = self.starts_session(record)
        last = None if first else self._last
        self.events += 1
        if first:
            self.sessions += 1
            if record.bucket != bucket_of(record.tenant, record.session_id, self._buckets):
                self._find(record, "the session does not belong to this bucket")
        expected = 1 if last is None else last.sequence + 1
        if record.sequence != expected:
            self._find(record, f"sequence {expected} was expected here")
        if last is not None and record.position <= last.position:
            self._find(record, f"position {record.position} is not behind its predecessor's")
        self._check_payload(record)
        self._check_chain(record, origin if last is None else last.event_hash)
        self._last = record

    def _check_payload(self, record: Record) -> None:
        if len(record.salt) != SALT_BYTES:
            self._find(record, "the salt is not 32 bytes long")
        if payload_digest(record.salt, record.payload) != record.payload_digest:
            self._find(record, "payload, salt and payload digest do not fit together")

    def _check_chain(self, record: Record, stored: bytes | None) -> None:
        if stored is None:
            self._find(record, "the event it was forked from is missing")
            self._computed = record.event_hash
            return
        try:
            hashes = {recompute(record, stored)}
            if self._computed and record.sequence > 1:
                hashes.add(recompute(record, self._computed))
        except struct.error as error:
            self._find(record, f"a column is out of range: {error}")
            self._computed = b""
            return
        if record.event_hash not in hashes or len(record.event_hash) != HASH_BYTES:
            self._find(record, "the event hash does not fit the event or its predecessor")
        self._computed = recompute(record, stored)

    def _find(self, record: Record, problem: str) -> None:
        self.note(record.bucket, record.tenant, record.session_id, record.sequence, problem)

    def note(self, bucket: int, tenant: str, session_id: str, sequence: int, problem: str) -> None:
        """Keep a finding, up to the bound."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(bucket, tenant, session_id, sequence, problem))

    def report(self) -> VerifyReport:
        """Return what was found so far."""
        return VerifyReport(self.events, self.sessions, tuple(self.findings))


def verify_session(
    backend: Storage, tenant: str, session_id: str, buckets: int, progress: Progress | None
) -> Plan[VerifyReport]:
    """Verify one session, deleted events included; bucket positions are not looked at."""
    checker = Checker(buckets)
    bucket = bucket_of(tenant, session_id, buckets)
    total = (yield backend.head(bucket, tenant, session_id)).sequence
    query = SessionQuery(
        bucket=bucket, tenant=tenant, session_id=session_id, limit=READ_PAGE_EVENTS, deleted=True
    )
    while True:
        page: list[Record] = yield backend.read(query)
        for record in page:
            yield from _check(backend, checker, record, buckets)
        if progress is not None:
            progress(checker.events, total)
        if len(page) < READ_PAGE_EVENTS:
            return checker.report()
        query = msgspec.structs.replace(query, after=page[-1].sequence)


def verify_everything(
    backend: Storage, buckets: int, progress: Progress | None
) -> Plan[VerifyReport]:
    """Verify every session and every bucket's positions up to the heads of this moment."""
    checker = Checker(buckets)
    heads: list[int] = yield backend.positions()
    for bucket, head in enumerate(heads):
        place: Place | None = Place(bucket)
        count = total = 0
        while place is not None:
            page, place = yield from _scan(backend, checker, place)
            for record in page:
                yield from _check(backend, checker, record, buckets)
                if record.position <= head:
                    count += 1
                    total += record.position
            if progress is not None:
                progress(checker.events, sum(heads))
        if (count, total) != (head, head * (head + 1) // 2):
            yield from _missing_positions(backend, checker, bucket, head)
    return checker.report()


def _scan(
    backend: Storage, checker: Checker, place: Place
) -> Plan[tuple[list[Record], Place | None]]:
    try:
        page: list[Record] = yield backend.scan(place, READ_PAGE_EVENTS)
        size = READ_PAGE_EVENTS
    except IntegrityError:
        # A row that cannot even be decoded hides its page: go on one by one up to it.
        try:
            page = yield backend.scan(place, 1)
            size = 1
        except IntegrityError as error:
            checker.note(
                place.bucket,
                place.tenant,
                place.session_id,
                place.sequence + 1,
                f"this event, or the first of the next session, is unreadable: {error.problem}",
            )
            return [], None
    if len(page) < size:
        return page, None
    last = page[-1]
    return page, Place(place.bucket, last.tenant, last.session_id, last.sequence)


def _check(backend: Storage, checker: Checker, record: Record, buckets: int) -> Plan[None]:
    origin: bytes | None = None
    if checker.starts_session(record):
        origin = genesis(record.tenant, record.session_id)
        if record.type == SESSION_FORKED:
            origin = yield from _fork_origin(backend, record, buckets)
    checker.add(record, origin)


def _fork_origin(backend: Storage, record: Record, buckets: int) -> Plan[bytes | None]:
    try:
        fork: dict[str, Any] = decode_json(record.payload)
        parent, at = str(fork["parent"]), int(fork["at"])
    except (msgspec.DecodeError, KeyError, ValueError):
        return None
    found: list[Record] = yield backend.read(
        SessionQuery(
            bucket=bucket_of(record.tenant, parent, buckets),
            tenant=record.tenant,
            session_id=parent,
            limit=1,
            after=at - 1,
            before=at + 1,
            deleted=True,
        )
    )
    return found[0].event_hash if found else None


def _missing_positions(backend: Storage, checker: Checker, bucket: int, head: int) -> Plan[None]:
    expected = 1
    while expected <= head:
        query = FeedQuery(ranges=((bucket, expected - 1, head),), limit=READ_PAGE_EVENTS)
        page: list[Record] = yield backend.feed(query)
        for record in page:
            if record.position != expected:
                checker.note(bucket, "", "", 0, _gap(expected, record.position - 1))
            expected = record.position + 1
        if len(page) < READ_PAGE_EVENTS:
            break
    if expected <= head:
        checker.note(bucket, "", "", 0, _gap(expected, head))


def _gap(first: int, last: int) -> str:
    return f"no event at positions {first} to {last}"
