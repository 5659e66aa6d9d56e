"""Reading the first rows of an order that have some words, be these common or rare."""

from __future__ import annotations

from typing import Any

import msgspec

from ledger.plans import Plan

from ..backends.row_queries import RowQuery
from .reading import Reader

#: What is common is met among so many rows; looking at them takes a few milliseconds.
AMONG_ROWS = 500
#: For a page of more rows than these as many times more are looked at. A page of 500 could never
#: be filled by one look, so each was made of all that have the words.
_PAGE_ROWS = 128


def found_rows(reader: Reader, query: RowQuery) -> Plan[list[Any]]:
    """Return the rows of a query that has words, as the tables are.

    An index of words knows no order: all rows that have them are put in order for a page of them.
    Where words are so common that this would take long, the page is full after a look at the first
    rows of the order, which have an index, too. So first comes that look, then the index.
    """
    if query.limit and _is_cut(query):
        first = msgspec.structs.replace(query, among=AMONG_ROWS * -(-query.limit // _PAGE_ROWS))
        rows: list[Any] = yield from reader.select(first)
        if len(rows) == query.limit:
            return rows
    return (yield from reader.select(query))


def _is_cut(query: RowQuery) -> bool:
    """Whether the rows are the first of an order in which an index has all of a tenant."""
    if not query.words or query.bucket is not None:
        return False
    wanted = ("tenant", *query.order)
    return any(
        index.fields[: len(wanted)] == wanted and not (index.present or index.positive)
        for index in query.table.indexes.values()
    )
