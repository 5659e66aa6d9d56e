"""Rows as one JSON object each, which a struct is read from in one step. Pure.

A row of many columns costs more to take apart than to find: a session's 55 go through conversions,
a dict and keyword arguments in 6 µs. From one JSON object, which SQLite puts together about as
quickly as it hands out 55 values, it is read in 2 µs: lists of sessions come twice as fast.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Optional, get_type_hints

import msgspec

from .tables import Column, Kind, Table

_PLAIN = {
    Kind.TEXT: str,
    Kind.INTEGER: int,
    Kind.REAL: float,
    Kind.BOOLEAN: bool,
    Kind.MOMENT: datetime,
}


def document_reader(table: Table) -> Callable[[str], Any] | None:
    """Return what reads a view from the JSON object of its row: all columns, NULL as null.

    None where that could give another view than `Table.decode`, which checks nothing but JSON: the
    struct has other names in JSON, or its fields have rules that only reading checks.
    """
    view = table.projection.view
    config = view.__struct_config__
    renamed = view.__struct_encode_fields__ != view.__struct_fields__
    if config.array_like or config.tag is not None or renamed or hasattr(view, "__post_init__"):
        return None
    hints = get_type_hints(view, include_extras=True)
    if not all(_is_plain(column, hints[column.name]) for column in table.columns):
        return None
    try:
        return msgspec.json.Decoder(view).decode
    except (TypeError, ValueError, NotImplementedError):
        # Such as fields whose values nothing tells apart, each alone can be read; or enumerations
        # of what no JSON holds, whose other members can.
        return None


def _is_plain(column: Column, hint: Any) -> bool:
    """Whether a field's type says no more than its column does."""
    is_own = column.kind is Kind.JSON or column.spelling is not None
    expected = column.type if is_own else _PLAIN[column.kind]
    if column.optional and expected is not Any:
        expected = Optional[expected]  # noqa: UP045 - built from a value
    return bool(hint == expected)
