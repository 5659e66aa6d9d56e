"""What child processes do that fold views; see workers."""

import asyncio
from contextlib import suppress
from multiprocessing.connection import Connection

from ledger import AsyncLedger, Ledger, RetryableError
from projections import SESSIONS, AsyncViews, Daemon
from tests.support.views import TALLY

#: Two that want every event and some of them; the tally notices what is folded twice or not at all.
FOLDED = (SESSIONS, TALLY)
_TASKS = 2
_REST_S = 0.005


def fold(url: str, batch_events_max: int, pipe: Connection) -> None:
    """Fold until killed; says when the ledger is open."""
    with Ledger.open(url) as opened:
        daemon = Daemon(opened, projections=FOLDED, batch_events_max=batch_events_max)
        pipe.send("open")
        daemon.watch()


def fold_in_tasks(url: str, batch_events_max: int, pipe: Connection) -> None:
    """Fold in several tasks until killed; also says each time that the log's end was reached."""

    async def catch_up(views: AsyncViews) -> None:
        while True:
            with suppress(RetryableError):
                await views.catch_up()
                pipe.send("caught up")
            await asyncio.sleep(_REST_S)

    async def work() -> None:
        async with await AsyncLedger.open(url) as opened:
            views = AsyncViews(opened, projections=FOLDED, batch_events_max=batch_events_max)
            pipe.send("open")
            await asyncio.gather(*(catch_up(views) for _ in range(_TASKS)))

    try:
        asyncio.run(work())
    except Exception as error:
        pipe.send(error)  # what ends a projector is told where it is waited for
        raise
