"""How far the consumers of sessions are behind, by the marks that they leave in the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ledger.backends.base import AsyncBackend, Backend, SessionQuery
from ledger.digests import bucket_of
from ledger.plans import Plan
from ledger.records import Record

from ..backends.base import AsyncViewBackend, ViewBackend
from ..backends.marks import UNKNOWN_US, Mark, MarksQuery
from ..folds.consumers import CONSUMERS
from ..folds.sessions import SESSIONS
from .dropping import outlives_drops
from .projector import Projector

#: Consumers that are told of, those that are behind for the longest. They are found by the database,
#: among all there are: of a million it takes 1 s, and 2 to 5 s if each session has several.
CONSUMERS_MAX = 1_000
#: Beyond this the events behind a mark are not counted, nor are marks passed over.
EVENTS_MAX = 1_000
_MARK = "consumer.offset_advanced"


class ConsumerLag(msgspec.Struct, frozen=True, kw_only=True):
    """A consumer that is behind its session: by how many events, and since how many seconds.

    Its own marks and those of others do not count. The seconds are the age of the oldest event
    behind its mark, `sequence`, or 0 where that was recorded while the store's clock was ahead, by
    `ahead_seconds`; events are counted up to EVENTS_MAX.
    """

    tenant: str
    session_id: str
    consumer: str
    sequence: int
    lag_events: int
    lag_seconds: float
    ahead_seconds: float = 0.0


class ConsumersBehind(msgspec.Struct, frozen=True):
    """Who is behind, the longest first, and reasons for which it is not known of others."""

    lags: tuple[ConsumerLag, ...] = ()
    unknown: tuple[str, ...] = ()


class ConsumerLags:
    """The lags of consumers, as a plan, from the views as they are."""

    def __init__(
        self,
        log: Backend | AsyncBackend,
        views: ViewBackend | AsyncViewBackend,
        names: Sequence[str],
        projector: Projector,
    ) -> None:
        self._log = log
        self._views = views
        self._stored = {CONSUMERS.name, SESSIONS.name} <= {*names}
        self._projector = projector

    @outlives_drops
    def lags(self, at: datetime) -> Plan[ConsumersBehind]:
        """Return the consumers that are behind, the longest first."""
        if not self._stored:
            return ConsumersBehind()
        tables = yield from self._projector.chosen([CONSUMERS.name, SESSIONS.name])
        marks: list[Mark] = yield self._views.marks(
            MarksQuery(
                marks=tables[CONSUMERS.name],
                sessions=tables[SESSIONS.name],
                mark=_MARK,
                events_max=EVENTS_MAX,
                limit=CONSUMERS_MAX,
            )
        )
        found: list[ConsumerLag] = []
        unknown: list[str] = []
        for mark in marks:
            if mark.oldest_us == UNKNOWN_US:
                unknown.append(_unknown(mark))
            else:
                found += yield from self._lag(mark, at)
        found.sort(key=lambda lag: lag.lag_seconds, reverse=True)
        return ConsumersBehind(tuple(found), tuple(unknown))

    def _lag(self, mark: Mark, at: datetime) -> Plan[list[ConsumerLag]]:
        records: list[Record] = yield self._log.read(
            SessionQuery(
                bucket=bucket_of(mark.tenant, mark.session_id, self._log.info.buckets),
                tenant=mark.tenant,
                session_id=mark.session_id,
                after=max(0, mark.sequence),
                limit=EVENTS_MAX,
            )
        )
        left = [record for record in records if record.type != _MARK]
        if not left:
            return []  # the session was deleted just now
        seconds, ahead_seconds = ages(at, left[0].recorded_us)
        return [
            ConsumerLag(
                tenant=mark.tenant,
                session_id=mark.session_id,
                consumer=mark.consumer,
                sequence=mark.sequence,
                lag_events=len(left),
                lag_seconds=seconds,
                ahead_seconds=ahead_seconds,
            )
        ]


def ages(at: datetime, recorded_us: int) -> tuple[float, float]:
    """Return how many seconds before a moment something was recorded, and how many after it."""
    age = at.timestamp() - recorded_us / 1e6
    return max(0.0, age), max(0.0, -age)


def _unknown(mark: Mark) -> str:
    return (
        f"consumer {mark.consumer!r} of session {mark.session_id!r} of tenant {mark.tenant!r}"
        f" left {EVENTS_MAX} marks lying, and what lies behind them is not known"
    )
