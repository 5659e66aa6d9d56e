"""The way from a view to its row. Pure.

Every value is looked at, for a fold may be wrong about its types; but most views of a table have
values of the same types in the same fields. What is left to check once these are known to be right
is checked for all of a row's texts and integers at once. Of a fold's time, looking at each value
by itself took a sixth, and this takes a third of that.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from types import NoneType
from typing import Any, NamedTuple

import msgspec

from .column_encoding import (
    EMPTY,
    ColumnWriter,
    boolean_column,
    integer_column,
    json_column,
    moment_column,
    real_column,
    text_column,
)
from .column_values import (
    boolean_value,
    integer_value,
    json_value,
    moment_value,
    real_value,
    text_value,
)
from .index_sizes import CHARS_SHORT, IndexSizes
from .rows import ColumnRows
from .shapes import Shapes

Values = tuple[Any, ...]
#: Of fewer views, to look at columns takes as long as to look at rows, and of a few twice as long.
BY_COLUMN_FROM = 32
_BY_COLUMN: dict[Callable[[Any], Any], ColumnWriter] = {
    text_value: text_column,
    integer_value: integer_column,
    real_value: real_column,
    boolean_value: boolean_column,
    moment_value: moment_column,
    json_value: json_column,
}


class Field(NamedTuple):
    """A field, the function of column_values that writes it, and whether it may be None."""

    name: str
    write: Callable[[Any], Any]
    optional: bool


class Shape(NamedTuple):
    """Where in values of known types there is something left to check or to convert."""

    texts: Callable[[Values], Values]
    integers: Callable[[Values], Values]
    moments: Sequence[int]
    reals: Sequence[int]
    #: With the text of an empty one: most are.
    documents: Sequence[tuple[int, str | None]]


class RowEncoder:
    """Makes rows of the views of one table."""

    def __init__(self, fields: Sequence[Field], sizes: IndexSizes, *, is_exact: bool) -> None:
        """Take the fields; `is_exact` if all values are known to be such as JSON has."""
        self._fields = tuple(fields)
        self._is_exact = is_exact
        self._sizes = sizes
        # Of a row of short texts nothing has to be looked at.
        self._chars_max = -1 if sizes.of_documents else CHARS_SHORT
        self._shapes = Shapes[tuple[type, ...], Shape]()

    def encode(self, view: Any) -> Values:
        """Return the row of a view; raise ValueError if a field's value breaks its type."""
        values = msgspec.structs.astuple(view)
        types = tuple(map(type, values))
        shape = self._shapes.get(types)
        if shape is None:
            row = self._checked(values)
            self._sizes.check(row)
            if not any(map(_is_own_moment, types)):  # which is converted wherever it stands
                self._shapes[types] = self._shape(values)
            return row
        try:
            row, chars = _shaped(shape, values)
        except (TypeError, ValueError, OverflowError):
            return self._checked(values)  # which says what is wrong
        if chars > self._chars_max:
            self._sizes.check(row)
        return row

    def encode_all(self, views: Sequence[Any]) -> Sequence[Values]:
        """Return the rows of several views; raise ValueError as for the first that breaks a type.

        What a page makes is looked at column by column, in two thirds of the time of row by row.
        """
        if len(views) >= BY_COLUMN_FROM:
            try:
                return self._by_column(views)
            except (TypeError, ValueError, OverflowError):
                pass  # which view is to blame is found by encoding each
        return [self.encode(view) for view in views]

    def _by_column(self, views: Sequence[Any]) -> Sequence[Values]:
        columns: list[Sequence[Any]] = [*zip(*map(msgspec.structs.astuple, views), strict=True)]
        for place, field in enumerate(self._fields):
            values = columns[place]
            # Half of the fields of most views are None in every row, which is counted in no time;
            # but what a stranger's fold makes may be equal to None and yet be something.
            countable = self._is_exact and field.optional and values[0] is None
            if countable and values.count(None) == len(values):
                continue
            kinds = set(map(type, values))
            if NoneType in kinds and not field.optional:
                raise ValueError(f"field {field.name}: it is never None")
            columns[place] = _BY_COLUMN[field.write](values, kinds)
        rows = ColumnRows(columns)
        if not self._sizes.are_short(columns):
            for row in rows:
                self._sizes.check(row)
        return rows

    def _shape(self, values: Values) -> Shape:
        present = [place for place, value in enumerate(values) if value is not None]

        def written_by(write: Callable[[Any], Any]) -> Sequence[int]:
            return [place for place in present if self._fields[place].write is write]

        return Shape(
            _values_at(written_by(text_value)),
            _values_at(written_by(integer_value)),
            written_by(moment_value),
            written_by(real_value),
            [(place, EMPTY.get(type(values[place]))) for place in written_by(json_value)],
        )

    def _checked(self, values: Values) -> Values:
        """Return the row of a view's values, each looked at."""
        row = []
        for value, field in zip(values, self._fields, strict=True):
            if value is not None:
                try:
                    row.append(field.write(value))
                except (TypeError, ValueError, OverflowError) as error:
                    raise ValueError(f"field {field.name}: {error}") from error
            elif field.optional:
                row.append(None)
            else:
                raise ValueError(f"field {field.name}: it is never None")
        return tuple(row)


def _shaped(shape: Shape, values: Values) -> tuple[Values, int]:
    """Return the row of values, and how many characters its texts have."""
    chars = len(text_value("".join(shape.texts(values))))
    array("q", shape.integers(values))  # raises OverflowError for one of more than 64 bits
    row = list(values)
    for place in shape.moments:
        if row[place].tzinfo is not UTC:
            row[place] = moment_value(row[place])
    for place in shape.reals:
        row[place] = real_value(row[place])
    for place, empty in shape.documents:
        row[place] = json_value(row[place]) if empty is None or row[place] else empty
    return tuple(row), chars


def _is_own_moment(type_: type) -> bool:
    """Whether a type is a class of somebody's own, derived from datetime."""
    return type_ is not datetime and issubclass(type_, datetime)


def _values_at(places: Sequence[int]) -> Callable[[Values], Values]:
    if len(places) > 1:
        return itemgetter(*places)
    # itemgetter of one place returns the value alone
    return lambda values: tuple([values[place] for place in places])
