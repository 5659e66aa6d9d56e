"""Pages of what was found: an order, a limit and a cursor. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from heapq import nlargest, nsmallest
from itertools import chain
from typing import Any, Generic, TypeVar

from ledger.refusals import shown

from ...readers.listing_cursors import ListCursors, ViewPage
from .records import invalid

LIMIT_MAX = 1_000

T = TypeVar("T")
Place = tuple[int, str, str]
#: The name of an order -> a row's value in it, and whether the highest comes first.
Orders = Mapping[str, tuple[Callable[[T], Place], bool]]


class Asked:
    """What a page is asked for: an order, a limit, the cursor of the page before."""

    def __init__(self, order_by: str, limit: int, cursor: str | None) -> None:
        if type(limit) is not int or not 1 <= limit <= LIMIT_MAX:
            raise invalid(f"limit: expected 1 to {LIMIT_MAX}, got {shown(limit)}")
        self.order_by = order_by
        self.limit = limit
        self.cursor = cursor

    def of(self, orders: Orders[T], ledger_id: str, name: str, *filters: Any) -> PageOf[T]:
        """Return the page, still empty, of a list that the filters decide on."""
        if self.order_by not in tuple(orders):  # of whatever type it is
            names = ", ".join(orders)
            raise invalid(f"order_by: expected one of {names}, got {shown(self.order_by)}")
        cursors = ListCursors(ledger_id, name, (*filters, self.order_by))
        return PageOf(*orders[self.order_by], self, cursors)


class PageOf(Generic[T]):
    """The page that rows make which come in any order; no more are kept than it has."""

    def __init__(
        self, place: Callable[[T], Place], descending: bool, asked: Asked, cursors: ListCursors
    ) -> None:
        self._place = place
        self._descending = descending
        self._asked = asked
        self._cursors = cursors
        self._behind: Place | None = cursors.place(asked.cursor, Place)
        self._kept: list[T] = []
        self.total_count = 0

    def offer(self, rows: Iterable[T]) -> None:
        """Take those rows that are among the first ones behind the cursor."""
        first = nlargest if self._descending else nsmallest
        behind = filter(self._is_behind, rows)
        self._kept = first(self._asked.limit + 1, chain(self._kept, behind), key=self._place)

    def page(self) -> ViewPage[T]:
        """Return the page, with the cursor behind it; None at the end."""
        return self._cursors.page(self._kept, self._asked.limit, self._asked.cursor, self._place)

    def _is_behind(self, row: T) -> bool:
        self.total_count += 1
        if self._behind is None:
            return True
        place = self._place(row)
        return place < self._behind if self._descending else place > self._behind
