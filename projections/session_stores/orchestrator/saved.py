"""What an orchestrator's session store was saved, read as plans over a ledger and its views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ledger.arguments import list_limit, natural
from ledger.limits import SEQUENCE_MAX
from ledger.plans import Plan

from ...folds.runs import Run
from ...folds.sessions import Session
from ...readers.listing_cursors import ViewPage
from ..all_sessions import page_by_beginning
from ..store_parts import StorePlans
from . import runs, sessions
from .reading import EventFilters, latest_sequence, one_or_several, session_events
from .records import RUN_STATUSES, SESSION_STATUSES, EventRecord, RunRecord, SessionRecord, Texts

_PAGE_ROWS = 2_000
# Rows that nobody saved may be among them.
_PAGE_ROWS_MIN = 50


class SavedRecords(StorePlans):
    """The sessions, runs and events of one tenant's store."""

    def session(self, session_id: str) -> Plan[SessionRecord]:
        """Return a session that was saved."""
        found: Session | None = yield self.views.session(session_id, tenant=self.tenant)
        return sessions.saved_record(found, session_id)

    def list_sessions(
        self, status: Texts, agent_id: str | None, limit: int | None, offset: int
    ) -> Plan[list[SessionRecord]]:
        """Return sessions in the order of their creation."""
        statuses = one_or_several(status, "status", SESSION_STATUSES)
        first, count = natural(offset, "offset"), list_limit(limit)
        end = None if count is None else first + count
        # All statuses at one moment: between two of them a session could move from one to the other.
        wanted = None if statuses is None else sessions.view_statuses(statuses)
        found = yield from self._sessions(end, agent_id=agent_id, status=wanted)
        return list(map(sessions.session_record, found[first:end]))

    def run(self, run_id: str) -> Plan[RunRecord]:
        """Return a run that was saved."""
        found: Run | None = yield self.views.find_run(run_id, tenant=self.tenant)
        return runs.saved_record(found, run_id)

    def list_runs(
        self, session_id: str, status: Texts = None, limit: int | None = None
    ) -> Plan[list[RunRecord]]:
        """Return a session's saved runs."""
        statuses = one_or_several(status, "status", RUN_STATUSES)
        wanted = None if statuses is None else sorted(statuses)
        found = yield from self._runs(session_id, wanted, list_limit(limit))
        return list(map(runs.run_record, found))

    def active_run(self, session_id: str) -> Plan[RunRecord | None]:
        """Return the running run."""
        found: Run | None = yield self.views.active_run(session_id, tenant=self.tenant)
        return None if found is None else runs.run_record(found)

    def events(self, session_id: str, filters: EventFilters) -> Plan[list[EventRecord]]:
        """Return a session's events."""
        return session_events(self.ledger, self.tenant, session_id, filters)

    def latest_sequence(self, session_id: str) -> Plan[int]:
        """Return the number of the newest event that is shown."""
        return latest_sequence(self.ledger, self.tenant, session_id)

    def each_session(
        self, visit: Callable[[list[Session]], None], *, saved: bool = True, **filters: Any
    ) -> Plan[None]:
        """Visit the views of all sessions that were saved, or of those that were not, in pages."""
        cursor = None
        while True:
            page = yield from self.session_page(cursor, _PAGE_ROWS, filters)
            visit([row for row in page.items if sessions.is_saved(row) is saved])
            cursor = page.cursor
            if cursor is None:
                return

    def each_run(
        self, visit: Callable[[list[RunRecord]], None], session_id: str | None = None
    ) -> Plan[None]:
        """Visit all runs that were saved, or those of a session, in pages."""
        cursor = None
        while True:
            page: ViewPage[Run] = yield self.views.runs_page(
                tenant=self.tenant,
                session_id=session_id,
                limit=_PAGE_ROWS,
                cursor=cursor,
                consistency="strong" if cursor is None else "eventual",
            )
            visit([runs.run_record(run) for run in page.items if runs.is_saved(run)])
            cursor = page.cursor
            if cursor is None:
                return

    def session_page(
        self, cursor: str | None, limit: int, filters: dict[str, Any]
    ) -> Plan[ViewPage[Session]]:
        """Return a page of views of sessions, the first created first, then by id."""
        asked = {"archived": True} | filters
        return (yield from page_by_beginning(self.views, self.tenant, cursor, limit, **asked))

    def _sessions(self, enough: int | None, **filters: Any) -> Plan[list[Session]]:
        """Return so many views of sessions that were saved, None is all."""
        found: list[Session] = []
        cursor = None
        while enough is None or len(found) < enough:
            missing = _PAGE_ROWS if enough is None else enough - len(found)
            limit = min(_PAGE_ROWS, max(_PAGE_ROWS_MIN, missing))
            page = yield from self.session_page(cursor, limit, filters)
            found += filter(sessions.is_saved, page.items)
            cursor = page.cursor
            if cursor is None:
                break
        return found

    def _runs(
        self, session_id: str, status: list[str] | None, enough: int | None
    ) -> Plan[list[Run]]:
        """Return so many views of runs of a session that were saved, None is all."""
        # The views do not know what was never saved, so all are read where that is in the way.
        some = min((enough or 0) + _PAGE_ROWS_MIN, SEQUENCE_MAX)
        for limit in (None,) if enough is None else (some, None):
            rows: list[Run] = yield self.views.runs(
                session_id, tenant=self.tenant, status=status, limit=limit
            )
            saved = list(filter(runs.is_saved, rows))
            if limit is None or len(rows) < limit or len(saved) >= (enough or 0):
                break
        return saved[:enough]
