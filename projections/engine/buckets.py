"""Bringing several buckets up to date: one is folded while the server stores another.

Buckets share nothing: each has rows and checkpoints of its own, and is stored by itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from ledger.plans import Plan

from ..backends.base import AsyncViewBackend, ViewBackend
from ..errors import ProjectionFailed
from .tables import Table

#: So many are on their way at once, where the storage is a server that works meanwhile and the pool
#: has so many connections; in memory there is a page of each. Of an event with all built-in views
#: 35 µs are ours, in one thread at a time, and 26 the server's. With 2, 3 and 4 on their way they
#: follow 1.19, 1.24 and 1.36 times as fast as one bucket after the other; 1.7 is the most there is.
BUCKETS_AT_ONCE = 4

#: Called behind each page with the number of events in it; False ends the work there. By any of
#: the threads that fold.
AfterPage = Callable[[int], bool]
#: A bucket, the position to reach in it, and the tables to bring there.
Due = tuple[int, int, Sequence[Table]]
Reach = Callable[[Due, AfterPage], Plan[list[ProjectionFailed]]]


def reach_each(
    views: ViewBackend | AsyncViewBackend,
    due: Sequence[Due],
    reach: Reach,
    after_page: AfterPage | None = None,
) -> Plan[list[ProjectionFailed]]:
    """Reach a position in each of some buckets; return the failures in the order of `due`.

    What a failing fold leaves undone is told by its failure. Anything that is raised ends the work
    on the other buckets behind their pages.
    """
    left = deque(range(len(due)))
    failures: list[list[ProjectionFailed]] = [[] for _ in due]
    ended = threading.Event()

    def goes_on(events: int) -> bool:
        if after_page is not None and not after_page(events):
            ended.set()
        return not ended.is_set()

    def work() -> Plan[None]:
        """Take one bucket after the other, as long as there are some."""
        while goes_on(0):
            try:
                number = left.popleft()
            except IndexError:  # only this tells it: between a look and a pop another one may take
                return
            failures[number] = yield from reach(due[number], goes_on)

    if len(due) > 1:
        yield views.side_by_side([work() for _ in range(BUCKETS_AT_ONCE)], ended.set)
    else:
        yield from work()
    return [failure for found in failures for failure in found]
