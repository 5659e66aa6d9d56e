"""The query port of an orchestrator: searching its sessions, runs and events, and adding up."""

from __future__ import annotations

from typing import Unpack

from ...readers.arguments import instance
from ...readers.listing_cursors import ViewPage
from .errors import answer
from .filters import EventSearch, RunRange, RunSearch, SessionSearch
from .pages import Asked
from .query_plans import (
    OrchestratorSessionStats,
    QueryPlans,
    SessionExport,
    SessionsFound,
)
from .records import EventRecord, RunRecord
from .store import OrchestratorStore
from .summaries import CostSummary, PricingTable, UsageSummary


class OrchestratorQueries:
    """The eight questions of the query port, answered for the tenant of a store.

    Filters that are None say nothing, an empty list finds nothing. A cursor is None at the end, and
    refused with the code invalid_cursor by any other question. A page costs a pass through whatever
    the filters of the views leave over, and the memory of the page and, if runs decide on sessions
    or sessions on runs, of the sessions' ids.
    """

    def __init__(self, store: OrchestratorStore) -> None:
        self._plans = QueryPlans(instance(store, "store", OrchestratorStore).plans)

    def search_sessions(
        self,
        *,
        order_by: str = "updated_at_desc",
        limit: int = 50,
        cursor: str | None = None,
        **filters: Unpack[SessionSearch],
    ) -> SessionsFound:
        """Return a page of sessions and how many there are on all pages.

        `order_by` is updated_at_desc, created_at_desc or created_at_asc, then by id.
        """
        return answer(self._plans.search_sessions(Asked(order_by, limit, cursor), **filters))

    def get_session_stats(self, session_id: str) -> OrchestratorSessionStats:
        """Return what a session holds, also a softly deleted one; the code session_not_found."""
        return answer(self._plans.session_stats(session_id))

    def search_runs(
        self,
        *,
        order_by: str = "started_at_desc",
        limit: int = 50,
        cursor: str | None = None,
        **filters: Unpack[RunSearch],
    ) -> ViewPage[RunRecord]:
        """Return a page of runs, those of softly deleted sessions included.

        `order_by` is started_at_desc, started_at_asc or token_usage_desc, then by id.
        """
        return answer(self._plans.search_runs(Asked(order_by, limit, cursor), **filters))

    def get_usage_summary(self, **filters: Unpack[RunRange]) -> UsageSummary:
        """Return the tokens of runs that started in a range of time, both ends included."""
        return answer(self._plans.usage(**filters))

    def get_cost_summary(
        self,
        *,
        agent_id: str | None = None,
        pricing_table: PricingTable | None = None,
        **filters: Unpack[RunRange],
    ) -> CostSummary:
        """Return what runs cost: as saved, else their tokens at the rates of the table."""
        return answer(self._plans.cost(pricing_table, agent_id=agent_id, **filters))

    def search_events(
        self,
        *,
        order_by: str = "sequence_asc",
        limit: int = 100,
        cursor: str | None = None,
        **filters: Unpack[EventSearch],
    ) -> ViewPage[EventRecord]:
        """Return a page of events of all sessions, or of some.

        `order_by` is sequence_asc, timestamp_asc or timestamp_desc, then by session and id.
        """
        return answer(self._plans.search_events(Asked(order_by, limit, cursor), **filters))

    def count_events(self, **filters: Unpack[EventSearch]) -> int:
        """Return how many events `search_events` finds on all its pages."""
        return answer(self._plans.count_events(**filters))

    def export_session(self, session_id: str, *, include_artifacts: bool = False) -> SessionExport:
        """Return a session with its runs, its events and, if asked for, what is known of its files.

        Artifacts come with the deleted ones, and without their bytes. The code session_not_found.
        """
        return answer(self._plans.export(session_id, include_artifacts=include_artifacts))
