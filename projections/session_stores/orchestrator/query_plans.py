"""The questions of the query port, as plans over the store's.

Whatever the filters of the views leave over is looked at page by page, and no more is kept than an
answer holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ledger import Event, FeedPage
from ledger.events import SESSION_DELETED
from ledger.moments import to_microseconds
from ledger.plans import Plan

from ...folds.artifacts import Artifact
from ...folds.sessions import Session
from ...readers.arguments import flag
from ...readers.listing_cursors import ViewPage
from .events import from_ledger, types_read
from .filters import (
    all_of,
    remembered,
    started_runs,
    text,
    texts,
    wanted_events,
    wanted_runs,
    wanted_sessions,
)
from .pages import Asked, Orders
from .reading import EventFilters
from .records import EventRecord, RunRecord, SessionRecord, Texts
from .redactions import REDACTED, Redactions
from .saved import SavedRecords
from .sessions import session_record
from .summaries import (
    CostSummary,
    CostSums,
    PricingTable,
    TokenTotals,
    UsageSummary,
    UsageSums,
    check_prices,
    token_totals,
)

_PAGE_ROWS = 1_000


class SessionsFound(msgspec.Struct, frozen=True, kw_only=True):
    """A page of sessions; `total_count` is of all pages."""

    sessions: list[SessionRecord]
    cursor: str | None
    total_count: int


class OrchestratorSessionStats(msgspec.Struct, frozen=True, kw_only=True):
    """What a session holds: events, runs by status, tokens and providers of its runs."""

    event_count: int
    run_count: int
    token_totals: TokenTotals
    providers_used: list[str]
    first_event_at: datetime | None
    last_event_at: datetime | None
    status_counts: dict[str, int]


class SessionExport(msgspec.Struct, frozen=True, kw_only=True):
    """A session with everything of it; `artifacts` only if they were asked for."""

    session: SessionRecord
    runs: list[RunRecord]
    events: list[EventRecord]
    artifacts: list[Artifact] | None = None


def _created(row: SessionRecord) -> tuple[int, str, str]:
    return to_microseconds(row.created_at), row.id, ""


def _updated(row: SessionRecord) -> tuple[int, str, str]:
    return to_microseconds(row.updated_at or row.created_at), row.id, ""


def _started(row: RunRecord) -> tuple[int, str, str]:
    return to_microseconds(row.started_at), row.session_id, row.id


def _tokens(row: RunRecord) -> tuple[int, str, str]:
    return row.token_usage.get("total_tokens", 0), row.session_id, row.id


def _sequence(row: EventRecord) -> tuple[int, str, str]:
    return row.sequence_number or 0, row.session_id, row.id


def _timestamp(row: EventRecord) -> tuple[int, str, str]:
    return to_microseconds(row.timestamp), row.session_id, row.id


_SESSION_ORDERS: Orders[SessionRecord] = {
    "updated_at_desc": (_updated, True),
    "created_at_desc": (_created, True),
    "created_at_asc": (_created, False),
}
_RUN_ORDERS: Orders[RunRecord] = {
    "started_at_desc": (_started, True),
    "started_at_asc": (_started, False),
    "token_usage_desc": (_tokens, True),
}
_EVENT_ORDERS: Orders[EventRecord] = {
    "sequence_asc": (_sequence, False),
    "timestamp_asc": (_timestamp, False),
    "timestamp_desc": (_timestamp, True),
}


class QueryPlans:
    """What the faces of the query port do, for both of them."""

    def __init__(self, store: SavedRecords) -> None:
        self._store = store

    def search_sessions(
        self,
        asked: Asked,
        *,
        agent_id: str | None = None,
        provider: Texts = None,
        tags: Sequence[str] | None = None,
        include_deleted: bool = False,
        **own: Any,
    ) -> Plan[SessionsFound]:
        """Return a page of sessions; `own` are the filters of their own fields."""
        wanted, providers = wanted_sessions(**own), texts(provider, "provider")
        agent, tagged = text(agent_id, "agent_id"), all_of(tags, "tags")
        archived = flag(include_deleted, "include_deleted")
        filters = (agent, _listed(providers), tagged, archived, remembered(own))
        page = asked.of(_SESSION_ORDERS, *self._list("sessions"), filters)
        of_providers: set[str] = set()

        def note(found: Iterable[RunRecord]) -> None:
            of_providers.update(
                run.session_id for run in found if run.provider in (providers or ())
            )

        def offer(rows: Iterable[Session]) -> None:
            page.offer(
                record
                for record in map(session_record, rows)
                if wanted(record) and (providers is None or record.id in of_providers)
            )

        if providers is not None:
            yield from self._store.each_run(note)
        if tagged is None or tagged:  # the views take no tags for no condition
            yield from self._store.each_session(
                offer, agent_id=agent, tags=tagged or (), archived=archived
            )
        found = page.page()
        return SessionsFound(
            sessions=found.items, cursor=found.cursor, total_count=page.total_count
        )

    def session_stats(self, session_id: str) -> Plan[OrchestratorSessionStats]:
        """Return what a session holds."""
        yield from self._store.session(session_id)
        of_session = yield from self._store.list_runs(session_id)
        events = yield from self._store.events(session_id, EventFilters())
        times = [event.timestamp for event in events]
        return OrchestratorSessionStats(
            event_count=len(events),
            run_count=len(of_session),
            token_totals=token_totals(of_session),
            providers_used=sorted({run.provider for run in of_session if run.provider}),
            first_event_at=min(times, default=None),
            last_event_at=max(times, default=None),
            status_counts=dict(Counter(run.status for run in of_session)),
        )

    def search_runs(
        self, asked: Asked, *, session_id: str | None = None, **own: Any
    ) -> Plan[ViewPage[RunRecord]]:
        """Return a page of runs; `own` are the filters of their own fields."""
        wanted, named = wanted_runs(**own), text(session_id, "session_id")
        page = asked.of(_RUN_ORDERS, *self._list("runs"), (named, remembered(own)))
        yield from self._store.each_run(lambda found: page.offer(filter(wanted, found)), named)
        return page.page()

    def usage(self, *, session_id: str | None = None, **own: Any) -> Plan[UsageSummary]:
        """Return the tokens of runs."""
        wanted, sums = started_runs(**own), UsageSums()
        named = text(session_id, "session_id")
        yield from self._store.each_run(lambda found: sums.add(filter(wanted, found)), named)
        return sums.summary()

    def cost(
        self,
        prices: PricingTable | None,
        *,
        session_id: str | None = None,
        agent_id: str | None = None,
        **own: Any,
    ) -> Plan[CostSummary]:
        """Return what runs cost."""
        wanted, sums = started_runs(**own), CostSums(check_prices(prices))
        named, agent = text(session_id, "session_id"), text(agent_id, "agent_id")
        owned: set[str] = set()
        if agent is not None:
            yield from self._store.each_session(
                lambda rows: owned.update(row.session_id for row in rows),
                agent_id=agent,
                archived=True,
            )

        def add(found: Iterable[RunRecord]) -> None:
            sums.add(
                run for run in found if wanted(run) and (agent is None or run.session_id in owned)
            )

        yield from self._store.each_run(add, named)
        return sums.summary()

    def search_events(
        self, asked: Asked, *, session_ids: Texts = None, **own: Any
    ) -> Plan[ViewPage[EventRecord]]:
        """Return a page of events; `own` are the filters of their own fields."""
        wanted, named = wanted_events(**own), texts(session_ids, "session_ids")
        filters = (_listed(named), remembered(own))
        page = asked.of(_EVENT_ORDERS, *self._list("events"), filters)
        yield from self._each_event(named, lambda found: page.offer(filter(wanted, found)))
        return page.page()

    def count_events(self, *, session_ids: Texts = None, **own: Any) -> Plan[int]:
        """Return how many events there are on all pages."""
        wanted, named = wanted_events(**own), texts(session_ids, "session_ids")
        counts: list[int] = []
        yield from self._each_event(named, lambda found: counts.append(sum(map(wanted, found))))
        return sum(counts)

    def export(self, session_id: str, *, include_artifacts: bool) -> Plan[SessionExport]:
        """Return a session with everything of it."""
        artifacts: list[Artifact] | None = None
        session = yield from self._store.session(session_id)
        of_session = yield from self._store.list_runs(session_id)
        events = yield from self._store.events(session_id, EventFilters())
        if include_artifacts:
            artifacts = yield self._store.views.artifacts(
                session_id, tenant=self._store.tenant, deleted=True
            )
        return SessionExport(session=session, runs=of_session, events=events, artifacts=artifacts)

    def _list(self, name: str) -> tuple[str, str, str]:
        return self._store.ledger.ledger_id, f"orchestrator {name}", self._store.tenant

    def _each_event(
        self, named: frozenset[str] | None, visit: Callable[[Iterable[EventRecord]], None]
    ) -> Plan[None]:
        """Visit the events of some sessions, or of all: then in one pass through the log."""
        if named is None:
            yield from self._each_event_of_all(visit)
            return
        for session_id in sorted(named):
            after = 0
            while True:
                filters = EventFilters(after=after, limit=_PAGE_ROWS)
                found = yield from self._store.events(session_id, filters)
                visit(found)
                if len(found) < _PAGE_ROWS:
                    break
                after = found[-1].sequence_number or 0

    def _each_event_of_all(self, visit: Callable[[Iterable[EventRecord]], None]) -> Plan[None]:
        hidden: dict[str, Redactions] = {}
        deleted: dict[str, int] = {}

        def note(found: Iterable[Event]) -> None:
            for one in found:
                if one.type == SESSION_DELETED:
                    deleted[one.session_id] = one.sequence
                else:
                    hidden.setdefault(one.session_id, Redactions()).add(one)

        def show(found: Iterable[Event]) -> None:
            shown = (
                one
                for one in found
                if one.sequence > deleted.get(one.session_id, 0)
                and not (one.session_id in hidden and hidden[one.session_id].hide(one))
            )
            records = map(from_ledger, shown)
            visit([one for one in records if one is not None])

        # What hides an event comes behind it, so that is looked for first.
        yield from self._each_page((REDACTED, SESSION_DELETED), note)
        yield from self._each_page(types_read(None), show)

    def _each_page(
        self, types: tuple[str, ...], visit: Callable[[Iterable[Event]], None]
    ) -> Plan[None]:
        cursor = None
        while True:
            page: FeedPage = yield self._store.ledger.feed(
                cursor, limit=_PAGE_ROWS, types=types, tenant=self._store.tenant
            )
            visit(page.events)
            cursor = page.cursor
            if not page.more:
                return


def _listed(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)
