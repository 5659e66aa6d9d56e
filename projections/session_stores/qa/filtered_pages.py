"""Pages of what fits, made of pages in which most may not fit. Plans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ledger.plans import Plan

from ...readers.listing_cursors import ViewPage

T = TypeVar("T")

#: So many are asked for at once where some do not fit, however few are wanted.
PAGE_ROWS = 100
#: So many at most, where each page that has too few is followed by one of twice as many.
PAGE_ROWS_MAX = 1_000


def fitting(
    fetch: Callable[[int, str | None], Plan[ViewPage[Any]]],
    fits: Callable[[Sequence[Any]], Plan[Sequence[T | None]]],
    limit: int,
    cursor: str | None,
    rows_max: int = PAGE_ROWS,
) -> Plan[ViewPage[T]]:
    """Return up to `limit` of what fits, and the cursor behind the last one.

    `fetch` gets a page of some size behind a cursor, `fits` returns for each of its items what it
    is to the asker, or None. Pages grow up to `rows_max`.
    """
    found: list[T] = []
    size, rows = limit, PAGE_ROWS
    while True:
        page = yield from fetch(size, cursor)
        kept = yield from fits(page.items)
        places = [place for place, one in enumerate(kept) if one is not None]
        wanted = limit - len(found)
        if len(places) > wanted:
            # A cursor stands behind a whole page, so that page has to end with the last one wanted.
            size = places[wanted - 1] + 1
            continue
        found += [one for one in kept if one is not None]
        cursor = page.cursor
        if cursor is None or len(found) >= limit:
            return ViewPage(found, cursor)
        size = max(limit - len(found), rows)
        rows = min(2 * rows, rows_max)
