"""The values of a column as they are stored, the same for every backend. Pure.

Each raises TypeError or ValueError for what the column cannot hold.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import msgspec

BIGINT_MIN = -(2**63)
BIGINT_MAX = 2**63 - 1

# Deterministic: the same value is always the same text, so that two tables can be compared.
_encode_json = msgspec.json.Encoder(order="deterministic").encode
_NULL, _NUL, _MINUS_ZERO = "null", "\\u0000", "-0.0"


def text_value(value: Any) -> str:
    """Return text that every database stores."""
    if type(value) is not str:
        raise TypeError(f"{value!r} is no str")
    if "\0" in value:
        raise ValueError("NUL in text, which PostgreSQL cannot store")
    if not value.isascii():
        value.encode()  # raises for a lone surrogate
    return value


def integer_value(value: Any) -> int:
    """Return an integer of 64 bits."""
    if type(value) is not int:
        raise TypeError(f"{value!r} is no int")
    if not BIGINT_MIN <= value <= BIGINT_MAX:
        raise ValueError(f"{value} has more than 64 bits")
    return value


def real_value(value: Any) -> float:
    """Return a finite float; an int becomes one."""
    if type(value) is int:
        return float(value)
    if type(value) is not float:
        raise TypeError(f"{value!r} is no float")
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a number that is stored")
    return value or 0.0  # PostgreSQL's jsonb has no -0.0, and SQLite has none at all


def boolean_value(value: Any) -> bool:
    """Return a bool."""
    if type(value) is not bool:
        raise TypeError(f"{value!r} is no bool")
    return value


def moment_value(value: Any) -> datetime:
    """Return a moment in UTC; that of a class of somebody's own becomes a plain datetime."""
    if type(value) is datetime and value.tzinfo is UTC:
        return value
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise TypeError(f"{value!r} is no datetime with a time zone")
    moment = value.astimezone(UTC)
    if type(moment) is datetime:
        return moment
    return datetime.combine(moment.date(), moment.time(), UTC)


def json_value(value: Any) -> str:
    """Return a value as JSON text."""
    try:
        encoded = _encode_json(value)
    except TypeError:
        # Keys that are no text are put in order as text only.
        value = msgspec.to_builtins(value, str_keys=True, order="deterministic")
        encoded = _encode_json(value)
    # Asked of text: of bytes each question takes 0.2 µs more, a third of a row's time together.
    text = encoded.decode()
    # What JSON lacks becomes null without a word, and PostgreSQL refuses NUL in it. Either shows in
    # the text, so that most values are not walked through.
    if _NULL in text or _NUL in text:
        _check_json(msgspec.to_builtins(value))
    if _MINUS_ZERO in text:
        text = _encode_json(_without_minus_zero(msgspec.json.decode(text))).decode()
    return text


def _without_minus_zero(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_minus_zero(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_minus_zero(item) for item in value]
    return real_value(value) if isinstance(value, float) else value


def _check_json(value: Any) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _check_json(key)
            _check_json(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            _check_json(item)
    elif isinstance(value, float):
        real_value(value)
    elif isinstance(value, str):
        text_value(value)
