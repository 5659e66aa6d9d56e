"""Cursors of lists of views: the place behind a page, as an opaque token. Pure.

A place is the last row's values of the order, its key included, so the next page begins behind
what was seen whatever came or went since: a row that did not change is neither skipped nor doubled.
A row whose place changed meanwhile may come twice or not at all, as it may for any reader of a list
that moves. The token also holds a digest of what was asked for: with other filters it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Generic, TypeVar

import msgspec

from ledger import InvalidCursor
from ledger.cursor import open_token, seal_token
from ledger.limits import INTEGER_MIN, SEQUENCE_MAX

T = TypeVar("T")

_KIND = b"v"
_DIGEST_BYTES = 8
_NO_OFFSET = timedelta(0)


class ViewPage(msgspec.Struct, Generic[T], frozen=True):
    """Some of a list, and the cursor behind them; None at the end."""

    items: list[T]
    cursor: str | None


class ListCursors:
    """The cursors of one list; `asked` is all that decides which rows it has, and their order."""

    def __init__(self, ledger_id: str, name: str, asked: Any) -> None:
        self._ledger_id = ledger_id
        text = msgspec.msgpack.encode((name, asked), order="deterministic")
        self._head = _KIND + sha256(text).digest()[:_DIGEST_BYTES]

    def place(self, cursor: str | None, type_: Any) -> Any:
        """Return the place in a cursor, which is of a type; None for the start."""
        if cursor is None:
            return None
        body = open_token(cursor, self._ledger_id)
        if not body.startswith(self._head):
            raise InvalidCursor("The cursor belongs to another list, or to other filters.")
        try:
            place = msgspec.msgpack.decode(body[len(self._head) :], type=type_)
        except msgspec.MsgspecError as error:
            raise InvalidCursor("The cursor is damaged.") from error
        if not _can_be_a_rows(place):
            raise InvalidCursor("The cursor is damaged.")
        return place

    def page(
        self, found: Sequence[T], limit: int, given: str | None, place: Callable[[T], Any]
    ) -> ViewPage[T]:
        """Return the page of the first rows found, of which one more than its limit was read."""
        if limit == 0:
            return ViewPage([], given)
        items = list(found[:limit])
        if len(found) <= limit:
            return ViewPage(items, None)
        body = self._head + msgspec.msgpack.encode(place(items[-1]))
        return ViewPage(items, seal_token(body, self._ledger_id))


def _can_be_a_rows(value: Any) -> bool:
    """Whether every database can compare its rows with a value.

    A token is checked for damage, not signed: whoever has one can put another place into it.
    """
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, int):
        return INTEGER_MIN <= value <= SEQUENCE_MAX
    if isinstance(value, datetime):
        return value.utcoffset() == _NO_OFFSET  # as of all that is kept, and of none without a zone
    return all(map(_can_be_a_rows, _parts_of(value)))


def _parts_of(value: Any) -> tuple[Any, ...]:
    return msgspec.structs.astuple(value) if isinstance(value, msgspec.Struct) else value
