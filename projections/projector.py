"""The engine, as plans: brings the rows of a bucket to a position of the log, exactly once.

No leader and no lock: any number of threads and processes may do this at once. Whoever moves the
checkpoint first wins; the others find it moved, drop their work and go on from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ledger import IntegrityError
from ledger.backends.base import AsyncBackend, Backend, FeedQuery
from ledger.plans import Plan
from ledger.records import Record
from ledger.upcasts import Upcasts

from .backends.base import AsyncViewBackend, ViewBackend
from .errors import ProjectionFailed
from .folding import Change, decode_page, fold, work_of
from .tables import Key, Row, Table

BATCH_EVENTS_MAX = 500

Folded = tuple[Change, ProjectionFailed | None]


class Projector:
    """Folds one ledger's log into a set of tables."""

    def __init__(
        self,
        log: Backend | AsyncBackend,
        views: ViewBackend | AsyncViewBackend,
        tables: Sequence[Table],
        upcasts: Upcasts,
        batch_events_max: int = BATCH_EVENTS_MAX,
    ) -> None:
        self._log = log
        self._views = views
        self._tables = tables
        self._upcasts = upcasts
        self._batch_events_max = batch_events_max

    def catch_up(self, bucket: int | None, wanted: Sequence[Table] | None = None) -> Plan[None]:
        """Bring tables to where the log ends now, in one bucket or in all.

        A failing fold stops its projection in its bucket; when everything else is done, the first
        such failure is raised. Tables that are not `wanted` go along where they share a page.
        """
        heads: list[int] = yield self._log.positions()
        buckets: Sequence[int] = [] if bucket is None else [bucket]
        if bucket is None:
            buckets = yield from self._lagging(heads, wanted or self._tables)
        failures: list[ProjectionFailed] = []
        for number in buckets:
            failures += yield from self._reach(number, heads[number], wanted or self._tables)
        if failures:
            raise failures[0]

    def _lagging(self, heads: list[int], wanted: Sequence[Table]) -> Plan[list[int]]:
        lagging: set[int] = set()
        for table in wanted:
            positions: list[int] = yield self._views.positions(table)
            lagging.update(
                bucket
                for bucket, (head, position) in enumerate(zip(heads, positions, strict=True))
                if position < head
            )
        return sorted(lagging)

    def _reach(
        self, bucket: int, head: int, wanted: Sequence[Table]
    ) -> Plan[list[ProjectionFailed]]:
        """Bring tables to a position of one bucket and return the failures of those that stopped.

        Tables at the same position share a page. A page ends where the next table stands, so that
        those behind catch up with it and share the rest.
        """
        failures: dict[Table, ProjectionFailed] = {}
        places = yield from self._places(bucket)
        while behind := [t for t in wanted if t not in failures and places[t] < head]:
            start = min(places[table] for table in behind)
            end = min(head, start + self._batch_events_max)
            end = min([end, *(places[table] for table in behind if places[table] > start)])
            group = [t for t in self._tables if t not in failures and places[t] == start]
            folded = yield from self._step(bucket, start, end, group)
            if folded is None:
                places = yield from self._places(bucket)
                continue
            places |= {change.table: change.after for change, _ in folded}
            failures |= {change.table: failure for change, failure in folded if failure}
        return list(failures.values())

    def _step(
        self, bucket: int, start: int, end: int, group: Sequence[Table]
    ) -> Plan[Sequence[Folded] | None]:
        """Fold one page into a group of tables that stand at its start; None if they moved."""
        query = FeedQuery(ranges=((bucket, start, end),), limit=end - start)
        records: list[Record] = yield self._log.feed(query)
        _check_dense(bucket, start, end, records)
        page = decode_page(records, group, self._upcasts)
        works = [work_of(table, page) for table in group]
        asked = [(work.table, work.keys) for work in works if work.keys]
        rows: list[dict[Key, Row]] = (yield self._views.load(bucket, asked)) if asked else []
        loaded = {table: found for (table, _), found in zip(asked, rows, strict=True)}
        folded = [fold(work, start, loaded.get(work.table, {})) for work in works]
        changes = [change for change, _ in folded if change.after > start]
        if changes and not (yield self._views.store(bucket, changes)):
            return None
        # Who failed at the page's first event stored nothing, so nothing was compared: if the
        # checkpoint moved meanwhile, the rows were of a later position and the failure is nobody's.
        stuck = [change.table for change, _ in folded if change.after == start]
        if stuck:
            places = yield from self._places(bucket)
            if any(places[table] != start for table in stuck):
                return None
        return folded

    def _places(self, bucket: int) -> Plan[dict[Table, int]]:
        found: Mapping[tuple[str, int], int] = yield self._views.checkpoints(bucket)
        return {t: found[t.projection.name, t.projection.version] for t in self._tables}


def _check_dense(bucket: int, start: int, end: int, records: Sequence[Record]) -> None:
    expected = range(start + 1, end + 1)
    if [record.position for record in records] != list(expected):
        found = {record.position for record in records}
        missing = next((position for position in expected if position not in found), start + 1)
        raise IntegrityError(f"Position {missing} of bucket {bucket} is missing.")
