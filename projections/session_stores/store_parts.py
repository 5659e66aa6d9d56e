"""What a store is made with: views of its own ledger, and a clock. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ledger import AsyncLedger, InvalidArgument, Ledger
from ledger.refusals import shown

from ..readers.arguments import instance, moment
from ..views import Views
from ..views_async import AsyncViews


def views_for(ledger: Ledger, views: Views | None) -> Views:
    """Return the views of a ledger, made if none are given; refuse those of another one."""
    instance(ledger, "ledger", Ledger)
    if views is None:
        return Views(ledger)
    _check_same(ledger, instance(views, "views", Views))
    return views


def async_views_for(ledger: AsyncLedger, views: AsyncViews | None) -> AsyncViews:
    """Return the views of a ledger, made if none are given; refuse those of another one."""
    instance(ledger, "ledger", AsyncLedger)
    if views is None:
        return AsyncViews(ledger)
    _check_same(ledger, instance(views, "views", AsyncViews))
    return views


def _check_same(ledger: Ledger | AsyncLedger, views: Views | AsyncViews) -> None:
    # What the store writes would never be in what it reads.
    if views._reader.ledger_id != ledger.ledger_id:
        raise InvalidArgument("views", "expected those of the same ledger, got another one's")


def checked_clock(clock: object) -> Callable[[], datetime]:
    """Return a clock that refuses, when it is asked, to tell what is no time with a zone."""
    if not callable(clock):
        reason = f"expected a function that returns the time, got {shown(clock)}"
        raise InvalidArgument("clock", reason)

    def now() -> datetime:
        told = moment(clock(), "clock")
        if told is None:
            raise InvalidArgument("clock", "expected a time with a time zone, got None")
        return told

    return now
