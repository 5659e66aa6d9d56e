"""How far the views are behind the log, what stopped them, and whether that is well."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from ledger import IntegrityError
from ledger.backends.base import AsyncBackend, Backend, FeedQuery
from ledger.plans import Plan
from ledger.reading import bucket_heads
from ledger.records import Record

from ..backends.base import AsyncViewBackend, Overview, Standing, ViewBackend
from ..readers.arguments import moment, seconds
from .consumer_lags import ConsumerLag, ConsumerLags, ConsumersBehind, ages
from .handling.places import follows_nothing, is_superseded
from .made_by import made_by
from .row_snapshots import ROW_SNAPSHOTS
from .stops import Failure, Skip
from .tables import Identity, Table

#: A view that leaves an event lying for longer is unhealthy: who asks every second knows of a view
#: that stands still before five are over.
LAG_SECONDS_MAX = 4.0
#: Events that are read at once to see how old they are; each may be as large as an event may be.
_OLDEST_AT_ONCE = 16


class BucketLag(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket in which a version is behind: by how many events, and since how many seconds.

    The seconds are the age of the oldest event that is not folded. Recorded times never go back: of
    one that was recorded while the store's clock was ahead, nobody can tell the age, and
    `ahead_seconds` is how far its time lies ahead.
    """

    bucket: int
    position: int
    head: int
    events: int
    seconds: float
    ahead_seconds: float = 0.0


class ViewStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a projection as it is stored.

    `known` says whether the code that asks knows it, `changed` whether its fold, or an
    upcaster of what it folds, is another than when the table was made. `positions` say per bucket
    how far it has come. Lag is over all buckets in events, the most of any bucket, and the longest
    in seconds; `behind` are the buckets that have any. Only an `active` version is expected to
    keep up.
    """

    projection: str
    version: int
    active: bool
    built: bool
    known: bool
    changed: bool
    positions: tuple[int, ...]
    lag_events: int = 0
    lag_events_max: int = 0
    lag_seconds: float = 0.0
    behind: tuple[BucketLag, ...] = ()
    failures: tuple[Failure, ...] = ()
    skips: tuple[Skip, ...] = ()


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How all stored views stand against the log, and in `reasons` what is not well.

    `at` is the moment that ages are counted to. `consumers` are those of sessions that say how far
    they have come and are behind; the furthest behind in time first, at most CONSUMERS_MAX. Of one
    that left so many marks of others lying that nobody knows, `reasons` say so, if lag counts.
    """

    at: datetime
    healthy: bool
    reasons: tuple[str, ...]
    views: tuple[ViewStatus, ...]
    consumers: tuple[ConsumerLag, ...] = ()


class Health:
    """The status of all views, as a plan, for both faces of the views."""

    def __init__(
        self,
        log: Backend | AsyncBackend,
        views: ViewBackend | AsyncViewBackend,
        tables: Sequence[Table],
        prepare: Callable[[], Plan[None]],
        consumers: ConsumerLags,
    ) -> None:
        self._log = log
        self._views = views
        self._tables = {table.identity: table for table in tables}
        self._prepare = prepare
        self._consumers = consumers

    def status(self, lag_seconds_max: float | None, now: datetime | None) -> Plan[Status]:
        """Return all stored versions and the consumers that are behind, with a verdict."""
        moment(now, "now")
        check_bound(lag_seconds_max)
        yield from self._prepare()
        heads = yield from bucket_heads(self._log)
        overview: Overview = yield self._views.overview()
        # A cache follows no log, nor do the claims of handlers.
        standings = [
            one
            for one in overview.standings
            if one.projection != ROW_SNAPSHOTS.projection.name and not follows_nothing(one)
        ]
        at = (overview.now if now is None else now).astimezone(UTC)
        oldest = yield from self._recorded(_firsts(standings, heads))
        views = tuple(self._status(standing, heads, oldest, at, overview) for standing in standings)
        return judged(at, views, (yield from self._consumers.lags(at)), lag_seconds_max)

    def _status(
        self,
        standing: Standing,
        heads: Sequence[int],
        oldest: dict[tuple[int, int], int],
        at: datetime,
        overview: Overview,
    ) -> ViewStatus:
        identity: Identity = (standing.projection, standing.version)
        table = self._tables.get(identity)
        behind = tuple(
            _bucket_lag(bucket, position, heads[bucket], ages(at, oldest[bucket, position]))
            for bucket, position in enumerate(standing.positions)
            if position < heads[bucket]
        )
        return ViewStatus(
            projection=standing.projection,
            version=standing.version,
            active=standing.active,
            built=standing.built,
            known=table is not None,
            changed=_changed(standing, table),
            positions=tuple(standing.positions),
            lag_events=sum(lag.events for lag in behind),
            lag_events_max=max((lag.events for lag in behind), default=0),
            lag_seconds=max((lag.seconds for lag in behind), default=0.0),
            behind=behind,
            failures=tuple(
                one
                for one in overview.failures
                if one.identity == identity and not is_superseded(standing)
            ),
            skips=tuple(one for one in overview.skips if one.identity == identity),
        )

    def _recorded(self, places: Sequence[tuple[int, int]]) -> Plan[dict[tuple[int, int], int]]:
        """Return when the events right behind some places were recorded, in microseconds."""
        found: dict[tuple[int, int], int] = {}
        for start in range(0, len(places), _OLDEST_AT_ONCE):
            some = places[start : start + _OLDEST_AT_ONCE]
            ranges = tuple((bucket, at, at + 1) for bucket, at in some)
            records: list[Record] = yield self._log.feed(
                FeedQuery(ranges=ranges, limit=len(ranges))
            )
            found |= {(one.bucket, one.position - 1): one.recorded_us for one in records}
        for bucket, at in places:
            if (bucket, at) not in found:
                raise IntegrityError(f"Position {at + 1} of bucket {bucket} is missing.")
        return found


