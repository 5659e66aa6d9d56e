"""Rows as records, also where a text column holds bytes that are no UTF-8.

SQLite keeps whatever bytes it is given as text. Readers refuse such a row; the scan, with which
verification looks at everything, hands them out as lone surrogates (PEP 383), which no other
text can contain, and takes them back as a place to go on from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import starmap
from types import UnionType
from typing import Any, get_args

import msgspec

from ...errors import IntegrityError
from ...records import Record


def _is_text(annotation: object) -> bool:
    return str in (get_args(annotation) if isinstance(annotation, UnionType) else (annotation,))


_FIELDS = msgspec.structs.fields(Record)
_TEXT = [_is_text(field.type) for field in _FIELDS]


def add_records(
    page: list[Record], rows: Iterable[tuple[Any, ...]], place: Callable[[Record | None], str]
) -> None:
    """Add rows to a page; `place` says where the row behind a record is, should it be unreadable."""
    try:
        page.extend(starmap(Record, rows))
    except UnicodeDecodeError as error:
        where = place(page[-1] if page else None)
        raise IntegrityError(f"{where} holds text that is no UTF-8 ({error}).") from error


def escaped_record(row: tuple[Any, ...]) -> Record:
    """Return the record of a row whose text columns came as bytes."""
    values: list[Any] = list(row)
    for place, text in enumerate(_TEXT):
        if text and values[place] is not None:
            values[place] = values[place].decode("utf-8", "surrogateescape")
    return Record(*values)


def escaped_bytes(text: str) -> bytes:
    """Return the bytes that text has in the file."""
    return text.encode("utf-8", "surrogateescape")
