"""Bytes at the door: what a payload becomes, and what is refused, naming the field.

A JSON payload is stored as UTF-8 with sorted keys and no white space, and these exact bytes are
what is hashed, compared and read back; nothing is ever encoded a second time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from types import NoneType
from typing import Any

import msgspec

from .errors import InvalidEvent
from .limits import INTEGER_MAX, INTEGER_MIN, NESTING_DEPTH_MAX
from .refusals import shown

_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder()
decode_json = _decoder.decode
#: What `decode_json` raises for bytes that are no JSON.
UNREADABLE_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_LEAVES = frozenset({str, bool, NoneType})
_NUL = b"\\u0000"


def encode_json(value: Mapping[str, Any], field: str) -> bytes:
    """Return the stored bytes of a JSON object.

    Raises InvalidEvent, naming the place inside `field`, for NaN and infinities, lone surrogates,
    NUL in text, keys that are not text, integers beyond 64 bits, more than 64 levels of nesting
    and values that JSON does not have.
    """
    # dict is named because asking an abstract class costs more.
    if not isinstance(value, (dict, Mapping)):
        raise InvalidEvent(field, f"expected a mapping with string keys, got {_kind(value)}")
    stored = _encoded(value)
    return _encoder.encode(_looked_through(value, field)) if stored is None else stored


def check_json(value: Any, field: str) -> Any:
    """Return `value` with a dict for each mapping, if it can be stored as JSON and come back as it is.

    Raises InvalidEvent as `encode_json` does.
    """
    return _looked_through(value, field) if _encoded(value) is None else value


def encode_plain(value: Mapping[str, Any], field: str) -> bytes:
    """Return the stored bytes of a JSON object that `is_plain`; raise InvalidEvent for its text."""
    stored = _encoded_plain(value)
    return encode_json(value, field) if stored is None else stored


def _encoded(value: Any) -> bytes | None:
    """Return the bytes of a value in which a quick look finds nothing wrong.

    A third of the cost of `_looked_through`, which carries along the name of every place. None only means
    that a closer look is needed: text may spell out an escaped NUL, a mapping may be no dict.
    """
    return _encoded_plain(value) if is_plain(value) else None


def _encoded_plain(value: Any) -> bytes | None:
    try:
        stored = _encoder.encode(value)
    except UnicodeEncodeError:  # a lone surrogate
        return None
    return None if _NUL in stored else stored


def is_plain(value: Any, depth: int = 1) -> bool:
    """Whether a value consists of what JSON has; text is looked at when it is encoded."""
    kind = type(value)
    if kind is dict:
        for key in value:
            if type(key) is not str:
                return False
        items = value.values()
    elif kind is list or kind is tuple:
        items = value
    else:
        items, depth = (value,), depth - 1
    if depth > NESTING_DEPTH_MAX:
        return False
    # A call for each number would take a quarter of the time.
    for item in items:
        kind = type(item)
        if kind is int:
            if not INTEGER_MIN <= item <= INTEGER_MAX:
                return False
        elif kind is float:
            if not isfinite(item):
                return False
        elif kind is dict or kind is list or kind is tuple:
            if not is_plain(item, depth + 1):
                return False
        elif kind not in _LEAVES:
            return False
    return True


def _looked_through(value: Any, field: str, depth: int = 1) -> Any:
    """Return a value of what JSON has; raise InvalidEvent naming the place of what it does not have.

    As it was looked at, for mappings may be anything besides: of a data class the encoder would take
    the attributes, and of a dict with an `items` of its own what lies under it.
    """
    kind = type(value)
    if kind is str:
        _check_text(value, field)
    elif value is None or kind is bool:
        pass
    elif kind is int:
        if not INTEGER_MIN <= value <= INTEGER_MAX:
            raise InvalidEvent(field, "integer beyond 64 bits")
    elif kind is float:
        if not isfinite(value):
            raise InvalidEvent(field, f"{value} is not a JSON number")
    elif isinstance(value, Mapping):
        _check_depth(depth, field)
        found: dict[str, Any] = {}
        for key, item in value.items():
            if type(key) is not str:
                raise InvalidEvent(field, f"key {shown(key)} is not text")
            _check_text(key, f"{field}.{key!r}")
            found[key] = _looked_through(item, f"{field}.{key}", depth + 1)
        return found
    elif kind is list or kind is tuple:
        _check_depth(depth, field)
        return [
            _looked_through(item, f"{field}[{number}]", depth + 1)
            for number, item in enumerate(value)
        ]
    else:
        raise InvalidEvent(field, f"{_kind(value)} has no JSON form")
    return value


def _check_depth(depth: int, field: str) -> None:
    if depth > NESTING_DEPTH_MAX:
        raise InvalidEvent(field, f"nested deeper than {NESTING_DEPTH_MAX} levels")


def parse_json_object(data: bytes, field: str) -> dict[str, Any]:
    """Return the object in strict JSON text that a stranger wrote.

    Unlike the fast decoder it refuses duplicate keys, of which every parser keeps another one, and
    the literals NaN and Infinity. Raises InvalidEvent.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise InvalidEvent(field, f"duplicate key {key!r}")
            found[key] = value
        return found

    def refuse(literal: str) -> Any:
        raise InvalidEvent(field, f"{literal} is not a JSON number")

    try:
        value = json.loads(data, object_pairs_hook=unique, parse_constant=refuse)
    except InvalidEvent:
        raise
    except ValueError as error:  # also of an integer too long to convert
        raise InvalidEvent(field, f"not JSON: {error}") from error
    except RecursionError as error:
        raise InvalidEvent(field, f"nested deeper than {NESTING_DEPTH_MAX} levels") from error
    if not isinstance(value, dict):
        raise InvalidEvent(field, f"expected a JSON object, got {_kind(value)}")
    return value


def check_text(value: Any, field: str, bytes_max: int, *, empty: bool = False) -> str:
    """Return `value` if it is text that can be stored, else raise InvalidEvent."""
    if (
        type(value) is str
        and value.isascii()
        and len(value) <= bytes_max
        and "\0" not in value
        and (empty or not (value.isspace() or value == ""))
    ):
        return value  # nearly always, so without looking at the rules one by one
    if type(value) is not str:
        raise InvalidEvent(field, f"expected text, got {_kind(value)}")
    _check_text(value, field)
    if not empty and not value.strip():
        raise InvalidEvent(field, "must not be empty or blank")
    if len(value) * 4 > bytes_max and len(value.encode()) > bytes_max:
        raise InvalidEvent(field, f"longer than {bytes_max} bytes")
    return value


def _check_text(value: str, field: str) -> None:
    if "\0" in value:
        # PostgreSQL cannot store it and C programs cut the text there.
        raise InvalidEvent(field, "NUL character in text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidEvent(field, "lone surrogate in text") from error


def _kind(value: Any) -> str:
    return type(value).__name__
