"""What a rebuild does to one bucket after the other, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable

from ledger import Ledger
from ledger.plans import run

from ..backends import open_views
from ..errors import ProjectionFailed
from .projection import Projection
from .projector import Projector
from .row_snapshots import ROW_SNAPSHOTS
from .tables import Table
from .throttle import TokenBucket

#: A page is one transaction: large ones cost less per event, small ones are interrupted sooner.
PAGE_EVENTS_MAX = 2_000

#: A bucket and the position to reach in it.
Job = tuple[int, int]
#: Told how many events were folded; False ends the work.
Report = Callable[[int], bool]
#: Waits for some seconds, or less if the work is to end.
Pause = Callable[[float], None]


class Worker:
    """A projector with a single table, and a rate that it keeps."""

    def __init__(
        self, ledger: Ledger, projection: Projection, events_per_second: float | None, pause: Pause
    ) -> None:
        events_max = PAGE_EVENTS_MAX
        if events_per_second is not None:
            # A second's worth at most, so that the load is even and a cancel is soon heard.
            events_max = max(1, min(events_max, int(events_per_second)))
        self._table = Table(projection)
        self._log = ledger.backend
        self._projector = Projector(
            ledger.backend,
            open_views(ledger.backend),
            [self._table],
            ledger.upcasts,
            events_max,
            # What a deletion hides must not stay in them, whoever folds it first.
            caches=(ROW_SNAPSHOTS,),
        )
        self._pause = pause
        self._throttle = (
            None if events_per_second is None else TokenBucket(events_per_second, time.monotonic())
        )

    def fold(self, bucket: int, head: int, report: Report) -> ProjectionFailed | None:
        """Bring the table to a position of a bucket, page by page, or to the event that fails."""

        def after_page(events: int) -> bool:
            if not report(events):
                return False
            if self._throttle is not None:
                wait_s = self._throttle.take(events, time.monotonic())
                if wait_s > 0:
                    self._pause(wait_s)
            return True

        failures = run(self._projector.reach(bucket, head, [self._table], after_page=after_page))
        return failures[0] if failures else None
