"""Time travel, as plans: views as they were, folded from the log alone by the folds of today.

A session shows what its own events say, as everywhere: a fork begins with its first own event. The
answer is what a view would have said then; what was redacted later is still in it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from ledger import AccessDenied, InvalidArgument, StorageFailed
from ledger.backends.base import AsyncBackend, Backend
from ledger.plans import Plan
from ledger.records import Record
from ledger.upcasts import Upcasts

from ..backends.base import AsyncViewBackend, Checkpoint, ViewBackend
from ..engine.folding import Change, fold
from ..engine.row_snapshots import (
    FOLDS_MAX,
    ROW_SNAPSHOTS,
    RowSnapshot,
    boundary,
    boundary_upto,
    kept,
    nothing_yet,
    query,
    query_of_folds,
    removed,
)
from ..engine.tables import Identity, Key, Row, Table
from ..engine.upcast_digest import UpcastDigests
from ..engine.work import Work, decode_page, work_of
from ..errors import ProjectionFailed
from ..folds.anomalies import Anomaly, Marked
from .history_places import Moment, Past, past

#: The first question about a long session also makes the snapshots behind what it asks for.
AHEAD_EVENTS_MAX = 200_000
STORED_SNAPSHOTS_MAX = 50
PAGE_EVENTS = 500
#: So long nothing is folded ahead for snapshots where the last ones could not be stored.
UNSTORABLE_S = 60.0


class History:
    """The past of one ledger's views, for both of its faces."""

    def __init__(
        self,
        log: Backend | AsyncBackend,
        views: ViewBackend | AsyncViewBackend,
        upcasts: Upcasts,
        upcast_digests: UpcastDigests,
    ) -> None:
        self._log = log
        self._views = views
        self._upcasts = upcasts
        self._upcast_digests = upcast_digests
        self._unstorable_until = 0.0

    def row(
        self, table: Table, key: Key, bucket: int, moment: Moment, *, deleted: bool
    ) -> Plan[Any]:
        """Return the view under a key as it was, or None."""
        then = yield from past(self._log, bucket, key, moment, deleted=deleted)
        if then is None:
            return None
        upcasters = self._upcast_digests.of(table.projection.types)
        first = nothing_yet(table, key, then.start, upcasters or "")
        # What is hidden comes into no cache, and without its source a fold cannot be told apart.
        told = bool(table.fold_digest) and upcasters is not None
        storable = time.monotonic() >= self._unstorable_until
        cached = then.current and told and boundary(then.start) <= then.at
        latest = (yield from self._latest(then, first)) if cached else first
        row = yield from self._row_at(table, key, then, latest, keep=cached and storable)
        return None if row is None else _shown(table, row)

    def rows(
        self, table: Table, session: Key, bucket: int, moment: Moment, *, deleted: bool
    ) -> Plan[list[Any]]:
        """Return all views of a session as they were, in the order of their keys; not cached."""
        then = yield from past(self._log, bucket, session, moment, deleted=deleted)
        if then is None:
            return []
        rows: dict[Key, Row] = {}
        for after in range(then.start, then.at, PAGE_EVENTS):
            upto = min(after + PAGE_EVENTS, then.at)
            work = yield from self._work(table, then, after, upto)
            if work is None:
                continue
            change, failure = fold(work, 0, {key: rows[key] for key in work.keys if key in rows})
            if failure is not None:
                raise failure
            for key in change.gone:
                del rows[key]
            rows |= {table.key_of_row(row): row for row in change.rows}
        views = [_shown(table, rows[key]) for key in sorted(rows)]
        return [view for view in views if view is not None]

    def anomalies(self, table: Table, row: Marked, bucket: int, upto: int) -> Plan[list[Anomaly]]:
        """Return all anomalies of a built-in view's row, which itself keeps the first ones alone.

        What a fact is marked with does not depend on the marks before it: the row is folded anew,
        each time without any.
        """
        key = table.key_of(row)
        then = yield from past(self._log, bucket, key, upto, deleted=False)
        if then is None:
            return []  # the session was deleted meanwhile
        view: Any = None
        found: list[Anomaly] = []
        for after in range(then.start, then.at, PAGE_EVENTS):
            work = yield from self._work(table, then, after, min(after + PAGE_EVENTS, then.at))
            for _, event, keys in () if work is None else work.in_order():
                if event is None or key not in keys:
                    continue
                unmarked = None if view is None else msgspec.structs.replace(view, anomalies=[])
                view = table.projection.apply(unmarked, event)
                found += () if view is None else view.anomalies
        return found

    def _row_at(
        self, table: Table, key: Key, then: Past, latest: RowSnapshot, *, keep: bool
    ) -> Plan[Row | None]:
        """Fold on from a snapshot, and make those that are missing up to the head."""
        place, row = latest.upto, latest.row(table)
        answer = row
        # Where no boundary is crossed there is nothing to make, however much lies ahead.
        keep = keep and boundary(place) <= then.at
        goal = then.at
        if keep:
            ahead = min(then.head, then.at + AHEAD_EVENTS_MAX)
            goal = max(then.at, boundary_upto(ahead))
        made: dict[str, RowSnapshot] = {}
        touched = False
        while place < goal:
            end = min(boundary(place), then.at if place < then.at else goal)
            work = yield from self._work(table, then, place, end)
            row, seen, failure = _row_after(key, row, work)
            if failure is not None:
                yield from self._keep(then, made)
                if end <= then.at:
                    raise failure
                break
            place, touched = end, touched or seen
            if place == then.at:
                answer = row
            if keep and place == boundary_upto(place):
                latest = latest.changed(place, row) if touched else latest.held(place)
                made[latest.place] = latest
                touched = False
                if len(made) >= STORED_SNAPSHOTS_MAX:
                    if not (yield from self._keep(then, made)):
                        keep, goal = False, then.at
                    made = {}
        yield from self._keep(then, made)
        return answer

    def _work(self, table: Table, then: Past, after: int, upto: int) -> Plan[Work | None]:
        """Read a stretch of the session; None if it holds nothing for the table."""
        types = table.projection.types
        records: list[Record] = yield self._log.read(then.query(after, upto, types))
        if not records:
            return None
        found: Mapping[Identity, Checkpoint] = yield self._views.checkpoints(then.bucket)
        skips = found[table.identity].skips if table.identity in found else frozenset[int]()
        return work_of(table, decode_page(records, [table], self._upcasts), skips)

    def _latest(self, then: Past, first: RowSnapshot) -> Plan[RowSnapshot]:
        """Return the last snapshot that serves; `first` stands for none."""
        found: list[Row] = yield self._views.select(query(then.bucket, first, then.at, 1))
        if not found:
            yield from self._make_room(then, first)
            return first
        last: RowSnapshot = ROW_SNAPSHOTS.decode(found[0])
        if not _serves(last, first):
            # Those that do not would be found again and again, in front of those that do.
            spoilt: list[Row] = yield self._views.select(query(then.bucket, first, then.head, None))
            yield from self._cache(then, removed(spoilt))
            return first
        return _cut(last, then.at)

    def _make_room(self, then: Past, first: RowSnapshot) -> Plan[None]:
        """Remove a row's snapshots of all folds if there are those of too many."""
        behind = None
        for _ in range(FOLDS_MAX):
            one: list[Row] = yield self._views.select(
                query_of_folds(then.bucket, first, behind, limit=1)
            )
            if not one:
                return
            snapshot: RowSnapshot = ROW_SNAPSHOTS.decode(one[0])
            behind = snapshot.row_sha256
        every: list[Row] = yield self._views.select(
            query_of_folds(then.bucket, first, None, limit=None)
        )
        yield from self._cache(then, removed(every))

    def _keep(self, then: Past, made: dict[str, RowSnapshot]) -> Plan[bool]:
        """Store snapshots; return False if none can be stored here."""
        return not made or (yield from self._cache(then, kept(list(made.values()))))

    def _cache(self, then: Past, change: Change) -> Plan[bool]:
        try:
            yield self._views.store(then.bucket, [change], durable=False)
        except (AccessDenied, StorageFailed):
            # A role that only reads, a standby or a full disk: the answer needs no cache.
            self._unstorable_until = time.monotonic() + UNSTORABLE_S
            return False
        return True


