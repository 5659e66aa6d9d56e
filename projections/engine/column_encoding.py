"""All values of a column at once, as they are stored; what `column_values` does value by value. Pure.

Each takes the values of a column and which types they are of, None among them where the field may
be None, and raises TypeError, ValueError or OverflowError if one of them cannot be stored.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence, Set
from datetime import UTC, datetime
from types import NoneType
from typing import Any

from .column_values import json_value, moment_value, real_value, text_value

Values = Sequence[Any]
Kinds = Set[type]
ColumnWriter = Callable[[Values, Kinds], Values]
#: The text of what is empty, which most documents are.
EMPTY: dict[type, str] = {dict: "{}", list: "[]"}


def text_column(values: Values, kinds: Kinds) -> Values:
    """Look at all texts as one."""
    _expect(str, kinds)
    text_value("".join(filter(None, values)))
    return values


def integer_column(values: Values, kinds: Kinds) -> Values:
    """Find integers of more than 64 bits."""
    _expect(int, kinds)
    array("q", _present(values, kinds))
    return values


def real_column(values: Values, kinds: Kinds) -> Values:
    """Return finite floats."""
    return [None if value is None else real_value(value) for value in values]


def boolean_column(values: Values, kinds: Kinds) -> Values:
    """Look at the types alone."""
    _expect(bool, kinds)
    return values


def moment_column(values: Values, kinds: Kinds) -> Values:
    """Return moments in UTC; nearly all are."""
    _expect(datetime, kinds)
    if [value for value in _present(values, kinds) if value.tzinfo is not UTC]:
        return [None if value is None else moment_value(value) for value in values]
    return values


def json_column(values: Values, kinds: Kinds) -> Values:
    """Return JSON texts; most are of what is empty."""
    if kinds <= {dict, list} and not any(values):
        return [EMPTY[type(value)] for value in values]
    return [
        None
        if value is None
        else json_value(value)
        if value or type(value) not in EMPTY
        else EMPTY[type(value)]
        for value in values
    ]


def _expect(type_: type, kinds: Kinds) -> None:
    if not kinds <= {type_, NoneType}:
        raise TypeError(f"not all are of {type_.__name__}")


def _present(values: Values, kinds: Kinds) -> Values:
    return [value for value in values if value is not None] if NoneType in kinds else values
