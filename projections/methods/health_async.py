"""How the views stand, and waiting for them: methods of AsyncViews."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from inspect import isawaitable
from typing import TYPE_CHECKING

from ledger import InvalidArgument
from ledger.plans import arun

from ..engine.health import LAG_SECONDS_MAX, Status
from ..engine.stops import Skip
from ..engine.waiting import Answer, AsyncAsk, Given, Places, T, noting
from ..readers.arguments import reader
from ..readers.consistency import Consistency, strong

if TYPE_CHECKING:
    from ..views_async import AsyncViews


async def status(
    self: AsyncViews,
    *,
    lag_seconds_max: float | None = LAG_SECONDS_MAX,
    now: datetime | None = None,
) -> Status:
    """Return how all stored views stand against the log's head, folding nothing.

    Unhealthy are views that stopped at an event, and active ones and consumers of sessions that
    leave an event lying for longer than `lag_seconds_max`; None leaves lag to whoever reads. Where
    readers alone bring views up to date, a lag says no more than that nobody read. Ages are counted
    by the store's clock, or to `now`.
    """
    return await arun(self._reader.health.status(lag_seconds_max, now))


async def skip(
    self: AsyncViews,
    projection: str,
    *,
    bucket: int,
    position: int,
    reason: str,
    by: str,
    version: int | None = None,
) -> Skip:
    """Leave out the event at which a version, by default the active one, stands stopped.

    It is recorded for good, and all who fold this version leave the event out, also when it is
    made anew. Tries the event first: refused, and nothing recorded, if it can be folded by now or
    the version stands elsewhere. What deletes a session can always be folded.
    """
    return await arun(self._reader.skips.skip(projection, version, bucket, position, reason, by))


async def positions(self: AsyncViews, projection: str) -> tuple[int, ...]:
    """Return how far the version that readers read has come, per bucket, folding nothing."""
    return await arun(self._reader.waiting.positions(projection))


async def wait_for(
    self: AsyncViews,
    position: Places,
    timeout: float = 5.0,  # noqa: ASYNC109 - the same name as in the sync twin; it bounds a poll
    *,
    projections: Sequence[str] | None = None,
    consistency: Consistency = "strong",
) -> None:
    """Wait until views, all or some, reflect what was appended: events, answers or positions.

    A position is (bucket, position). Waits until the log has it and brings the views there; with
    `consistency="eventual"` waits until others have brought them there. Raises ViewsBehind after
    `timeout` seconds, and ProjectionFailed if a view cannot come there.
    """
    await arun(
        self._reader.waiting.wait_for(
            position, projections, timeout, asyncio.sleep, fold=strong(consistency)
        )
    )


async def answer(
    self: AsyncViews, ask: AsyncAsk[Given, T], *args: Given.args, **kwargs: Given.kwargs
) -> Answer[T]:
    """Call a reader of these views, and return its answer with the positions that it reflects.

    As in `answer(views.messages, "ses_1", limit=3)`. What is asked with `as_of` says itself which
    moment it reflects.
    """
    reader(ask)
    with noting() as found:
        answering = ask(*args, **kwargs)
        if not isawaitable(answering):
            raise InvalidArgument("ask", "expected a reader of these views, which is awaited")
        value = await answering
    return Answer(value, found)
