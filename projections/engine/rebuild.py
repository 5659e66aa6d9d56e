"""Building a new version of a projection beside the one that is read.

Nothing waits for it: writers append, readers read the active version, and what is folded is
exactly once whoever else folds. It can be ended at any moment, by Ctrl-C or by kill -9, and goes
on where it stopped when it is started again. See versions for what comes then.
"""

from __future__ import annotations

import math
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ledger import InvalidArgument, Ledger
from ledger.refusals import shown

from ..backends import open_views
from ..backends.base import Standing
from ..errors import ProjectionFailed, VersionDropped
from ..readers.arguments import callback, instance
from .made_by import made_by
from .projection import Projection, check_free
from .rebuild_processes import OpenLedger, Processes, Task, check_sendable, started
from .rebuild_reports import RebuildProgress, RebuildReport
from .rebuild_worker import Job, Report, Worker
from .row_snapshots import ROW_SNAPSHOTS
from .tables import Table
from .upcast_digest import UpcastDigests
from .versions import FoldChanged

PROCESSES_MAX = 256
#: Each pass folds what was appended during the one before. This many are only needed if writers
#: are faster than the rebuild, and then no number is enough.
PASSES_MAX = 100
#: What may be left of each bucket for those who keep versions going.
LEFT_EVENTS = 500

OnProgress = Callable[[RebuildProgress], None]
Fold = Callable[[Sequence[Job], Report], Iterator[ProjectionFailed]]


