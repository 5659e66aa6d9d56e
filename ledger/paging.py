"""How many events a page asks for: few enough that big ones fit into memory, or as many as ever."""

from __future__ import annotations

from collections.abc import Sequence

from .records import Record

#: What a page should hold. Pages are counted in events, so it is met on the average.
PAGE_BYTES = 8_388_608
_FIRST_EVENTS = 16
#: Three pages lead from the first size to the largest of all.
_GROWTH = 16
#: What a record takes beside its payload and metadata.
_RECORD_BYTES = 1_024


class PageSize:
    """The size of the next page, from the events of the last one; it starts small."""

    def __init__(self, events_max: int, bytes_max: int = PAGE_BYTES) -> None:
        self._events_max = events_max
        self._bytes_max = bytes_max
        self.events = min(_FIRST_EVENTS, events_max)

    def saw(self, page: Sequence[Record]) -> None:
        """Choose the next size behind a page."""
        if not page:
            return
        size = sum([len(record.payload) + len(record.metadata) for record in page])
        fitting = self._bytes_max * len(page) // (size + _RECORD_BYTES * len(page))
        self.events = max(1, min(fitting, _GROWTH * self.events, self._events_max))
