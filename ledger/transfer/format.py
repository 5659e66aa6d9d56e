"""The lines of an export: JSON Lines, one canonical spelling, so that equal logs are equal bytes.

    {"format":"agent-session-ledger","version":1}
    {"tenant":"","session_id":"s","sequence":1,"event_id":…,"prev_hash":"…"}      one per event
    {"events":1,"sha256":"…"}                  over all lines before, line ends included

An event's line has the fields of `EventLine` in their order, absent ones left out. Bucket and
position are not among them: they belong to one ledger, not to what happened. The lines ascend by
(recorded_us, tenant, session_id, sequence). Metadata and JSON payloads stand in the line as the
bytes that were stored and hashed; other payloads as base64, digests and salt as hexadecimal.
`prev_hash`, on first events alone, is where the session's chain starts: at its genesis, or for a
fork at the parent's event, which may stand behind it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TypeVar

import msgspec

from ..codec import check_json, check_text, parse_json_object
from ..digests import HASH_BYTES, SALT_BYTES
from ..errors import InvalidEvent, InvalidImport
from ..events import JSON_CONTENT_TYPE
from ..limits import (
    CONTENT_TYPE_BYTES_MAX,
    ID_BYTES_MAX,
    METADATA_BYTES_MAX,
    MICROSECONDS_MAX,
    SCHEMA_VERSION_MAX,
    SEQUENCE_MAX,
    SESSION_ID_BYTES_MAX,
    TENANT_BYTES_MAX,
    TYPE_BYTES_MAX,
)
from ..records import Record

FORMAT = "agent-session-ledger"
VERSION = 1
#: What a line may hold besides its payload, generously: the ids, metadata and digests, escaped.
HEADER_BYTES_MAX = 131_072
TRAILER_START = b'{"events":'

#: Raw has no null; fields that are this very object are left out of the line.
NO_PAYLOAD = msgspec.Raw()

T = TypeVar("T")
_encoder = msgspec.json.Encoder()


class HeaderLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line."""

    format: str
    version: int


class EventLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One event; either `payload` or `payload_base64` is there."""

    tenant: str
    session_id: str
    sequence: int
    event_id: str
    type: str
    schema_version: int
    occurred_us: int
    recorded_us: int
    metadata: msgspec.Raw
    content_type: str
    salt: str
    payload_digest: str
    event_hash: str
    run_id: str | None = None
    actor: str | None = None
    causation_id: str | None = None
    correlation_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    prev_hash: str | None = None
    payload: msgspec.Raw = NO_PAYLOAD
    payload_base64: str | None = None


class TrailerLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last line: how many events there are, and the SHA-256 of everything before."""

    events: int
    sha256: str


class Imported(msgspec.Struct, frozen=True):
    """An event read from a line: what was stored elsewhere, byte for byte, not yet verified."""

    number: int
    record: Record
    prev_hash: bytes | None
    #: of the line, in bytes
    size: int


#: The order of the lines of an export.
Key = tuple[int, str, str, int]


def key_of(record: Record) -> Key:
    """Return the place of an event in the order of an export."""
    return (record.recorded_us, record.tenant, record.session_id, record.sequence)


def encode_line(line: msgspec.Struct) -> bytes:
    """Return a line with its end."""
    return _encoder.encode(line) + b"\n"


def event_line(record: Record, prev_hash: bytes | None) -> bytes:
    """Return the line of a stored event; `prev_hash` is given for first events."""
    is_json = record.content_type == JSON_CONTENT_TYPE
    return encode_line(
        EventLine(
            record.tenant,
            record.session_id,
            record.sequence,
            record.event_id,
            record.type,
            record.schema_version,
            record.occurred_us,
            record.recorded_us,
            msgspec.Raw(record.metadata.encode()),
            record.content_type,
            record.salt.hex(),
            record.payload_digest.hex(),
            record.event_hash.hex(),
            record.run_id,
            record.actor,
            record.causation_id,
            record.correlation_id,
            record.trace_id,
            record.span_id,
            None if prev_hash is None else prev_hash.hex(),
            msgspec.Raw(record.payload) if is_json else NO_PAYLOAD,
            None if is_json else b64encode(record.payload).decode(),
        )
    )


def decode_line(data: bytes, kind: type[T], number: int) -> T:
    """Return a line of a kind; raise InvalidImport if it is none, or not spelled as an export's.

    The spelling is compared by encoding the line again: white space, another order of the fields
    and keys that occur twice, of which parsers keep different ones, all end here.
    """
    try:
        line = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidImport(number, f"not a line of an export: {error}") from error
    if _encoder.encode(line) != data.rstrip(b"\r\n"):
        raise InvalidImport(number, "not spelled as an export spells it")
    return line


