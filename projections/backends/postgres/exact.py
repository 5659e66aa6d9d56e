"""JSON that survives jsonb: its numbers, and the order of its keys."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from ...engine.column_values import json_value

# A string, to be stepped over, or a number with an exponent.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|(-?\d+(?:\.\d+)?[eE][+-]?\d+)')
# What jsonb writes between a key and its value.
_KEY_END = '": '
_SUSPECT = re.compile(r"\d[eE][+-]?\d")


def exact_numbers(text: str) -> str:
    """Return JSON text in which no float can be taken for an integer.

    jsonb writes 1e16 as 10000000000000000, which comes back as an int, and 1.2345678901234567e18
    as an int that is not even equal to it. With a point in it, it stays a float.
    """
    if _SUSPECT.search(text) is None:
        return text
    return _TOKENS.sub(lambda match: _plain(match[1]) if match[1] else match[0], text)


def _plain(number: str) -> str:
    digits = format(Decimal(number), "f")
    return digits if "." in digits else f"{digits}.0"


def ordered_keys(text: str) -> str:
    """Return a jsonb's text with its keys in the order in which they were written.

    jsonb puts the shorter ones first.
    """
    if text.count(_KEY_END) < 2:
        return text
    return json_value(msgspec.json.decode(text))
