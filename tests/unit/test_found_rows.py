"""How many rows are looked at for a page of those that have some words."""

from typing import Any, cast

import pytest

from ledger.plans import Plan, run
from projections import QA
from projections.backends.row_queries import RowQuery
from projections.engine.tables import Table
from projections.readers.found_rows import found_rows
from projections.readers.reading import Reader

ROWS = 1_000_000


class Common:
    """A reader of rows of which every second one has the words."""

    def __init__(self) -> None:
        self.asked: list[RowQuery] = []

    def select(self, query: RowQuery) -> Plan[list[int]]:
        self.asked.append(query)
        looked_at = ROWS if query.among is None else query.among
        return [*range(looked_at // 2)][: query.limit]
        yield


@pytest.mark.parametrize("limit", [1, 101, 500, 501, 1_001, 10_001])
def test_a_page_of_common_words_needs_no_index_however_long_it_is(limit: int) -> None:
    table = Table(QA)
    order = "created_at", *table.key[1:]
    query = RowQuery(
        table=table,
        bucket=None,
        equal=(("tenant", ""),),
        words=("common",),
        order=order,
        descending=True,
        limit=limit,
    )
    reader = Common()
    found: list[Any] = run(found_rows(cast(Reader, reader), query))
    assert len(found) == limit
    assert [query.among is not None for query in reader.asked] == [True]
