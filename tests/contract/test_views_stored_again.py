"""Rows that a fold takes for new ones are stored whatever there is already under their keys."""

from typing import Any

import msgspec
import pytest

from ledger import LedgerError, NewEvent
from projections import QA
from projections.backends.row_queries import RowQuery
from projections.engine.folding import Change
from projections.engine.tables import Row, Table
from tests.support.blocking import Blocking
from tests.support.builders import on_durable
from tests.support.views import TALLY, counted, views_of

#: More than any statement stores, and a rest of every size.
ROWS = 127
#: Of each table, what its rows become.
CHANGES: dict[Any, dict[str, Any]] = {QA: {"question": "new"}, TALLY: {"count": 99}}


def told() -> list[NewEvent]:
    """A row of each view per number."""
    asked = [{"qa_id": f"q{n:02}", "question": "old", "answer": ""} for n in range(ROWS)]
    letters = [chr(ord("一") + n) for n in range(ROWS)]
    return [NewEvent(one, "qa.recorded") for one in asked] + [counted(one) for one in letters]


def storage(views: Any) -> Any:
    """The storage behind views of either style."""
    if isinstance(views, Blocking):
        return Blocking(views._target._reader._views, views._loop)
    return views._reader._views


def rows_of(views: Any, table: Table, bucket: int) -> list[Row]:
    query = RowQuery(table=table, bucket=bucket, equal=(("tenant", ""),), order=table.key)
    return [tuple(row) for row in storage(views).select(query)]


def replaced(table: Table, row: Row) -> Row:
    return table.encode(msgspec.structs.replace(table.decode(row), **CHANGES[table.projection]))


def stored(ledger: Any) -> tuple[Any, int, int]:
    """Views in which there is a row of each kind per number, their bucket and their position."""
    views = views_of(ledger, *CHANGES)
    ledger.append("s", told())
    views.catch_up()
    bucket = ledger.door.bucket("", "s")
    return views, bucket, 2 * ROWS


def test_rows_that_are_there_though_they_were_not_loaded_are_replaced(ledger: Any) -> None:
    views, bucket, position = stored(ledger)
    for table in map(Table, CHANGES):
        rows = rows_of(views, table, bucket)
        assert len(rows) == ROWS
        # One that is there, two that are not, and so on.
        gone = [table.key_of_row(row) for n, row in enumerate(rows) if n % 3]
        assert storage(views).store(bucket, [Change(table, position, position, gone=gone)])
        assert len(rows_of(views, table, bucket)) == ROWS - len(gone)
        changed = [replaced(table, row) for row in rows]
        for fresh in (ROWS, ROWS // 2):
            change = Change(table, position, position, changed, fresh=fresh)
            assert storage(views).store(bucket, [change])
            assert rows_of(views, table, bucket) == changed
    found = views.search("new", kinds=["qa"], limit=ROWS)
    assert len(found.items) == ROWS
    assert views.search("old", kinds=["qa"]).items == []


@on_durable
def test_a_new_row_that_breaks_a_rule_is_refused_as_any_other(ledger: Any) -> None:
    views, bucket, position = stored(ledger)
    for table in map(Table, CHANGES):
        before = rows_of(views, table, bucket)
        rows = [(row[0], "t", *row[2:]) for row in before]
        rows[60] = (*rows[60][:2], None, *rows[60][3:])
        said = []
        for fresh in (0, ROWS):
            change = Change(table, position, position + 1, rows, fresh=fresh)
            with pytest.raises(LedgerError) as refused:
                storage(views).store(bucket, [change])
            said.append((type(refused.value), str(refused.value)))
            assert rows_of(views, table, bucket) == before
        assert said[0] == said[1]
        assert views.positions(table.projection.name)[bucket] == position
