"""Positions: which ones an answer reflects, and waiting until the views reflect some."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, ParamSpec, TypeVar

import msgspec

from ledger import Appended, Event, InvalidArgument
from ledger.arguments import natural
from ledger.backends.base import AsyncBackend, Backend
from ledger.pauses import Pauses
from ledger.plans import Plan
from ledger.refusals import shown

from ..backends.base import AsyncViewBackend, Overview, ViewBackend
from ..errors import ProjectionFailed, VersionDropped, ViewsBehind
from ..readers.arguments import no_view, several, text
from .dropping import outlives_drops
from .projector import Projector
from .tables import Table

T = TypeVar("T")
Given = ParamSpec("Given")
#: A reader of views, called with what it is given.
Ask = Callable[Given, T]
AsyncAsk = Callable[Given, Awaitable[T]]

#: What has a place in the log: an event, what `append` answered, (bucket, position), or several.
Place = Appended | Event | tuple[int, int]
Places = Place | Sequence[Place]

WAIT_MAX_S = 3_600.0
#: One wait's length: what is appended through a caller's own connection wakes nobody.
_LOG_WAIT_S = 1.0
_PAUSE_FIRST_S = 0.002
_PAUSE_LONGEST_S = 0.05


class Answer(msgspec.Struct, Generic[T], frozen=True):
    """What a reader answered, and how far the views that it read had come in every bucket.

    `positions` are by projection. Everything up to them is in the answer; later events may be, too.
    """

    value: T
    positions: dict[str, tuple[int, ...]]

    def reflects(self, places: Places) -> bool:
        """Whether all that was read had come as far as some events."""
        wanted = furthest(places)
        return all(
            stands[bucket] >= position
            for stands in self.positions.values()
            for bucket, position in wanted.items()
        )


def furthest(places: Places) -> dict[int, int]:
    """Return, by bucket, the last of some positions."""
    found: dict[int, int] = {}
    for bucket, position in _pairs(places):
        natural(bucket, "position")
        found[bucket] = max(found.get(bucket, 0), natural(position, "position"))
    return found


def _pairs(places: Any) -> Iterator[tuple[int, int]]:
    pair = _pair(places)
    if pair is not None:
        yield pair
        return
    for place in several(places, "position", "events, answers or (bucket, position)"):
        pair = _pair(place)
        if pair is None:
            raise InvalidArgument("position", f"{shown(place)} has no place in the log")
        yield pair


def _pair(place: Any) -> tuple[int, int] | None:
    if isinstance(place, Appended):
        place = place.event
    if isinstance(place, Event):
        return place.bucket, place.position
    if isinstance(place, tuple) and len(place) == 2 and type(place[0]) is int:
        return place[0], place[1]
    return None


_noted: ContextVar[dict[str, tuple[int, ...]] | None] = ContextVar("noted", default=None)


@contextmanager
def noting() -> Iterator[dict[str, tuple[int, ...]]]:
    """Collect the positions that the reads of this thread or task reflect."""
    found: dict[str, tuple[int, ...]] = {}
    token = _noted.set(found)
    try:
        yield found
    finally:
        _noted.reset(token)


class Waiting:
    """The operations on positions, as plans, for both faces of the views."""

    def __init__(
        self,
        log: Backend | AsyncBackend,
        views: ViewBackend | AsyncViewBackend,
        names: Sequence[str],
        projector: Projector,
        prepare: Callable[[], Plan[None]],
    ) -> None:
        self._log = log
        self._views = views
        self._names = names
        self._projector = projector
        self._prepare = prepare

    @property
    def is_noting(self) -> bool:
        """Whether somebody wants to know how far the tables have come that are read."""
        return _noted.get() is not None

    def note(self, tables: Sequence[Table]) -> Plan[None]:
        """Note how far tables have come that are read next, if somebody wants to know."""
        noted = _noted.get()
        if noted is None:
            return
        standings = yield from self._projector.standings([t.projection.name for t in tables])
        for table in tables:
            name = table.projection.name
            if table.identity not in standings:
                raise VersionDropped(*table.identity)
            stands = tuple(standings[table.identity].positions)
            if name in noted:
                # Read twice, as pages are: what holds for both is the earlier one.
                stands = tuple(map(min, stands, noted[name]))
            noted[name] = stands

    def positions(self, name: str) -> Plan[tuple[int, ...]]:
        """Return how far the version that readers read has come."""
        if type(name) is not str or name not in self._names:
            raise no_view("projection", name, self._names)
        yield from self._prepare()
        [stands] = (yield from self._projector.places([name])).values()
        return tuple(stands)

    def wait_for(
        self,
        places: Places,
        names: Sequence[str] | None,
        timeout_s: float,
        sleep: Callable[[float], Any],
        *,
        fold: bool,
    ) -> Plan[None]:
        """Return once projections have come as far as some positions."""
        names = self._names if names is None else self._check(names)
        wanted = furthest(places)
        if any(bucket >= self._log.info.buckets for bucket in wanted):
            raise InvalidArgument("position", f"there are {self._log.info.buckets} buckets")
        if type(timeout_s) not in (int, float) or not 0 <= timeout_s <= WAIT_MAX_S:
            raise InvalidArgument(
                "timeout", f"expected 0 to {WAIT_MAX_S:g} s, got {shown(timeout_s)}"
            )
        yield from self._prepare()
        deadline = time.monotonic() + timeout_s
        behind = self._behind_log if fold else self._behind_tables
        pauses = Pauses(_PAUSE_FIRST_S, _PAUSE_LONGEST_S)
        while True:
            token: int = yield self._log.token(None)
            left = yield from behind(wanted, names)
            if not left:
                return
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise ViewsBehind(*left, timeout_s)
            if fold:
                yield self._log.wait(None, token, min(left_s, _LOG_WAIT_S))
            else:
                # Nobody calls when a table has moved.
                yield sleep(min(pauses.next_s(), left_s))

    def _check(self, names: Sequence[str]) -> Sequence[str]:
        for name in several(names, "projections", "projections"):
            if text(name, "projections") not in self._names:
                raise no_view("projections", name, self._names)
        return names

    @outlives_drops
    def _behind_log(
        self, wanted: Mapping[int, int], names: Sequence[str]
    ) -> Plan[tuple[str, int, int] | None]:
        """Fold up to the positions; return what the log itself does not have yet."""
        heads: list[int] = yield self._log.positions()
        for bucket, position in wanted.items():
            if heads[bucket] < position:
                return "The log", bucket, position
        places = yield from self._projector.places(names)
        failures: list[ProjectionFailed] = []
        for bucket, position in wanted.items():
            tables = [table for table, stands in places.items() if stands[bucket] < position]
            if tables:
                failures += yield from self._projector.reach(bucket, position, tables)
        if failures:
            raise failures[0]
        return None

    def _behind_tables(
        self, wanted: Mapping[int, int], names: Sequence[str]
    ) -> Plan[tuple[str, int, int] | None]:
        """Return what the tables do not reflect yet; raise if a failure keeps them from it."""
        tables = yield from self._projector.chosen(names)
        overview: Overview = yield self._views.overview()
        identities = {table.identity for table in tables.values()}
        for failure in overview.failures:
            if failure.identity in identities and failure.position <= wanted.get(failure.bucket, 0):
                raise ProjectionFailed(
                    failure.projection,
                    failure.version,
                    failure.bucket,
                    failure.position,
                    failure.event_id,
                    failure.error,
                )
        for standing in overview.standings:
            if (standing.projection, standing.version) in identities:
                for bucket, position in wanted.items():
                    if standing.positions[bucket] < position:
                        return f"Projection {standing.projection}", bucket, position
        return None
