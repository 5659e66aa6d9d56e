"""Rows that are held by column are the rows that they were made of."""

from __future__ import annotations

import pytest

from projections.engine.rows import ColumnRows, columns_of

ROWS = [("a", 1, None), ("b", 2, "x"), ("c", 3, "y")]


@pytest.fixture
def rows() -> ColumnRows:
    return ColumnRows(columns_of(ROWS))


def test_rows_are_read_as_they_were(rows: ColumnRows) -> None:
    assert len(rows) == 3
    assert [*rows] == ROWS
    assert [rows[place] for place in (0, 1, -1)] == [ROWS[0], ROWS[1], ROWS[-1]]
    assert ROWS[1] in rows


@pytest.mark.parametrize("part", [slice(0, 2), slice(2, None), slice(None), slice(0, 0)], ids=str)
def test_parts_are_rows_again(rows: ColumnRows, part: slice) -> None:
    found = rows[part]
    assert type(found) is ColumnRows
    assert [*found] == ROWS[part]
    assert bool(found) is bool(ROWS[part])


def test_no_row_is_behind_the_last_one(rows: ColumnRows) -> None:
    with pytest.raises(IndexError):
        rows[3]


def test_columns_are_the_same_of_either_kind(rows: ColumnRows) -> None:
    assert [*map(tuple, columns_of(rows))] == [*map(tuple, columns_of(ROWS))]


def test_who_changes_a_list_of_columns_leaves_the_rows_alone(rows: ColumnRows) -> None:
    columns_of(rows)[0] = ["z"] * 3
    assert [*rows] == ROWS
