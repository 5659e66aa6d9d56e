"""The reading operations of views, as plans: catch up if asked to, then select."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from ledger import Appended, InvalidArgument
from ledger.backends.base import AsyncBackend, Backend
from ledger.batch import Door
from ledger.plans import Plan
from ledger.refusals import shown
from ledger.upcasts import Upcasts

from ..backends.base import AsyncViewBackend, Instants, ViewBackend
from ..backends.row_queries import RowQuery, key_query
from ..backends.totals import Totals, TotalsQuery
from ..engine.consumer_lags import ConsumerLags
from ..engine.dropping import outlives_drops
from ..engine.health import Health
from ..engine.projection import Projection
from ..engine.projector import Projector
from ..engine.row_snapshots import ROW_SNAPSHOTS
from ..engine.skips import Skips
from ..engine.tables import Key, Row, Table
from ..engine.upcast_digest import UpcastDigests
from ..engine.versions import Versions, newest_first
from ..engine.waiting import Waiting
from ..errors import VersionDropped
from .arguments import (
    batch_size,
    checked_projections,
    count_limit,
    flag,
    no_view,
    session_key,
    tenant_key,
)
from .consistency import Consistency, SessionKey, check_present, strong
from .history import History, check_of_sessions
from .history_places import Moment, check_moment
from .listing_queries import tenant_limit, tenant_query, text_filter, text_filters
from .many_sessions import ManySessions
from .moments import check_all_of_sessions
from .one_session import OneSession
from .row_keys import check_has_sessions, whole_key
from .rows_at_head import Append, AtHead, Decide, RowsAtHead
from .subject_rows import SubjectRows


class Reader(SubjectRows):
    """The views of one ledger, for both of its faces."""

    def __init__(
        self,
        log: Backend | AsyncBackend,
        views: ViewBackend | AsyncViewBackend,
        door: Door,
        upcasts: Upcasts,
        projections: Sequence[Projection] | None,
        batch_events_max: int,
    ) -> None:
        self._views = views
        self._door = door
        self.buckets = log.info.buckets
        self.ledger_id = log.info.ledger_id
        batch_size(batch_events_max)
        digests = UpcastDigests(upcasts)
        tables = newest_first([Table(one, digests) for one in checked_projections(projections)])
        # Of several versions the one that was last seen to be the active one.
        self._tables = {table.projection.name: table for table in reversed(tables)}
        self._known = tables
        self._may_change = len(self._tables) < len(tables)
        self.projector = Projector(
            log, views, tables, upcasts, batch_events_max, caches=(ROW_SNAPSHOTS,)
        )
        self.history = History(log, views, upcasts, digests)
        self.versions = Versions(log, views, tables, self.projector)
        names = tuple(self._tables)
        self.heads = RowsAtHead(views, upcasts, self.settle, self._row_folded)
        self.one_session = OneSession(self, views)
        self.many_sessions = ManySessions(self, views, tables)
        self.skips = Skips(log, views, self.versions, self.projector, self.prepare)
        self.health = Health(
            log, views, tables, self.prepare, ConsumerLags(log, views, names, self.projector)
        )
        self.waiting = Waiting(log, views, names, self.projector, self.prepare)
        self._prepared = False

    def catch_up(self, bucket: int | None) -> Plan[None]:
        """Bring all views to where the log ends now."""
        if bucket is not None and not (type(bucket) is int and 0 <= bucket < self.buckets):
            raise InvalidArgument(
                "bucket", f"expected 0 to {self.buckets - 1}, got {shown(bucket)}"
            )
        yield from self.prepare()
        yield from self.projector.catch_up(bucket)

    def row(
        self,
        name: str,
        key: Key,
        consistency: Consistency,
        as_of: Moment | None = None,
        *,
        deleted: bool = False,
    ) -> Plan[Any]:
        """Return the view under a key that begins with tenant and session, or None.

        With `as_of` as it was then, if the session was `deleted` since only on demand.
        """
        quick = strong(consistency) and not self.waiting.is_noting
        table = self.table(name)
        if as_of is not None:
            check_of_sessions(table)
            check_moment(as_of, "as_of")
        named = 2 if table.of_sessions else 0  # which are looked at to find the bucket
        bucket = self.bucket(key) if named else 0
        if len(key) > named:
            for field, value in zip(table.key[named:], key[named:], strict=True):
                text_filter(field, value)
        if as_of is not None:
            table = yield from self._told_by(table, bucket)
            return (yield from self.history.row(table, key, bucket, as_of, deleted=deleted))
        found: list[Any] | None = None
        if quick:
            if not self._prepared:
                yield from self.prepare()
            if not self.projector.expects(bucket):
                found = yield self._views.current_row(table, bucket, key)
            if found is None:
                found = yield from self._row_folded(table, bucket, key)
        if found is None:
            found = yield from self._settled(key_query(table, bucket, key), consistency)
        return found[0] if found else None

    def _row_folded(self, table: Table, bucket: int, key: Key) -> Plan[list[Any] | None]:
        """Fold what is left of a row and read it in few round trips; None for the long way."""
        try:
            rows = yield from self.projector.row(table, bucket, key)
        except VersionDropped:
            return None
        return rows and [table.decode(row) for row in rows]

    def keyed_row(
        self,
        name: str,
        key: object,
        consistency: Consistency,
        as_of: Moment | None = None,
        *,
        deleted: bool = False,
    ) -> Plan[Any]:
        """Return the view under a key that a caller has put together, or None."""
        checked = self.key(name, key)
        if as_of is None:
            check_present(deleted)
        return self.row(name, checked, consistency, as_of, deleted=flag(deleted, "deleted"))

    def answer(self, query: RowQuery, consistency: Consistency) -> Plan[list[Any]]:
        """Select in one round trip if nothing is left to be folded; else fold it first."""
        quick = consistency == "strong" and query.limit != 0 and not query.words
        if quick and not self.waiting.is_noting and not self.projector.expects(query.bucket):
            if not self._prepared:
                yield from self.prepare()
            views: list[Any] | None = yield self._views.current(query)
            if views is not None:
                return views
        return (yield from self._settled(query, consistency))

    @outlives_drops
    def _settled(self, query: RowQuery, consistency: Consistency) -> Plan[list[Any]]:
        """Select once everything is folded that a read wants."""
        [table] = yield from self.settle([query.table], query.bucket, consistency)
        return (yield from self.select(msgspec.structs.replace(query, table=table)))

    def at_head(self, name: str, key: object) -> Plan[AtHead]:
        """Return the view under a whole key behind all events of its session."""
        place = yield from self._place_of_row(name, key)
        return (yield from self.heads.row(*place, settled=self.waiting.is_noting))

    def decided(
        self, name: str, key: object, decide: Decide, append: Append
    ) -> Plan[list[Appended]]:
        """Append what is decided on the view under a whole key behind all events of its session."""
        if not callable(decide):
            raise InvalidArgument("decide", f"expected a function, got {shown(decide)}")
        place = yield from self._place_of_row(name, key)
        settled = self.waiting.is_noting
        return (yield from self.heads.decided(*place, decide, append, settled=settled))

    def _place_of_row(self, name: str, key: object) -> Plan[tuple[Table, int, Key]]:
        whole, table = self.key(name, key), self.table(name)
        check_all_of_sessions([table])
        yield from self.prepare()
        return table, self.bucket((whole[0], whole[1])), whole

    def rows(
        self,
        name: str,
        session: SessionKey,
        consistency: Consistency,
        /,
        *,
        order: tuple[str, ...] | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        after: Row | None = None,
        absent: tuple[str, ...] = (),
        **filters: Any,
    ) -> Plan[list[Any]]:
        """Return the views of a session, by `order` or by key, for filters see `text_filters`.

        The `absent` fields must be None.
        """
        strong(consistency)
        table = self.table(name)
        check_has_sessions(table)
        count = count_limit(limit)
        flag(newest_first, "newest_first")
        equal, one_of = text_filters(filters)
        bucket = self.bucket(session)
        query = RowQuery(
            table=table,
            bucket=bucket,
            equal=(
                *zip(("tenant", "session_id"), session, strict=True),
                *equal,
                *((field, None) for field in absent),
                *table.present,
            ),
            one_of=one_of,
            order=order or table.key[2:],
            descending=newest_first,
            after=after,
            limit=count,
        )
        return (yield from self.answer(query, consistency))

    def rows_as_of(
        self,
        name: str,
        session: SessionKey,
        as_of: Moment,
        *,
        limit: int | None = None,
        deleted: bool = False,
    ) -> Plan[list[Any]]:
        """Return the views of a session as they were, by key."""
        count = count_limit(limit)
        flag(deleted, "deleted")
        check_of_sessions(self.table(name))
        check_moment(as_of, "as_of")
        bucket = self.bucket(session)
        table = yield from self._told_by(self.table(name), bucket)
        found = yield from self.history.rows(table, session, bucket, as_of, deleted=deleted)
        return found[:count]

    def of_tenant(
        self,
        name: str,
        tenant: str,
        consistency: Consistency,
        *,
        limit: int | None,
        **conditions: Any,
    ) -> Plan[list[Any]]:
        """Return views of all sessions of a tenant; for `conditions` see `tenant_query`."""
        strong(consistency)
        query = tenant_query(
            self.table(name), self.tenant(tenant), limit=tenant_limit(limit), **conditions
        )
        return (yield from self.answer(query, consistency))

    @outlives_drops
    def count(self, query: RowQuery, consistency: Consistency) -> Plan[int]:
        """Return how many views hold a query's conditions."""
        [table] = yield from self.settle([query.table], query.bucket, consistency)
        try:
            counted: int = yield self._views.count(msgspec.structs.replace(query, table=table))
        except VersionDropped:
            self._may_change = True
            raise
        return counted

    def totals(self, wanted: TotalsQuery, consistency: Consistency) -> Plan[list[Totals]]:
        """Return what the rows of a query add up to."""
        rows = wanted.rows
        [table] = yield from self.settle([rows.table], rows.bucket, consistency)
        rows = msgspec.structs.replace(rows, table=table)
        try:
            found: list[Totals] = yield self._views.totals(
                msgspec.structs.replace(wanted, rows=rows)
            )
        except VersionDropped:
            self._may_change = True
            raise
        return found

    def of_sessions(
        self, tables: Sequence[Table], tenant: str, session_ids: Sequence[str]
    ) -> Plan[dict[str, Sequence[Sequence[Any]]]]:
        """Return the views of sessions per table, as the tables are, all of one moment."""
        sessions = {one: self.bucket((tenant, one)) for one in session_ids}
        equal = (("tenant", tenant), ("session_id", ""))  # each of the sessions in its place
        queries = [RowQuery(table=table, bucket=0, equal=equal) for table in tables]
        places = [(bucket, session_id) for session_id, bucket in sessions.items()]
        try:
            found: Instants = yield self._views.snapshot_of_each(queries, places)
        except VersionDropped:
            self._may_change = True
            raise
        return dict(zip(sessions, found.views, strict=True))

    def select(self, query: RowQuery) -> Plan[list[Any]]:
        """Return the views that a query asks for, as the table is."""
        if query.limit == 0:
            return []
        try:
            views: list[Any] = yield self._views.read(query)
        except VersionDropped:
            self._may_change = True
            raise
        return views

    def settle(
        self, tables: Sequence[Table], bucket: int | None, consistency: Consistency
    ) -> Plan[list[Table]]:
        """Make sure that tables exist and, for a strong read, bring them up to date.

        Returns the tables to read in their place: those of the active versions.
        """
        fold = strong(consistency)
        yield from self.prepare()
        names = [table.projection.name for table in tables]
        if fold:
            found = yield from self.projector.catch_up(bucket, names)
        elif self._may_change:
            found = yield from self.projector.chosen(names)
        else:
            found = dict(zip(names, tables, strict=True))
        self._tables |= found
        yield from self.waiting.note(list(found.values()))
        return [found[name] for name in names]

    def _told_by(self, table: Table, bucket: int) -> Plan[Table]:
        """Return the table whose fold tells the past: of the version that is read, if one is."""
        # No rows are needed: the log is there, and so is the fold that was last seen.
        with suppress(VersionDropped):
            [table] = yield from self.settle([table], bucket, "eventual")
        return table

    def prepare(self) -> Plan[None]:
        """Make the tables that are missing, once, and warn of folds that changed."""
        if not self._prepared:
            yield from self.versions.prepare()
            self._prepared = True

    def table(self, name: str, argument: str = "projection") -> Table:
        """Return the table of a projection; of several versions the one last seen active."""
        if type(name) is not str or name not in self._tables:
            raise no_view(argument, name, self._tables)
        return self._tables[name]

    def key(self, name: str, key: object, *, sessions: bool = False) -> Key:
        """Return a whole key of a projection, or with `sessions` also the two parts of a session."""
        table = self.table(name)
        return whole_key(self._door, table, key, buckets=self.buckets, sessions=sessions)

    def tables(self) -> list[Table]:
        """Return the tables of all projections."""
        return list(self._tables.values())

    def tenant(self, tenant: str) -> str:
        """Return a tenant, checked."""
        return tenant_key(self._door, tenant)

    def bucket(self, key: Sequence[str]) -> int:
        """Return the bucket of a session, checked: a key begins with its tenant and its id."""
        tenant, session_id = session_key(self._door, key[0], key[1])
        return self._door.bucket(tenant, session_id)
