"""What the stores share: views of their own ledger, a clock, and facts of a bounded size. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TypeVar

from ledger import AsyncLedger, InvalidArgument, Ledger
from ledger.refusals import shown

from ..readers.arguments import answered, instance, moment
from ..views import Views
from ..views_async import AsyncViews

L = TypeVar("L", Ledger, AsyncLedger)
V = TypeVar("V", Views, AsyncViews)
R = TypeVar("R")
T = TypeVar("T")

Clock = Callable[[], datetime]


class StorePlans:
    """What the plans of a store are over: the sync or the async faces of ledger and views, a tenant."""

    def __init__(
        self, ledger: Ledger | AsyncLedger, views: Views | AsyncViews, tenant: str
    ) -> None:
        self.ledger = ledger
        self.views = views
        self.tenant = ledger.door.tenant_key(tenant)


def views_for(ledger: Ledger, views: Views | None) -> Views:
    """Return the views of a ledger, made if none are given; refuse those of another one."""
    given = _given(ledger, views, Ledger, Views)
    return Views(ledger) if given is None else given


def async_views_for(ledger: AsyncLedger, views: AsyncViews | None) -> AsyncViews:
    """Do the same for tasks."""
    given = _given(ledger, views, AsyncLedger, AsyncViews)
    return AsyncViews(ledger) if given is None else given


def _given(ledger: L, views: V | None, ledgers: type[L], face: type[V]) -> V | None:
    instance(ledger, "ledger", ledgers)
    if views is None:
        return None
    # What the store writes would never be in what it reads.
    if instance(views, "views", face)._reader.ledger_id != ledger.ledger_id:
        raise InvalidArgument("views", "expected those of the same ledger, got another one's")
    return views


def in_pieces(
    items: Iterable[T], size_of: Callable[[T], int], count_max: int, size_max: int
) -> Iterator[list[T]]:
    """Cut what facts are to name into as much as one of them may have, by number and by size."""
    piece: list[T] = []
    size = 0
    for one in items:
        more = size_of(one)
        if piece and (len(piece) == count_max or size + more > size_max):
            yield piece
            piece, size = [], 0
        piece.append(one)
        size += more
    if piece:
        yield piece


def check_change(change: object) -> None:
    """Refuse what cannot be called to change what is stored."""
    if not callable(change):
        raise InvalidArgument("change", f"expected a function, got {shown(change)}")


def changed_by(change: Callable[[R], T], stored: R) -> T:
    """Return what `change` makes of what is stored; refuse an async one."""
    return answered(change(stored), "change")


def checked_clock(clock: object) -> Clock:
    """Return a clock that refuses, when it is asked, to tell what is no time with a zone."""
    if not callable(clock):
        reason = f"expected a function that returns the time, got {shown(clock)}"
        raise InvalidArgument("clock", reason)

    def now() -> datetime:
        told = moment(answered(clock(), "clock"), "clock")
        if told is None:
            raise InvalidArgument("clock", "expected a time with a time zone, got None")
        return told

    return now
