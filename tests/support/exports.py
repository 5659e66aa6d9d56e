"""Export files for tests: whole ones, damaged ones, and forged ones whose hashes fit together."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ledger.digests import genesis, payload_digest
from ledger.records import Record
from ledger.transfer.format import (
    FORMAT,
    VERSION,
    HeaderLine,
    TrailerLine,
    encode_line,
    event_line,
)
from ledger.verify import recompute

HEADER = encode_line(HeaderLine(FORMAT, VERSION))


def sealed(lines: Sequence[bytes]) -> list[bytes]:
    """Return event lines as a whole file, with a first and a last line that fit."""
    body = [HEADER, *lines]
    digest = hashlib.sha256(b"".join(body)).hexdigest()
    return [*body, encode_line(TrailerLine(len(lines), digest))]


def forged(session_id: str, *events: dict[str, Any], start: bytes | None = None) -> list[bytes]:
    """Return the lines of a session whose hashes fit, whatever the fields given say."""
    previous = start or genesis("", session_id)
    lines = []
    for number, fields in enumerate(events, 1):
        record = _record(session_id, number, fields)
        record = msgspec.structs.replace(record, event_hash=recompute(record, previous))
        lines.append(event_line(record, previous if record.sequence == 1 else None))
        previous = record.event_hash
    return lines


def in_export_order(lines: Iterable[bytes]) -> list[bytes]:
    """Return event lines sorted as an export sorts them."""

    def key(line: bytes) -> tuple[int, str, str, int]:
        event = msgspec.json.decode(line)
        return event["recorded_us"], event["tenant"], event["session_id"], event["sequence"]

    return sorted(lines, key=key)


def _record(session_id: str, number: int, fields: dict[str, Any]) -> Record:
    values: dict[str, Any] = {
        "bucket": 0,
        "position": 0,
        "tenant": "",
        "session_id": session_id,
        "sequence": number,
        "event_id": f"e{number}",
        "type": "note",
        "schema_version": 1,
        "run_id": None,
        "occurred_us": 1_700_000_000_000_000 + number,
        "recorded_us": 1_700_000_000_000_000 + number,
        "actor": None,
        "causation_id": None,
        "correlation_id": None,
        "trace_id": None,
        "span_id": None,
        "metadata": "{}",
        "content_type": "application/json",
        "payload": b"{}",
        "salt": bytes(32),
        "event_hash": b"",
    }
    values |= fields
    values["payload_digest"] = payload_digest(values["salt"], values["payload"])
    return Record(**values)


def hash_of(line: bytes) -> bytes:
    """Return the event hash that a line says."""
    return bytes.fromhex(msgspec.json.decode(line)["event_hash"])
