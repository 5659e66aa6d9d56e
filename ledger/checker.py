"""What verification says about one record after the other. Pure; `verify` reads them.

Each event is recomputed on the *stored* hash before it, and on the computed one where that
differs: an altered event is thereby named itself, not everything behind it.
"""

from __future__ import annotations

import struct

import msgspec

from .digests import (
    HASH_BYTES,
    SALT_BYTES,
    body_digest_of,
    bucket_of,
    event_hash,
    payload_digest,
)
from .records import Record

FINDINGS_MAX = 1_000
#: What a hash cannot be computed from: numbers out of range, text that is no UTF-8.
UNHASHABLE = (struct.error, UnicodeEncodeError)


class Finding(msgspec.Struct, frozen=True):
    """One place where the log is not what was appended.

    `sequence` 0 means a whole bucket, `bucket` -1 the whole log. Bytes that are no UTF-8 are
    written as backslash escapes.
    """

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


def recompute(record: Record, previous: bytes) -> bytes:
    """Return the event hash that a record's other columns give.

    Raises struct.error or UnicodeEncodeError if they cannot be hashed.
    """
    return event_hash(previous, record.sequence, record.recorded_us, body_digest_of(record))


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
            if not self._belongs(record):
                self._find(record, "the session does not belong to this bucket")
        expected = 1 if last is None else last.sequence + 1
        if record.sequence != expected:
            self._find(record, f"sequence {expected} was expected here")
        if record.position < 1:
            self._find(record, f"positions begin at 1, this is {record.position}")
        elif last is not None and record.position <= last.position:
            self._find(record, f"position {record.position} is not behind its predecessor's")
        self._check_payload(record)
        self._check_chain(record, origin if last is None else last.event_hash)
        self._last = record

    def _belongs(self, record: Record) -> bool:
        try:
            return record.bucket == bucket_of(record.tenant, record.session_id, self._buckets)
        except UnicodeEncodeError:
            return False

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
            computed = recompute(record, stored)
            hashes = {computed}
            if self._computed and record.sequence > 1:
                hashes.add(recompute(record, self._computed))
        except UNHASHABLE as error:
            kind = "out of range" if isinstance(error, struct.error) else "no UTF-8"
            self._find(record, f"a column is {kind}: {error}")
            self._computed = b""
            return
        if record.event_hash not in hashes or len(record.event_hash) != HASH_BYTES:
            self._find(record, "the event hash does not fit the event or its predecessor")
        self._computed = computed

    def _find(self, record: Record, problem: str) -> None:
        self.note(record.bucket, record.tenant, record.session_id, record.sequence, problem)

    def note(self, bucket: int, tenant: str, session_id: str, sequence: int, problem: str) -> None:
        """Keep a finding, up to the bound."""
        if len(self.findings) < FINDINGS_MAX:
            names = _printable(tenant), _printable(session_id)
            self.findings.append(Finding(bucket, *names, sequence, problem))

    def report(self) -> VerifyReport:
        """Return what was found so far."""
        return VerifyReport(self.events, self.sessions, tuple(self.findings))


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
