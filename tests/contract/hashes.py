"""The evidence format once more, by the letter of its definition, to compare the ledger with."""

from collections.abc import Iterable
from hashlib import sha256

from ledger.records import Record


def chain(rows: Iterable[Record], previous: bytes) -> list[bytes]:
    """Return the hash that each row must have."""
    hashes = []
    for row in rows:
        previous = H(
            b"asl1:event\0",
            previous,
            u64(row.sequence),
            u64(row.recorded_us),
            body(row),
        )
        hashes.append(previous)
    return hashes


def body(row: Record) -> bytes:
    meta = H(
        b"asl1:meta\0",
        lp(row.actor),
        lp(row.causation_id),
        lp(row.correlation_id),
        lp(row.trace_id),
        lp(row.span_id),
        row.metadata.encode(),
    )
    return H(
        b"asl1:body\0",
        lp(row.tenant),
        lp(row.session_id),
        lp(row.event_id),
        u64(row.occurred_us),
        lp(row.type),
        row.schema_version.to_bytes(2, "big"),
        lp(row.run_id),
        lp(row.content_type),
        meta,
        H(b"asl1:payload\0", row.salt, row.payload),
    )


def genesis(tenant: str, session: str) -> bytes:
    return H(b"asl1:genesis\0", lp(tenant), lp(session))


def H(*parts: bytes) -> bytes:
    return sha256(b"".join(parts)).digest()


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def lp(text: str | None) -> bytes:
    if text is None:
        return b"\xff\xff"
    return len(text.encode()).to_bytes(2, "big") + text.encode()
