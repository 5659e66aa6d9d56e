"""The reading operations of views, as plans: catch up if asked to, then select."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ledger import InvalidArgument
from ledger.arguments import list_limit
from ledger.backends.base import AsyncBackend, Backend
from ledger.batch import Door
from ledger.plans import Plan
from ledger.upcasts import Upcasts

from .backends.base import AsyncViewBackend, RowQuery, ViewBackend
from .messages import MESSAGES
from .projection import Projection
from .projector import Projector
from .qa import QA
from .runs import RUNS
from .sessions import SESSIONS, Session
from .tables import Key, Row, Table
from .traces import TRACES

#: "strong" reads your writes: everything the log held at the moment of the call is in the answer.
#: "eventual" answers from the tables as they are.
Consistency = Literal["strong", "eventual"]

SESSIONS_LIMIT_MAX = 10_000
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
        tables = [Table(projection) for projection in projections]
        self._tables = {table.projection.name: table for table in tables}
        if len(self._tables) < len(tables):
            raise InvalidArgument("projections", "two of them have the same name")
        self._projector = Projector(log, views, tables, upcasts, batch_events_max)
        self._prepared = False

    def catch_up(self, bucket: int | None) -> Plan[None]:
        """Bring all views to where the log ends now."""
        if bucket is not None and not (type(bucket) is int and 0 <= bucket < self._buckets):
            raise InvalidArgument("bucket", f"expected 0 to {self._buckets - 1}, got {bucket!r}")
        yield from self._prepare()
        yield from self._projector.catch_up(bucket)

    def row(self, name: str, key: Key, consistency: Consistency) -> Plan[Any]:
        """Return the view under a key that begins with tenant and session, or None."""
        table = self._table(name)
        if len(key) != len(table.key):
            raise InvalidArgument("key", f"expected {', '.join(table.key)}, got {key!r}")
        for field, value in zip(table.key, key, strict=True):
            _filter(field, value)
        bucket = self._bucket((key[0], key[1]))
        yield from self._settle(table, bucket, consistency)
        equal = tuple(zip(table.key, key, strict=True))
        rows: list[Row] = yield self._views.select(
            RowQuery(table=table, bucket=bucket, equal=equal, limit=1)
        )
        return table.decode(rows[0]) if rows else None

    def rows(
        self,
        name: str,
        session: SessionKey,
        consistency: Consistency,
        *,
        order: tuple[str, ...] | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        **filters: Any,
    ) -> Plan[list[Any]]:
        """Return the views of a session, by `order` or by key; filters that are None are absent."""
        table = self._table(name)
        count = list_limit(limit)
        equal = tuple(_filter(*item) for item in filters.items() if item[1] is not None)
        bucket = self._bucket(session)
        query = RowQuery(
            table=table,
            bucket=bucket,
            equal=(*zip(("tenant", "session_id"), session, strict=True), *equal),
            order=order or table.key[2:],
            descending=newest_first,
            limit=count,
        )
        yield from self._settle(table, bucket, consistency)
        return (yield from self._select(query))

    def sessions(
        self,
        tenant: str,
        consistency: Consistency,
        *,
        limit: int,
        after: Session | None,
        archived: bool,
        **filters: Any,
    ) -> Plan[list[Session]]:
        """Return sessions of a tenant, the newest activity first, then by id backwards."""
        table = self._table(SESSIONS.name)
        if (list_limit(limit) or 0) > SESSIONS_LIMIT_MAX:
            raise InvalidArgument("limit", f"expected at most {SESSIONS_LIMIT_MAX}, got {limit}")
        equal = [("tenant", self._door.tenant_key(tenant))]
        equal += [_filter(*item) for item in filters.items() if item[1] is not None]
        query = RowQuery(
            table=table,
            bucket=None,
            equal=(*equal, *(() if archived else (("archived_at", None),))),
            order=("last_activity_at", "session_id"),
            descending=True,
            after=None if after is None else (after.last_activity_at, after.session_id),
            limit=limit,
        )
        yield from self._settle(table, None, consistency)
        return (yield from self._select(query))

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
        newest_first = last_n is not None
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

    def _select(self, query: RowQuery) -> Plan[list[Any]]:
        if query.limit == 0:
            return []
        rows: list[Row] = yield self._views.select(query)
        return [query.table.decode(row) for row in rows]

    def _settle(self, table: Table, bucket: int | None, consistency: Consistency) -> Plan[None]:
        if consistency not in ("strong", "eventual"):
            raise InvalidArgument(
                "consistency", f"expected strong or eventual, got {consistency!r}"
            )
        yield from self._prepare()
        if consistency == "strong":
            yield from self._projector.catch_up(bucket, [table])

    def _prepare(self) -> Plan[None]:
        if not self._prepared:
            yield self._views.prepare(list(self._tables.values()))
            self._prepared = True

    def _table(self, name: str) -> Table:
        if name not in self._tables:
            raise InvalidArgument("projection", f"these views have none named {name!r}")
        return self._tables[name]

    def _bucket(self, session: SessionKey) -> int:
        return self._door.bucket(*self._door.session_key(*session))


def _filter(name: str, value: Any) -> tuple[str, Any]:
    if not isinstance(value, str):
        raise InvalidArgument(name, f"expected text, got {value!r}")
    return name, value
