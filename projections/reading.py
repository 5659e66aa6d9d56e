"""The reading operations of views, as plans: catch up if asked to, then select."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from ledger import InvalidArgument
from ledger.arguments import list_limit, microseconds
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

TENANT_LIMIT_MAX = 10_000
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
        table = self.table(name)
        if len(key) != len(table.key):
            raise InvalidArgument("key", f"expected {', '.join(table.key)}, got {key!r}")
        for field, value in zip(table.key, key, strict=True):
            text_filter(field, value)
        bucket = self.bucket((key[0], key[1]))
        yield from self.settle([table], bucket, consistency)
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
        after: Row | None = None,
        absent: tuple[str, ...] = (),
        **filters: Any,
    ) -> Plan[list[Any]]:
        """Return the views of a session, by `order` or by key; filters that are None are absent.

        The `absent` fields must be None.
        """
        table = self.table(name)
        count = list_limit(limit)
        equal = tuple(text_filter(*item) for item in filters.items() if item[1] is not None)
        bucket = self.bucket(session)
        query = RowQuery(
            table=table,
            bucket=bucket,
            equal=(
                *zip(("tenant", "session_id"), session, strict=True),
                *equal,
                *((field, None) for field in absent),
            ),
            order=order or table.key[2:],
            descending=newest_first,
            after=after,
            limit=count,
        )
        yield from self.settle([table], bucket, consistency)
        return (yield from self.select(query))

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
        return self.of_tenant(
            SESSIONS.name,
            tenant,
            consistency,
            order=("last_activity_at", "session_id"),
            limit=limit,
            newest_first=True,
            after=None if after is None else (after.last_activity_at, after.session_id),
            absent=() if archived else ("archived_at",),
            **filters,
        )

    def of_tenant(
        self,
        name: str,
        tenant: str,
        consistency: Consistency,
        *,
        order: tuple[str, ...],
        limit: int | None,
        newest_first: bool = False,
        after: Row | None = None,
        absent: tuple[str, ...] = (),
        at_least: tuple[tuple[str, Any], ...] = (),
        below: tuple[tuple[str, Any], ...] = (),
        **filters: Any,
    ) -> Plan[list[Any]]:
        """Return views of all sessions of a tenant, those in which the `absent` fields are None."""
        if (list_limit(limit) or 0) > TENANT_LIMIT_MAX:
            raise InvalidArgument("limit", f"expected at most {TENANT_LIMIT_MAX}, got {limit}")
        equal = [("tenant", self.tenant(tenant))]
        equal += [text_filter(*item) for item in filters.items() if item[1] is not None]
        query = RowQuery(
            table=self.table(name),
            bucket=None,
            equal=(*equal, *((field, None) for field in absent)),
            at_least=at_least,
            below=below,
            order=order,
            descending=newest_first,
            after=after,
            limit=limit,
        )
        yield from self.settle([query.table], None, consistency)
        return (yield from self.select(query))

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
    ) -> Plan[None]:
        """Make sure that the tables exist and, for a strong read, bring them up to date."""
        if consistency not in ("strong", "eventual"):
            raise InvalidArgument(
                "consistency", f"expected strong or eventual, got {consistency!r}"
            )
        yield from self._prepare()
        if consistency == "strong":
            yield from self._projector.catch_up(bucket, tables)

    def _prepare(self) -> Plan[None]:
        if not self._prepared:
            yield self._views.prepare(list(self._tables.values()))
            self._prepared = True

    def table(self, name: str) -> Table:
        """Return the table of a projection."""
        if name not in self._tables:
            raise InvalidArgument("projection", f"these views have none named {name!r}")
        return self._tables[name]

    def tenant(self, tenant: str) -> str:
        """Return a tenant, checked."""
        return self._door.tenant_key(tenant)

    def bucket(self, session: SessionKey) -> int:
        """Return the bucket of a session, checked."""
        return self._door.bucket(*self._door.session_key(*session))


def moment_bound(
    field: str, argument: str, moment: datetime | None
) -> tuple[tuple[str, datetime], ...]:
    """Return the condition on a field that an argument sets, none if it is None."""
    microseconds(moment, argument)
    return () if moment is None else ((field, moment),)


def text_filter(name: str, value: Any) -> tuple[str, Any]:
    """Return a name and its value, which must be text."""
    if not isinstance(value, str):
        raise InvalidArgument(name, f"expected text, got {value!r}")
    return name, value
