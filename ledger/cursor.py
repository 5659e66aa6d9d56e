"""Cursors: a place in the whole log, one position per bucket, as an opaque token.

Token = base64url( version u8, ledger tag[8], body, crc32[4] ); the body of a feed cursor is "f",
varint next_bucket, varint position per bucket. The tag keeps a cursor from being used on another
ledger, where the same numbers would silently point into another history; the checksum catches a
token that was cut or edited.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from zlib import crc32

import msgspec

from .errors import InvalidCursor
from .limits import BUCKETS_MAX, SEQUENCE_MAX

_VERSION = b"\x01"
_TAG_BYTES = 8
_HEADER_BYTES = len(_VERSION) + _TAG_BYTES
_CHECK_BYTES = 4
_NUMBER_BYTES_MAX = 9
#: The longest token there is: base64 of a feed cursor with every bucket at its last position.
TOKEN_CHARS_MAX = (
    _HEADER_BYTES + 1 + _NUMBER_BYTES_MAX * (1 + BUCKETS_MAX) + _CHECK_BYTES
) * 4 // 3 + 4


class Cursor(msgspec.Struct, frozen=True):
    """How far a reader has come in each bucket, and the bucket that its next page begins with."""

    positions: tuple[int, ...]
    next_bucket: int = 0


def start(buckets: int) -> Cursor:
    """Return the cursor before the first event."""
    return Cursor((0,) * buckets)


def place_of(token: str | None, ledger_id: str, buckets: int) -> Cursor:
    """Return the cursor in a token, the one before the first event for None; as `decode`."""
    return start(buckets) if token is None else decode(token, ledger_id, buckets)


def encode(cursor: Cursor, ledger_id: str) -> str:
    """Return the token of a cursor of this ledger."""
    body = bytearray(b"f")
    _put(body, cursor.next_bucket)
    for position in cursor.positions:
        _put(body, position)
    return seal_token(bytes(body), ledger_id)


def decode(token: str, ledger_id: str, buckets: int) -> Cursor:
    """Return the cursor in a token; raise InvalidCursor if this ledger did not hand it out."""
    body = open_token(token, ledger_id)
    if body[:1] != b"f":
        raise InvalidCursor("The cursor belongs to another kind of list.")
    numbers = _numbers(body[1:])
    if len(numbers) != buckets + 1 or numbers[0] >= buckets:
        raise InvalidCursor("The cursor has another number of buckets.")
    if max(numbers) > SEQUENCE_MAX:
        raise InvalidCursor("The cursor is damaged.")
    return Cursor(tuple(numbers[1:]), numbers[0])


def seal_token(body: bytes, ledger_id: str) -> str:
    """Return a token that only this ledger accepts back."""
    data = _VERSION + _tag(ledger_id) + body
    return urlsafe_b64encode(data + crc32(data).to_bytes(_CHECK_BYTES)).rstrip(b"=").decode()


def open_token(token: object, ledger_id: str) -> bytes:
    """Return the body of a token; raise InvalidCursor if it is damaged or another ledger's."""
    if not isinstance(token, str):
        raise InvalidCursor(f"A cursor is text, not {type(token).__name__}.")
    if len(token) > TOKEN_CHARS_MAX:
        raise InvalidCursor(f"The cursor is longer than {TOKEN_CHARS_MAX} characters.")
    try:
        data = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (UnicodeEncodeError, binascii.Error) as error:
        raise InvalidCursor("The cursor is not a token.") from error
    sealed, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
    # The decoder skips what is no base64 and drops odd bits: only one spelling is the token.
    if urlsafe_b64encode(data).rstrip(b"=").decode() != token:
        raise InvalidCursor("The cursor is damaged.")
    if len(sealed) <= _HEADER_BYTES or crc32(sealed).to_bytes(_CHECK_BYTES) != check:
        raise InvalidCursor("The cursor is damaged.")
    if sealed[:1] != _VERSION:
        raise InvalidCursor("The cursor has an unknown version.")
    if sealed[1:_HEADER_BYTES] != _tag(ledger_id):
        raise InvalidCursor("The cursor belongs to another ledger.")
    return sealed[_HEADER_BYTES:]


def _tag(ledger_id: str) -> bytes:
    return sha256(ledger_id.encode()).digest()[:_TAG_BYTES]


def _put(body: bytearray, number: int) -> None:
    while number > 0x7F:
        body.append(number & 0x7F | 0x80)
        number >>= 7
    body.append(number)


def _numbers(data: bytes) -> list[int]:
    numbers = []
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
        else:
            numbers.append(number)
            number = shift = 0
    return numbers
