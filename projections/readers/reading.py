"""The reading operations of views, as plans: catch up if asked to, then select."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from ledger import InvalidArgument
from ledger.backends.base import AsyncBackend, Backend
from ledger.batch import Door
from ledger.plans import Plan
from ledger.refusals import shown
from ledger.upcasts import Upcasts

from ..backends.base import AsyncViewBackend, RowQuery, ViewBackend
from ..engine.consumer_lags import ConsumerLags
from ..engine.health import Health
from ..engine.projection import Projection
from ..engine.projector import Projector
from ..engine.row_snapshots import ROW_SNAPSHOTS
from ..engine.skips import Skips
from ..engine.tables import Key, Row, Table
from ..engine.versions import Versions, newest_first
from ..engine.waiting import Waiting
from ..folds.messages import MESSAGES
from ..folds.qa import QA
from ..folds.runs import RUNS
from ..folds.traces import TRACES
from .arguments import count_limit, flag, session_key, several, tenant_key
from .history import History, check_of_sessions
from .history_places import Moment, check_moment
from .listing_queries import present, tenant_limit, tenant_query, text_filter

#: "strong" reads your writes: everything the log held at the moment of the call is in the answer.
#: "eventual" answers from the tables as they are.
Consistency = Literal["strong", "eventual"]

RUNNING = "running"

SessionKey = tuple[str, str]


class Reader:
    """The views of one ledger, for both of its faces."""

    def __init__(
        self,
        log: Backend | AsyncBackend,
        views: ViewBackend | AsyncViewBackend,
        door: Door,
        upcasts: Upcasts,
        projections: Sequence[Projection],
        batch_events_max: int,
    ) -> None:
        self._views = views
        self._door = door
        self._buckets = log.info.buckets
        self.ledger_id = log.info.ledger_id
        tables = newest_first([Table(projection) for projection in projections])
        # Of several versions the one that was last seen to be the active one.
        self._tables = {table.projection.name: table for table in reversed(tables)}
        self._has_versions = len(self._tables) < len(tables)
        self.projector = Projector(
            log, views, tables, upcasts, batch_events_max, caches=(ROW_SNAPSHOTS,)
        )
        self.history = History(log, views, upcasts)
        self.versions = Versions(log, views, tables, self.projector)
        names = tuple(self._tables)
        self.skips = Skips(log, views, self.versions, self.projector, self.prepare)
        self.health = Health(
            log, views, tables, self.prepare, ConsumerLags(log, views, names, self.projector)
        )
        self.waiting = Waiting(log, views, names, self.projector, self.prepare)
        self._prepared = False

    def catch_up(self, bucket: int | None) -> Plan[None]:
        """Bring all views to where the log ends now."""
        if bucket is not None and not (type(bucket) is int and 0 <= bucket < self._buckets):
            raise InvalidArgument(
                "bucket", f"expected 0 to {self._buckets - 1}, got {shown(bucket)}"
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
        strong(consistency)
        table = self.table(name)
        for field, value in zip(table.key, key, strict=True):
            text_filter(field, value)
        if as_of is not None:
            check_of_sessions(table)
            check_moment(as_of, "as_of")
        bucket = self.bucket((key[0], key[1])) if table.of_sessions else 0
        if as_of is not None:
            [table] = yield from self.settle([table], bucket, "eventual")
            return (yield from self.history.row(table, key, bucket, as_of, deleted=deleted))
        equal = (*zip(table.key, key, strict=True), *present(table))
        query = RowQuery(table=table, bucket=bucket, equal=equal, limit=1)
        found = yield from self._in_bucket(query, consistency)
        return found[0] if found else None

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

    def _in_bucket(self, query: RowQuery, consistency: Consistency) -> Plan[list[Any]]:
        """Select in one round trip if nothing is left to be folded; else fold it first."""
        if consistency == "strong" and query.after is None and query.limit != 0:
            yield from self.prepare()
            rows: list[Row] | None = yield self._views.current(query)
            if rows is not None:
                return [query.table.decode(row) for row in rows]
        [table] = yield from self.settle([query.table], query.bucket, consistency)
        return (yield from self.select(msgspec.structs.replace(query, table=table)))

    def rows(
        self,
        name: str,
        session: SessionKey,
        consistency: Consistency,
        *,
        order: tuple[str, ...] | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        after: Row | None = None,
        absent: tuple[str, ...] = (),
        **filters: Any,
    ) -> Plan[list[Any]]:
        """Return the views of a session, by `order` or by key; filters that are None are absent.

        The `absent` fields must be None.
        """
        strong(consistency)
        table = self.table(name)
        _check_has_sessions(table)
        count = count_limit(limit)
        flag(newest_first, "newest_first")
        equal = tuple(text_filter(*item) for item in filters.items() if item[1] is not None)
        bucket = self.bucket(session)
        query = RowQuery(
            table=table,
            bucket=bucket,
            equal=(
                *zip(("tenant", "session_id"), session, strict=True),
                *equal,
                *((field, None) for field in absent),
                *present(table),
            ),
            order=order or table.key[2:],
            descending=newest_first,
            after=after,
            limit=count,
        )
        return (yield from self._in_bucket(query, consistency))

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
        [table] = yield from self.settle([self.table(name)], bucket, "eventual")
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
        [table] = yield from self.settle([query.table], None, consistency)
        return (yield from self.select(msgspec.structs.replace(query, table=table)))

    def count(self, query: RowQuery, consistency: Consistency) -> Plan[int]:
        """Return how many views hold a query's conditions."""
        [table] = yield from self.settle([query.table], query.bucket, consistency)
        counted: int = yield self._views.count(msgspec.structs.replace(query, table=table))
        return counted

    def listed(
        self, name: str, session: SessionKey, consistency: Consistency, **options: Any
    ) -> Plan[list[Any]]:
        """Return the views of a session in the order in which they were first heard of."""
        key = self.table(name).key[2:]
        return self.rows(name, session, consistency, order=("first_sequence", *key), **options)

    def runs(
        self,
        session: SessionKey,
        consistency: Consistency,
        *,
        limit: int | None,
        newest_first: bool,
        status: str | None,
    ) -> Plan[list[Any]]:
        """Return a session's runs in the order in which they were first heard of."""
        return self.rows(
            RUNS.name,
            session,
            consistency,
            order=("first_sequence", "run_id"),
            limit=limit,
            newest_first=newest_first,
            status=status,
        )

    def active_run(self, session: SessionKey, consistency: Consistency) -> Plan[Any]:
        """Return the session's running run, the newest if there are several, or None."""
        running = yield from self.runs(
            session, consistency, limit=1, newest_first=True, status=RUNNING
        )
        return running[0] if running else None

    def qa(
        self, session: SessionKey, consistency: Consistency, *, last_n: int | None
    ) -> Plan[list[Any]]:
        """Return a session's answered questions, or the last of them, oldest first."""
        newest_first = count_limit(last_n, "last_n") is not None
        found = yield from self.rows(
            QA.name,
            session,
            consistency,
            order=("first_sequence", "qa_id"),
            limit=last_n,
            newest_first=newest_first,
        )
        return found[::-1] if newest_first else found

    def traces(
        self,
        session: SessionKey,
        consistency: Consistency,
        *,
        limit: int | None,
        newest_first: bool,
        run_id: str | None,
        source: str | None,
    ) -> Plan[list[Any]]:
        """Return the pieces of work of a session or run in the order in which they began."""
        return self.rows(
            TRACES.name,
            session,
            consistency,
            order=("first_sequence", "span_id"),
            limit=limit,
            newest_first=newest_first,
            run_id=run_id,
            source=source,
        )

    def messages(
        self,
        session: SessionKey,
        consistency: Consistency,
        *,
        limit: int | None,
        newest_first: bool,
        run_id: str | None,
    ) -> Plan[list[Any]]:
        """Return the messages of a session or run in the order of the conversation."""
        return self.rows(
            MESSAGES.name,
            session,
            consistency,
            order=("first_sequence", "message_id"),
            limit=limit,
            newest_first=newest_first,
            run_id=run_id,
        )

    def load(self, wanted: Mapping[Table, Sequence[Key]]) -> Plan[dict[Table, dict[Key, Any]]]:
        """Return the views under keys, as the tables are; one call per bucket that they are in."""
        asked: dict[int, dict[Table, list[Key]]] = {}
        for table, keys in wanted.items():
            for key in keys:
                tables = asked.setdefault(self.bucket((key[0], key[1])), {})
                tables.setdefault(table, []).append(key)
        found: dict[Table, dict[Key, Any]] = {table: {} for table in wanted}
        for bucket, tables in asked.items():
            loaded: list[dict[Key, Row]] = yield self._views.load(bucket, list(tables.items()))
            for table, rows in zip(tables, loaded, strict=True):
                found[table] |= {key: table.decode(row) for key, row in rows.items()}
        return found

    def select(self, query: RowQuery) -> Plan[list[Any]]:
        """Return the views that a query asks for, as the table is."""
        if query.limit == 0:
            return []
        rows: list[Row] = yield self._views.select(query)
        return [query.table.decode(row) for row in rows]

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
        elif self._has_versions:
            found = yield from self.projector.chosen(names)
        else:
            found = dict(zip(names, tables, strict=True))
        self._tables |= found
        yield from self.waiting.note(list(found.values()))
        return [found[name] for name in names]

    def prepare(self) -> Plan[None]:
        """Make the tables that are missing, once, and warn of folds that changed."""
        if not self._prepared:
            yield from self.versions.prepare()
            self._prepared = True

    def table(self, name: str) -> Table:
        """Return the table of a projection; of several versions the one last seen active."""
        if type(name) is not str or name not in self._tables:
            raise InvalidArgument("projection", f"these views have none named {shown(name)}")
        return self._tables[name]

    def key(self, name: str, key: object, *, sessions: bool = False) -> Key:
        """Return a whole key of a projection, or with `sessions` also the two parts of a session."""
        table = self.table(name)
        parts = several(key, "key", f"texts, as in ({', '.join(table.key)})")
        if len(parts) != len(table.key) and not (sessions and len(parts) == 2):
            raise InvalidArgument(
                "key", f"expected ({', '.join(table.key)}), got {len(parts)} parts"
            )
        if not table.of_sessions and self._buckets > 1:
            raise InvalidArgument(
                "projection", f"the rows of {name} have a part in each bucket: read its table"
            )
        try:
            for field, value in zip(table.key, parts, strict=False):
                text_filter(field, value)
            if table.of_sessions:
                self.bucket((parts[0], parts[1]))
        except InvalidArgument as error:
            raise InvalidArgument("key", error.problem.rstrip(".")) from None
        return tuple(parts)

    def tables(self) -> list[Table]:
        """Return the tables of all projections."""
        return list(self._tables.values())

    def tenant(self, tenant: str) -> str:
        """Return a tenant, checked."""
        return tenant_key(self._door, tenant)

    def bucket(self, session: SessionKey) -> int:
        """Return the bucket of a session, checked."""
        return self._door.bucket(*session_key(self._door, *session))


def strong(consistency: Consistency) -> bool:
    """Whether what is read is to be brought up to date first."""
    if type(consistency) is not str or consistency not in ("strong", "eventual"):
        raise InvalidArgument(
            "consistency", f"expected strong or eventual, got {shown(consistency)}"
        )
    return consistency == "strong"


def check_present(deleted: bool) -> None:
    """Refuse to show what was deleted among what is there."""
    if flag(deleted, "deleted"):
        raise InvalidArgument("deleted", "what was deleted is only in the past: say `as_of`")


def _check_has_sessions(table: Table) -> None:
    if not {"tenant", "session_id"} <= set(table.names):
        raise InvalidArgument(
            "projection", f"{table.projection.name} has no rows of a single session"
        )