def decode_event(data: bytes, number: int, payload_bytes_max: int) -> Imported:
    """Return the event in a line, with everything checked that needs no other line."""
    line = decode_line(data, EventLine, number)
    try:
        record = _record(line, payload_bytes_max)
        prev_hash = (
            None if line.prev_hash is None else _hex(line.prev_hash, "prev_hash", HASH_BYTES)
        )
    except InvalidEvent as error:
        raise InvalidImport(number, f"{error.field}: {error.reason}") from error
    return Imported(number, record, prev_hash, len(data))


def _record(line: EventLine, payload_bytes_max: int) -> Record:
    metadata = bytes(line.metadata)
    if len(metadata) > METADATA_BYTES_MAX:
        raise InvalidEvent("metadata", f"longer than {METADATA_BYTES_MAX} bytes")
    _check_json(metadata, "metadata")
    content_type = check_text(line.content_type, "content_type", CONTENT_TYPE_BYTES_MAX)
    type_name = check_text(line.type, "type", TYPE_BYTES_MAX)
    if not type_name.isprintable():
        raise InvalidEvent("type", "control characters are not allowed")
    first = line.sequence == 1
    if (line.prev_hash is not None) != first:
        raise InvalidEvent("prev_hash", "stands on a session's first event and nowhere else")
    return Record(
        0,
        0,
        check_text(line.tenant, "tenant", TENANT_BYTES_MAX, empty=True),
        check_text(line.session_id, "session_id", SESSION_ID_BYTES_MAX),
        _within(line.sequence, "sequence", 1, SEQUENCE_MAX),
        check_text(line.event_id, "event_id", ID_BYTES_MAX),
        type_name,
        _within(line.schema_version, "schema_version", 1, SCHEMA_VERSION_MAX),
        _optional_id(line.run_id, "run_id"),
        _within(line.occurred_us, "occurred_us", 0, MICROSECONDS_MAX),
        _within(line.recorded_us, "recorded_us", 0, MICROSECONDS_MAX),
        _optional_id(line.actor, "actor"),
        _optional_id(line.causation_id, "causation_id"),
        _optional_id(line.correlation_id, "correlation_id"),
        _optional_id(line.trace_id, "trace_id"),
        _optional_id(line.span_id, "span_id"),
        metadata.decode(),
        content_type,
        _payload(line, payload_bytes_max),
        _hex(line.salt, "salt", SALT_BYTES),
        _hex(line.payload_digest, "payload_digest", HASH_BYTES),
        _hex(line.event_hash, "event_hash", HASH_BYTES),
    )


def _payload(line: EventLine, bytes_max: int) -> bytes:
    if line.content_type == JSON_CONTENT_TYPE:
        if line.payload is NO_PAYLOAD or line.payload_base64 is not None:
            raise InvalidEvent("payload", "a JSON payload stands in `payload`")
        stored = bytes(line.payload)
        _check_json(stored, "payload")
    else:
        if line.payload_base64 is None or line.payload is not NO_PAYLOAD:
            raise InvalidEvent("payload_base64", "an opaque payload stands in `payload_base64`")
        stored = _from_base64(line.payload_base64)
    if len(stored) > bytes_max:
        raise InvalidEvent("payload", f"{len(stored)} bytes, at most {bytes_max} are accepted")
    return stored


def _check_json(stored: bytes, field: str) -> None:
    check_json(parse_json_object(stored, field), field)


def _from_base64(text: str) -> bytes:
    try:
        stored = b64decode(text, validate=True)
    except ValueError as error:
        raise InvalidEvent("payload_base64", "not base64") from error
    if b64encode(stored).decode() != text:
        raise InvalidEvent("payload_base64", "not the usual base64 of any bytes")
    return stored


def _hex(text: str, field: str, size: int) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != size or value.hex() != text:
        raise InvalidEvent(field, f"expected {2 * size} lower-case hexadecimal digits")
    return value


def _within(value: int, field: str, least: int, most: int) -> int:
    if not least <= value <= most:
        raise InvalidEvent(field, f"expected {least} to {most}, got {value}")
    return value


def _optional_id(value: str | None, field: str) -> str | None:
    return None if value is None else check_text(value, field, ID_BYTES_MAX)
