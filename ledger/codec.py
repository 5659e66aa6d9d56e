"""Bytes at the door: what a payload becomes, and what is refused, naming the field.

A JSON payload is stored as UTF-8 with sorted keys and no white space, and these exact bytes are
what is hashed, compared and read back; nothing is ever encoded a second time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from .errors import InvalidEvent
from .limits import INTEGER_MAX, INTEGER_MIN, NESTING_DEPTH_MAX

# The encoder knows dicts alone; whatever else was checked to be a mapping becomes one.
_encoder = msgspec.json.Encoder(order="deterministic", enc_hook=dict)
_decoder = msgspec.json.Decoder()
decode_json = _decoder.decode


def encode_json(value: Mapping[str, Any], field: str) -> bytes:
    """Return the stored bytes of a JSON object.

    Raises InvalidEvent, naming the place inside `field`, for NaN and infinities, lone surrogates,
    NUL in text, keys that are not text, integers beyond 64 bits, more than 64 levels of nesting
    and values that JSON does not have.
    """
    if not isinstance(value, Mapping):
        raise InvalidEvent(field, f"expected a mapping with string keys, got {_kind(value)}")
    check_json(value, field)
    return _encoder.encode(value)


def check_json(value: Any, field: str, depth: int = 1) -> None:
    """Raise InvalidEvent if `value` cannot be stored as JSON and read back as the same value."""
    kind = type(value)
    if kind is str:
        _check_text(value, field)
    elif value is None or kind is bool:
        return
    elif kind is int:
        if not INTEGER_MIN <= value <= INTEGER_MAX:
            raise InvalidEvent(field, "integer beyond 64 bits")
    elif kind is float:
        if not math.isfinite(value):
            raise InvalidEvent(field, f"{value} is not a JSON number")
    elif isinstance(value, Mapping):
        if depth > NESTING_DEPTH_MAX:
            raise InvalidEvent(field, f"nested deeper than {NESTING_DEPTH_MAX} levels")
        for key, item in value.items():
            if type(key) is not str:
                raise InvalidEvent(field, f"key {key!r} is not text")
            _check_text(key, f"{field}.{key!r}")
            check_json(item, f"{field}.{key}", depth + 1)
    elif kind is list or kind is tuple:
        if depth > NESTING_DEPTH_MAX:
            raise InvalidEvent(field, f"nested deeper than {NESTING_DEPTH_MAX} levels")
        for number, item in enumerate(value):
            check_json(item, f"{field}[{number}]", depth + 1)
    else:
        raise InvalidEvent(field, f"{_kind(value)} has no JSON form")


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
