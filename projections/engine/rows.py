"""Rows of one table, column by column. Pure.

A page's rows are made, checked and bound by column: to make tuples of them in between, and to take
these apart again, took as long as binding them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final, overload

Row = tuple[Any, ...]


@final
class ColumnRows(Sequence[Row]):
    """Rows of at least one column; each is made when it is asked for."""

    __slots__ = ("columns",)

    def __init__(self, columns: Sequence[Sequence[Any]]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Iterator[Row]:
        return zip(*self.columns, strict=True)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        found = [column[place] for column in self.columns]
        return ColumnRows(found) if isinstance(place, slice) else tuple(found)


def columns_of(rows: Sequence[Row]) -> list[Sequence[Any]]:
    """Return the columns of at least one row."""
    if type(rows) is ColumnRows:
        return list(rows.columns)
    return [*zip(*rows, strict=True)]