def check_of_sessions(table: Table) -> None:
    """Raise InvalidArgument for a view whose rows are made of several sessions' events."""
    if not table.of_sessions:
        raise InvalidArgument(
            "projection",
            f"{table.projection.name} has no row of a single session, and only a session has a past",
        )


def _row_after(
    key: Key, row: Row | None, work: Work | None
) -> tuple[Row | None, bool, ProjectionFailed | None]:
    """Return a row behind a stretch of events, whether any touched it, and what stopped it."""
    if work is None:
        return row, False, None
    events = [event for _, event, keys in work.in_order() if event is not None and key in keys]
    if not events:
        return row, False, work.failure
    change, failure = fold(work.of_row(key, events), 0, {} if row is None else {key: row})
    if change.rows:
        row = change.rows[0]
    elif change.gone:
        row = None
    return row, True, failure


def _serves(found: RowSnapshot, first: RowSnapshot) -> bool:
    return found.whole and found.fold_digest == first.fold_digest


def _cut(found: RowSnapshot, at: int) -> RowSnapshot:
    """Return a snapshot that reaches beyond a sequence as one that reaches there."""
    return found if found.upto <= at else found.held(at)


def _shown(table: Table, row: Row) -> Any:
    """Return the view in a row; None for one that keeps nothing but anomalies, as readers do."""
    view = table.decode(row)
    return None if getattr(view, "missing_since", None) is not None else view
