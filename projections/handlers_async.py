"""The handlers of a ledger: what is to happen outside when something was appended, for tasks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from ledger import AsyncLedger, LedgerClosed, RetryableError
from ledger.pauses import Pauses
from ledger.plans import arun

from .backends import open_views_async
from .engine.announcing import Announcer
from .engine.handling.handlers import Handler, checked
from .engine.handling.pace import CHECKPOINT_S, CLAIM_S, REPEATS_MAX, Pace
from .engine.handling.reports import HandlingReport
from .engine.handling.running import Handling
from .engine.handling.skips import HandlerSkips
from .engine.handling.watching import PAUSE_FIRST_S, WAIT_S, check_some_left, tell
from .engine.stops import Skip
from .errors import HandlerFailed
from .readers.arguments import instance


class AsyncHandlers:
    """Calls functions for the events of a log, each at least once, in order within a session.

    Any number of runners, here and in other processes, may run the same handlers; a bucket of a
    handler is claimed by one at a time. Behind every `repeats_max` calls, and `checkpoint_s`
    seconds, the checkpoint is moved. What was called since then is called again, with the same
    keys, if the process dies, if the database cannot be reached, or if a call or a pause of the
    process lasts for longer than `claim_s` and another runner takes the bucket, which it does from
    a runner that is dead, too. Nothing else is called twice.

    A handler that raises stops in that bucket, as a view does whose fold fails: `views.status()`
    names the event, and everything else goes on. A handler is shown there under its name, and its
    lag as that of a view, until it is retired. `on_failure` is told of it; without, and without
    `on_retry`, `watch` tells the logger "projections". `clock` counts seconds for all of this.
    """

    def __init__(
        self,
        ledger: AsyncLedger,
        handlers: Sequence[Handler],
        *,
        repeats_max: int = REPEATS_MAX,
        checkpoint_s: float = CHECKPOINT_S,
        claim_s: float = CLAIM_S,
        on_failure: Callable[[HandlerFailed], None] | None = None,
        on_retry: Callable[[RetryableError], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        instance(ledger, "ledger", AsyncLedger)
        self._log = ledger.backend
        views = open_views_async(ledger.backend)
        self._handling = Handling(
            ledger.backend,
            views,
            ledger.upcasts,
            checked(handlers, tasks=True),
            Pace(repeats_max=repeats_max, checkpoint_s=checkpoint_s, claim_s=claim_s),
            clock,
            lambda: not self._stopped,
        )
        self._skips = HandlerSkips(
            ledger.backend, views, self._handling.places, self._handling.prepare
        )
        self._announcer = Announcer[HandlerFailed](on_failure, on_retry)
        self._stopped = False
        # One claim is not for two tasks.
        self._running = asyncio.Lock()

    async def run(self, *, wait_s: float | None = None) -> HandlingReport:
        """Call the handlers up to where the log ends now; events that failed before are tried.

        A bucket that another runner has claimed is left to it, once that is seen to live. If it
        does not within `wait_s`, by default `claim_s`, it is taken from it; 0 waits for nobody.
        """
        async with self._running:
            report = await arun(self._handling.run(wait_s, asyncio.sleep))
        return tell(report, self._announcer)

    async def watch(self) -> None:
        """Call the handlers as the log grows, until `stop`; ends behind the call under way.

        An event that failed is left alone until somebody skipped it, or this is run again, or, if
        the handler is to retry it, for a while that doubles up to a minute. A server that cannot be
        reached is tried again; `on_retry` is told why. Raises HandlerSuperseded if there are
        higher versions of all handlers.
        """
        pauses = Pauses(PAUSE_FIRST_S, WAIT_S)
        async with self._running:
            while not self._stopped:
                try:
                    token = await self._log.token(None)
                    report = tell(await arun(self._handling.advance()), self._announcer)
                    for failure in report.failures:
                        self._announcer.unheard(failure)
                    self._announcer.reached()
                    check_some_left(report, self._handling.places)
                    await self._log.wait(None, token, WAIT_S)
                    pauses.reset()
                except LedgerClosed:
                    if not self._stopped:
                        raise
                except RetryableError as error:
                    self._announcer.out(error)
                    await asyncio.sleep(pauses.next_s())

    def stop(self) -> None:
        """End `run` and `watch` for good, behind the call under way; also from a signal handler."""
        self._stopped = True

    async def skip(self, handler: str, *, bucket: int, position: int, reason: str, by: str) -> Skip:
        """Leave out the event at which a handler, in this version, stands stopped.

        It is recorded for good, with who decided it and why. The handler is not tried first:
        refused, and nothing recorded, is what it was not seen to fail at. Raises HandlerSuperseded if
        a higher version is in effect.
        """
        return await arun(self._skips.skip(handler, bucket, position, reason, by))

    async def retire(self, handler: str) -> None:
        """Leave a handler, in this version, out of the status: nobody is to run it any more.

        It keeps its place: if it is run again all the same, it goes on there and is shown again.
        """
        await arun(self._handling.retire(handler))
