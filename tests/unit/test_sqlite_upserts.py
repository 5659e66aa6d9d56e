"""Rows are stored by statements of many rows each, whatever their number."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from projections import Projection
from projections.backends.sqlite.statements import TableStatements
from projections.engine.tables import Table

BUCKET = 3
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Note(msgspec.Struct, frozen=True):
    tenant: str
    session_id: str
    note_id: str
    created_at: datetime
    text: str


def statements_of(searchable: tuple[str, ...]) -> TableStatements:
    return TableStatements(
        Table(
            Projection(
                name="notes",
                version=1,
                view=Note,
                key=("tenant", "session_id", "note_id"),
                keys=lambda event: (),
                apply=lambda note, event: note,
                searchable=searchable,
            )
        )
    )


def rows(count: int) -> list[tuple[Any, ...]]:
    return [("", "s", f"n-{number}", NOW, f"word{number}") for number in range(count)]


def as_bound(table: Table, row: tuple[Any, ...]) -> list[Any]:
    words = [] if table.words is None else [" ".join(table.words.of(row))]
    return [BUCKET, *row[:3], "2026-01-01T00:00:00.000000Z", row[4], *words]


@pytest.mark.parametrize(("searchable", "upserted_max"), [(("text",), 64), ((), 1)])
def test_every_row_is_bound_once_and_in_order(
    searchable: tuple[str, ...], upserted_max: int
) -> None:
    statements = statements_of(searchable)
    for stored, most in ((statements.inserts, 64), (statements.upserts, upserted_max)):
        for count in range(150):
            bound: list[Any] = []
            executed = 0
            for statement, each in stored(BUCKET, rows(count)):
                for values in each:
                    assert statement.count("?") == len(values)
                    bound += values
                    executed += 1
            table = statements.table
            assert bound == [value for row in rows(count) for value in as_bound(table, row)]
            # Of each smaller size one statement at most is left over.
            assert executed <= count // most + most.bit_length()