def _bucket_lag(bucket: int, position: int, head: int, aged: tuple[float, float]) -> BucketLag:
    seconds, ahead_seconds = aged
    return BucketLag(
        bucket=bucket,
        position=position,
        head=head,
        events=head - position,
        seconds=seconds,
        ahead_seconds=ahead_seconds,
    )


def judged(
    at: datetime,
    views: tuple[ViewStatus, ...],
    consumers: ConsumersBehind,
    lag_seconds_max: float | None,
) -> Status:
    """Return the status with its verdict; without a bound only failures are unhealthy."""
    late = () if lag_seconds_max is None else _late(views, consumers, lag_seconds_max)
    reasons = (*_failed(views), *late)
    return Status(
        at=at, healthy=not reasons, reasons=reasons, views=views, consumers=consumers.lags
    )


def check_bound(lag_seconds_max: object) -> None:
    """Refuse a bound that is none."""
    if lag_seconds_max is not None:
        seconds(lag_seconds_max, "lag_seconds_max")


def _failed(views: Iterable[ViewStatus]) -> Iterator[str]:
    for view in views:
        for one in view.failures:
            yield (
                f"{one.projection} version {one.version} stopped in bucket {one.bucket}"
                f" at position {one.position}, event {one.event_id!r}: {one.error}"
            )


def _late(
    views: Iterable[ViewStatus], consumers: ConsumersBehind, lag_seconds_max: float
) -> Iterator[str]:
    for view in views:
        if view.active:
            who = f"{view.projection} version {view.version}"
            ahead = max((lag.ahead_seconds for lag in view.behind), default=0.0)
            yield from _behind(who, view.lag_events, view.lag_seconds, ahead, lag_seconds_max)
    for one in consumers.lags:
        who = f"consumer {one.consumer!r} of session {one.session_id!r} of tenant {one.tenant!r}"
        yield from _behind(who, one.lag_events, one.lag_seconds, one.ahead_seconds, lag_seconds_max)
    yield from consumers.unknown


def _behind(
    who: str, events: int, seconds: float, ahead_seconds: float, lag_seconds_max: float
) -> Iterator[str]:
    if seconds > lag_seconds_max:
        yield f"{who} is {events} events and {seconds:.1f} s behind"
    if ahead_seconds > lag_seconds_max:
        yield (
            f"{who} is {events} events behind, and since when cannot be told: the oldest was"
            f" recorded by a clock that was {ahead_seconds:.1f} s ahead of this one"
        )


def _firsts(standings: Iterable[Standing], heads: Sequence[int]) -> list[tuple[int, int]]:
    """Return the places right before the oldest events that are not folded, each once."""
    places = {
        (bucket, position)
        for standing in standings
        for bucket, position in enumerate(standing.positions)
        if position < heads[bucket]
    }
    return sorted(places)


def _changed(standing: Standing, table: Table | None) -> bool:
    return table is not None and made_by(standing.fold_digest).differs(table.made_by)
