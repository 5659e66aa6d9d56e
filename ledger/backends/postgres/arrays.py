"""PostgreSQL's binary array format, written by hand.

psycopg's list dumper looks at every element's type; these know it. One batch of 100 events is
1,900 elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import Struct

from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper
from psycopg.pq import Format

_INT8 = 20
_INT4 = 23
_TEXT = 25
_BYTEA = 17
# dimensions, 1 for "may hold NULLs", element type, length, first index
_header = Struct(">iiIii")
_length = Struct(">i")
_int4 = Struct(">ii")
_int8 = Struct(">iq")
HEADER_BYTES = _header.size

NULL = _length.pack(-1)
#: The length prefixes that nearly all elements have; a lookup is cheaper than packing.
LENGTHS = [_length.pack(n) for n in range(4_096)]


class Array:
    """An encoded array, ready to be sent."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Int4Array(Array):
    """An encoded int4[]."""

    __slots__ = ()


class Int8Array(Array):
    """An encoded int8[]."""

    __slots__ = ()


class TextArray(Array):
    """An encoded text[]."""

    __slots__ = ()


class ByteaArray(Array):
    """An encoded bytea[]."""

    __slots__ = ()


def text(value: str | None) -> bytes:
    """Return one element of a text[]."""
    return NULL if value is None else blob(value.encode())


def blob(data: bytes) -> bytes:
    """Return one element of a bytea[]."""
    size = len(data)
    return (LENGTHS[size] if size < 4_096 else _length.pack(size)) + data


def int4_array(values: Sequence[int]) -> Int4Array:
    """Encode integers."""
    return Int4Array(_array(_INT4, len(values), [_int4.pack(4, value) for value in values]))


def int8_array(values: Sequence[int]) -> Int8Array:
    """Encode big integers."""
    return int8_elements(len(values), [_int8.pack(8, value) for value in values])


def int8_elements(count: int, elements: Iterable[bytes]) -> Int8Array:
    """Put encoded elements, several to a piece if that was easier, into an int8[]."""
    return Int8Array(_array(_INT8, count, elements))


def text_elements(count: int, elements: Iterable[bytes]) -> TextArray:
    """Put encoded elements into a text[]."""
    return TextArray(_array(_TEXT, count, elements))


def bytea_elements(count: int, elements: Iterable[bytes]) -> ByteaArray:
    """Put encoded elements into a bytea[]."""
    return ByteaArray(_array(_BYTEA, count, elements))


def _array(element_type: int, count: int, elements: Iterable[bytes]) -> bytes:
    if not count:
        return _header.pack(0, 0, element_type, 0, 0)[:12]
    return _header.pack(1, 1, element_type, count, 1) + b"".join(elements)


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> bytes:
        return obj.data


class _Int4ArrayDumper(_ArrayDumper):
    oid = 1007


class _Int8ArrayDumper(_ArrayDumper):
    oid = 1016


class _TextArrayDumper(_ArrayDumper):
    oid = 1009


class _ByteaArrayDumper(_ArrayDumper):
    oid = 1001


def register_arrays(context: AdaptContext) -> None:
    """Teach a connection or a cursor to send encoded arrays."""
    context.adapters.register_dumper(Int4Array, _Int4ArrayDumper)
    context.adapters.register_dumper(Int8Array, _Int8ArrayDumper)
    context.adapters.register_dumper(TextArray, _TextArrayDumper)
    context.adapters.register_dumper(ByteaArray, _ByteaArrayDumper)
