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
from ..backends.row_queries import RowQuery
from ..folds.consumers import CONSUMERS, Consumer
from ..folds.sessions import SESSIONS, Session
from .dropping import outlives_drops
from .projector import Projector
from .tables import Key, Row, Table

#: Consumers that are looked at, those that said something last first.
CONSUMERS_MAX = 1_000
#: Beyond this the events behind a mark are not counted.
EVENTS_MAX = 1_000
_MARK = "consumer.offset_advanced"


class ConsumerLag(msgspec.Struct, frozen=True, kw_only=True):
    """A consumer that is behind its session: by how many events, and since how many seconds.

    Its own marks and those of others do not count. The seconds are the age of the oldest event
    behind its mark, `sequence`; events are counted up to EVENTS_MAX.
    """

    tenant: str
    session_id: str
    consumer: str
    sequence: int
    lag_events: int
    lag_seconds: float


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
    def lags(self, at: datetime) -> Plan[tuple[ConsumerLag, ...]]:
        """Return the consumers that are behind, the longest first."""
        if not self._stored:
            return ()
        tables = yield from self._projector.chosen([CONSUMERS.name, SESSIONS.name])
        marks = yield from self._marks(tables[CONSUMERS.name])
        ends = yield from self._ends(tables[SESSIONS.name], marks)
        found: list[ConsumerLag] = []
        for mark in marks:
            end = ends.get((mark.tenant, mark.session_id), 0)
            # Its own mark comes behind what it is done with.
            if mark.sequence is None or end <= mark.sequence:
                continue
            if end == mark.last_sequence == mark.sequence + 1:
                continue
            found += yield from self._lag(mark, mark.sequence, at)
        return tuple(sorted(found, key=lambda lag: lag.lag_seconds, reverse=True))

    def _marks(self, table: Table) -> Plan[list[Consumer]]:
        query = RowQuery(
            table=table,
            bucket=None,
            equal=(),
            order=("updated_at", *table.key),
            descending=True,
            limit=CONSUMERS_MAX,
        )
        rows: list[Row] = yield self._views.select(query)
        return [table.decode(row) for row in rows]

    def _ends(self, table: Table, marks: list[Consumer]) -> Plan[dict[Key, int]]:
        keys: dict[int, dict[Key, None]] = {}
        for mark in marks:
            bucket = self._bucket(mark)
            keys.setdefault(bucket, {})[mark.tenant, mark.session_id] = None
        ends: dict[Key, int] = {}
        for bucket, wanted in keys.items():
            loaded: list[dict[Key, Row]] = yield self._views.load(bucket, [(table, list(wanted))])
            for key, row in loaded[0].items():
                session: Session = table.decode(row)
                ends[key] = session.last_sequence
        return ends

    def _lag(self, mark: Consumer, sequence: int, at: datetime) -> Plan[list[ConsumerLag]]:
        records: list[Record] = yield self._log.read(
            SessionQuery(
                bucket=self._bucket(mark),
                tenant=mark.tenant,
                session_id=mark.session_id,
                after=sequence,
                limit=EVENTS_MAX,
            )
        )
        left = [record for record in records if record.type != _MARK]
        if not left:
            return []
        return [
            ConsumerLag(
                tenant=mark.tenant,
                session_id=mark.session_id,
                consumer=mark.consumer,
                sequence=sequence,
                lag_events=len(left),
                lag_seconds=max(0.0, at.timestamp() - left[0].recorded_us / 1e6),
            )
        ]

    def _bucket(self, mark: Consumer) -> int:
        return bucket_of(mark.tenant, mark.session_id, self._log.info.buckets)
