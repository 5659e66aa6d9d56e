"""A projector that runs: it brings views to the log's head as the log grows, until it is stopped.

Any number of daemons may run beside each other and beside readers; whoever is faster wins, and
the others go on from there. One that is killed leaves nothing half done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ledger import Ledger, LedgerClosed, RetryableError
from ledger.pauses import Pauses
from ledger.plans import run

from ..backends import open_views
from ..errors import ProjectionFailed
from ..readers.arguments import checked_projections, instance, no_view, several, text
from ..readers.reading import Reader
from .announcing import Announcer
from .projection import Projection
from .projector import BATCH_EVENTS_MAX
from .tables import Identity

#: One wait's length. It bounds how long `stop` goes unnoticed, and how long a commit that woke
#: nobody does.
WAIT_S = 0.5
_PAUSE_FIRST_S = 0.05
_PAUSE_LONGEST_S = 2.0

OnFailure = Callable[[ProjectionFailed], None]
OnRetry = Callable[[RetryableError], None]


class Daemon:
    """Folds the log into views, all of them or those in `names`; built-in ones if none are given.

    A fold that fails is handed to `on_failure` once, and then left alone until somebody else
    brought its bucket past that event; everything else goes on. So it does without a version that
    is dropped; VersionDropped is raised once there is none left. A server that cannot be reached is
    tried again; `on_retry` is told why. Without these two, `watch` tells the logger "projections".
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        projections: Sequence[Projection] | None = None,
        names: Sequence[str] | None = None,
        batch_events_max: int = BATCH_EVENTS_MAX,
        on_failure: OnFailure | None = None,
        on_retry: OnRetry | None = None,
    ) -> None:
        instance(ledger, "ledger", Ledger)
        known = {one.name for one in checked_projections(projections)}
        for name in () if names is None else several(names, "names", "projections"):
            if text(name, "names") not in known:
                raise no_view("names", name, known)
        self._log = ledger.backend
        self._reader = Reader(
            ledger.backend,
            open_views(ledger.backend),
            ledger.door,
            ledger.upcasts,
            projections,
            batch_events_max,
        )
        self._names = names
        self._announcer = Announcer[ProjectionFailed](on_failure, on_retry)
        self._stopped = threading.Event()
        #: By table and bucket, the position at which it stands right before an event that fails.
        self._stuck: dict[tuple[Identity, int], int] = {}

    def stop(self) -> None:
        """End the work behind the page that is being folded; from any thread or signal handler."""
        self._stopped.set()

    def watch(self) -> None:
        """Fold until `stop`; ends within half a second of it, or of the page that is folded."""
        pauses = Pauses(_PAUSE_FIRST_S, _PAUSE_LONGEST_S)
        while not self._stopped.is_set():
            try:
                token = self._log.token(None)
                for failure in self.advance():
                    self._announcer.unheard(failure)
                self._announcer.reached()
                self._log.wait(None, token, WAIT_S)
                pauses.reset()
            except LedgerClosed:
                if not self._stopped.is_set():
                    raise
            except RetryableError as error:
                self._announcer.out(error)
                self._stopped.wait(pauses.next_s())

    def advance(self) -> list[ProjectionFailed]:
        """Fold up to where the log ends now; return what stopped on the way, the new ones."""
        failures = []
        run(self._reader.prepare())
        projector = self._reader.projector
        for failure in run(projector.advance(self._names, self._stuck, self._goes_on)):
            place = (failure.projection, failure.version), failure.bucket
            self._stuck[place] = failure.position - 1
            failures.append(failure)
            self._announcer.failed(failure)
        return failures

    def _goes_on(self, events: int) -> bool:
        return not self._stopped.is_set()
