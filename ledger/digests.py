"""The evidence format: SHA-256, length-prefixed, domain-separated.

    payload_digest = H("asl1:payload" 00 salt[32] stored_bytes)
    meta_digest    = H("asl1:meta" 00 lp(actor) lp(causation_id) lp(correlation_id) lp(trace_id)
                       lp(span_id) metadata_bytes)
    body_digest    = H("asl1:body" 00 lp(tenant) lp(session_id) lp(event_id) u64 occurred_us
                       lp(type) u16 schema_version lp(run_id) lp(content_type) meta_digest
                       payload_digest)
    event_hash     = H("asl1:event" 00 prev_hash u64 sequence u64 recorded_us body_digest)
    genesis        = H("asl1:genesis" 00 lp(tenant) lp(session_id))

`H` is SHA-256, `lp(x)` a big-endian u16 length and the UTF-8 bytes; a missing value is the length
0xFFFF alone, so that absent and empty differ. `prev_hash` is the event before in the session, the
genesis for sequence 1, or the parent's event hash for the first event of a fork.
"""

from __future__ import annotations

import os
from functools import lru_cache
from hashlib import sha256
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .records import Record

SALT_BYTES = 32
HASH_BYTES = 32
REPEATED_TEXTS_MAX = 4_096
REPEATED_SESSIONS_MAX = 4_096
_EVENT_PREFIX = b"asl1:event\0"
_u16 = Struct(">H")
_u64 = Struct(">Q")
_two_u64 = Struct(">QQ")


def new_salt() -> bytes:
    """Return 32 random bytes, which keep a digest from telling a guessable payload."""
    return os.urandom(SALT_BYTES)


def payload_digest(salt: bytes, payload: bytes) -> bytes:
    """Return the digest of the stored bytes."""
    return sha256(b"asl1:payload\0" + salt + payload).digest()


def meta_digest(
    actor: str | None,
    causation_id: str | None,
    correlation_id: str | None,
    trace_id: str | None,
    span_id: str | None,
    metadata: str,
) -> bytes:
    """Return the digest of the header's optional part; `metadata` is its stored JSON text."""
    return sha256(
        b"".join(
            (
                b"asl1:meta\0",
                _repeated(actor),
                _lp(causation_id),
                _repeated(correlation_id),
                _repeated(trace_id),
                _lp(span_id),
                metadata.encode(),
            )
        )
    ).digest()


def body_digest(
    tenant: str,
    session_id: str,
    event_id: str,
    occurred_us: int,
    type: str,
    schema_version: int,
    run_id: str | None,
    content_type: str,
    meta: bytes,
    payload: bytes,
) -> bytes:
    """Return the digest of all that the caller fixes; `meta` and `payload` are digests."""
    return sha256(
        b"".join(
            (
                _body_start(tenant, session_id),
                _lp(event_id),
                _u64.pack(occurred_us),
                _body_kind(type, schema_version, run_id, content_type),
                meta,
                payload,
            )
        )
    ).digest()


def body_digest_of(record: Record) -> bytes:
    """Return the body digest that a stored row's columns give, its payload by its digest."""
    meta = meta_digest(
        record.actor,
        record.causation_id,
        record.correlation_id,
        record.trace_id,
        record.span_id,
        record.metadata,
    )
    return body_digest(
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


def event_hash(prev_hash: bytes, sequence: int, recorded_us: int, body: bytes) -> bytes:
    """Return the hash that chains an event to the one before it."""
    return sha256(_EVENT_PREFIX + prev_hash + _two_u64.pack(sequence, recorded_us) + body).digest()


@lru_cache(REPEATED_SESSIONS_MAX)
def genesis(tenant: str, session_id: str) -> bytes:
    """Return the hash before the first event of a session that is no fork."""
    return sha256(b"asl1:genesis\0" + _lp(tenant) + _lp(session_id)).digest()


@lru_cache(REPEATED_SESSIONS_MAX)
def bucket_of(tenant: str, session_id: str, buckets: int) -> int:
    """Return the bucket of a session: sha256(tenant 00 session_id) mod `buckets`."""
    digest = sha256(tenant.encode() + b"\0" + session_id.encode()).digest()
    return int.from_bytes(digest) % buckets


@lru_cache(REPEATED_SESSIONS_MAX)
def _body_start(tenant: str, session_id: str) -> bytes:
    return b"asl1:body\0" + _lp(tenant) + _lp(session_id)


@lru_cache(REPEATED_TEXTS_MAX)
def _body_kind(type: str, schema_version: int, run_id: str | None, content_type: str) -> bytes:
    return _lp(type) + _u16.pack(schema_version) + _lp(run_id) + _lp(content_type)


def _lp(text: str | None) -> bytes:
    if text is None:
        return b"\xff\xff"
    data = text.encode()
    return _u16.pack(len(data)) + data


#: For what many events have in common; what each has of its own would only push that out.
_repeated = lru_cache(REPEATED_TEXTS_MAX)(_lp)
