"""Values that SQL has no type for, but that JSON spells as one text or one integer. Pure.

They are stored as what is spelled. As JSON a text would stand in quotes in its column, where nobody
who asks for `red` in SQL finds it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin
from uuid import UUID

import msgspec

from .row_encoding import RowEncoder, Values


class Spelling(NamedTuple):
    """How the values of a type become plain ones, and are made of these again."""

    plain: type[Any]
    #: Raises TypeError for what is none of the type; whether a column can hold it is not its matter.
    spell: Callable[[Any], Any]
    read: Callable[[Any], Any]


class SpellingEncoder:
    """Makes rows of views with such fields; other tables have no part in it, for it takes time."""

    def __init__(
        self,
        encoder: RowEncoder,
        plain: Callable[..., Any],
        fields: Sequence[tuple[int, str, Spelling]],
    ) -> None:
        """Take the encoder of plain values, a struct that has them all, and the places to spell."""
        self._encoder = encoder
        self._plain = plain
        self._fields = tuple(fields)

    def encode(self, view: Any) -> Values:
        """Return the row of a view; raise ValueError if a field's value breaks its type."""
        return self._encoder.encode(self._spelled(view))

    def encode_all(self, views: Sequence[Any]) -> Sequence[Values]:
        """Return the rows of several views; raise ValueError if one of them breaks a type."""
        return self._encoder.encode_all([self._spelled(view) for view in views])

    def _spelled(self, view: Any) -> Any:
        values = list(msgspec.structs.astuple(view))
        for place, name, spelling in self._fields:
            if values[place] is not None:
                try:
                    values[place] = spelling.spell(values[place])
                except (TypeError, ValueError) as error:
                    raise ValueError(f"field {name}: {error}") from error
        return self._plain(*values)


def spelling_of(hint: Any) -> Spelling | None:
    """Return how values of a field's type are spelled; None if they are plain, or stay JSON."""
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) is Literal:
        numbers = get_args(hint)
        is_integer = {*map(type, numbers)} == {int}
        return Spelling(int, partial(_one_of, frozenset(numbers)), int) if is_integer else None
    if isinstance(hint, enum.EnumMeta):
        return _of_members(hint)
    return _SPELLINGS.get(hint) if isinstance(hint, type) else None


def _of_members(members: enum.EnumMeta) -> Spelling | None:
    named: Mapping[str, Any] = members.__members__
    kinds = {type(member.value) for member in named.values()}
    if kinds not in ({str}, {int}):
        return None
    return Spelling(kinds.pop(), partial(_value, members), members)


def _one_of(numbers: frozenset[int], value: Any) -> int:
    if type(value) is not int or value not in numbers:
        raise TypeError(f"{value!r} is none of {', '.join(map(str, sorted(numbers)))}")
    return value


def _value(members: enum.EnumMeta, value: Any) -> Any:
    # What is equal to a member may be a text, or one of another class.
    if type(value) is not members:
        raise TypeError(f"{value!r} is no {members.__name__}")
    return value.value


def _text(type_: type[Any], value: Any) -> Any:
    # A datetime is a date, too, and would not be read again as one.
    if not isinstance(value, type_) or isinstance(value, datetime):
        raise TypeError(f"{value!r} is no {type_.__name__}")
    return msgspec.to_builtins(value)


_SPELLINGS: dict[type[Any], Spelling] = {
    type_: Spelling(str, partial(_text, type_), partial(msgspec.convert, type=type_))
    for type_ in (UUID, date, time, timedelta, Decimal, bytes)
}