class Rebuild:
    """The folding of one version of a projection, from wherever it stands to the log's end.

    `processes` other than 0 are spawned and share the buckets among them, so a ledger with one
    bucket, as on SQLite, gains nothing by them; each calls `open_ledger` for a ledger of its own,
    which like the projection's functions is pickled by its name. `events_per_second` bounds all of
    them together. `on_progress` is called behind each page.
    """

    def __init__(
        self,
        ledger: Ledger,
        projection: Projection,
        *,
        processes: int = 0,
        open_ledger: OpenLedger | None = None,
        events_per_second: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        instance(ledger, "ledger", Ledger)
        instance(projection, "projection", Projection)
        if not (type(processes) is int and 0 <= processes <= PROCESSES_MAX):
            raise InvalidArgument(
                "processes", f"expected 0 to {PROCESSES_MAX}, got {shown(processes)}"
            )
        callback(open_ledger, "open_ledger")
        callback(on_progress, "on_progress")
        if processes:
            if open_ledger is None:
                raise InvalidArgument("open_ledger", "each of several processes opens its own")
            check_sendable(open_ledger, projection)
        if events_per_second is not None and (
            type(events_per_second) not in (int, float) or not 0 < events_per_second < math.inf
        ):
            raise InvalidArgument(
                "events_per_second", f"it is above 0, not {shown(events_per_second)}"
            )
        self._ledger = ledger
        self._projection = projection
        self._table = Table(projection, UpcastDigests(ledger.upcasts))
        check_free(projection.name)
        self._views = open_views(ledger.backend)
        self._processes = min(processes, ledger.buckets)
        self._open_ledger = open_ledger
        self._events_per_second = events_per_second
        self._on_progress = on_progress
        self._cancelled = threading.Event()
        self._team: Processes | None = None

    @property
    def process_ids(self) -> list[int]:
        """The ids of the processes that are at work."""
        return [] if self._team is None else self._team.process_ids

    def cancel(self) -> None:
        """End the rebuild behind the pages that are being folded; from any thread."""
        self._cancelled.set()

    def run(self) -> RebuildReport:
        """Fold until the log's end is reached; returns early if cancelled.

        An event at which the fold fails stops its bucket and is reported; the others go on. Warns
        FoldChanged if other code has begun the version: what that made stays as it is. Raises
        RebuildInterrupted if all worker processes died, VersionDropped if somebody drops the
        version meanwhile, and what the ledger raises.
        """
        self._views.prepare([self._table, ROW_SNAPSHOTS])
        changed = self._was_begun_by_other_code()
        meter = _Meter(sum(self._positions()), self._on_progress)
        failures: dict[int, ProjectionFailed] = {}
        built = False
        with self._folding() as fold:
            for _ in range(PASSES_MAX):
                heads = self._ledger.backend.positions()
                left = [head - at for head, at in zip(heads, self._positions(), strict=True)]
                # The longest first, so that no worker is left alone with it in the end.
                buckets = sorted(range(len(heads)), key=left.__getitem__, reverse=True)
                jobs = [(b, heads[b]) for b in buckets if left[b] > 0 and b not in failures]
                meter.begin(sum(heads))
                for failure in fold(jobs, lambda events: self._goes_on(meter, events)):
                    failures[failure.bucket] = failure
                if self._cancelled.is_set():
                    break
                if all(left[bucket] <= LEFT_EVENTS for bucket, _ in jobs):
                    built = not failures
                    break
        if built:
            self._views.mark_built(self._table.identity)
        return RebuildReport(
            projection=self._projection.name,
            version=self._projection.version,
            built=built,
            cancelled=self._cancelled.is_set(),
            changed=changed,
            events=meter.folded,
            seconds=meter.seconds,
            failures=tuple(failures[bucket] for bucket in sorted(failures)),
        )

    def _goes_on(self, meter: _Meter, events: int) -> bool:
        meter.count(events)
        return not self._cancelled.is_set()

    def _was_begun_by_other_code(self) -> bool:
        """Say so if it was; but where nothing is folded yet, this code begins it."""
        standing = self._standing()
        if not made_by(standing.fold_digest).differs(self._table.made_by):
            return False
        if not any(standing.positions):
            self._views.accept(self._table)
            return False
        # It is not begun anew: when a fold that failed at an event was mended, all that comes before
        # need not be folded again, and nobody else can tell the one from the other.
        name, version = self._table.identity
        warnings.warn(
            f"Other code has begun version {version} of projection {name}: rows made before are as"
            " that left them. Drop the version and rebuild all of it; or accept() it, if this code"
            " would make the same rows of those events.",
            FoldChanged,
            stacklevel=3,
        )
        return True

    def _positions(self) -> Sequence[int]:
        return self._standing().positions

    def _standing(self) -> Standing:
        for standing in self._views.standings([self._projection.name]):
            if standing.version == self._projection.version:
                return standing
        raise VersionDropped(*self._table.identity)

    @contextmanager
    def _folding(self) -> Iterator[Fold]:
        if not self._processes or self._open_ledger is None:
            yield self._fold_here
            return
        share = self._events_per_second and self._events_per_second / self._processes
        task = Task(self._open_ledger, self._ledger.ledger_id, self._projection, share)
        with started(task, self._processes) as team:
            self._team = team
            try:
                yield team.fold
            finally:
                self._team = None

    def _fold_here(self, jobs: Sequence[Job], report: Report) -> Iterator[ProjectionFailed]:
        def pause(wait_s: float) -> None:
            self._cancelled.wait(wait_s)

        worker = Worker(self._ledger, self._projection, self._events_per_second, pause)
        for bucket, head in jobs:
            failure = worker.fold(bucket, head, report)
            if failure is not None:
                yield failure
            if self._cancelled.is_set():
                return


class _Meter:
    """Counts what is folded, and how fast."""

    def __init__(self, events: int, on_progress: OnProgress | None) -> None:
        self.folded = 0
        self._before = events
        self._total = events
        self._on_progress = on_progress
        self._started_s = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._started_s

    def begin(self, total: int) -> None:
        """Take note of where the log ends now."""
        self._total = total
        self._tell()

    def count(self, events: int) -> None:
        """Count a page."""
        if events:
            self.folded += events
            self._tell()

    def _tell(self) -> None:
        if self._on_progress is None:
            return
        rate = self.folded / max(self.seconds, 1e-9)
        events = self._before + self.folded
        # Readers of a process that knows this version alone may fold, too.
        left = max(0, self._total - events)
        self._on_progress(
            RebuildProgress(
                events=min(events, self._total),
                events_total=self._total,
                events_per_second=rate,
                left_s=left / rate if rate else None,
            )
        )
