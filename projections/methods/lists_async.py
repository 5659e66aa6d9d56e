"""Pages of runs, of questions and of what did not fit, and counts: readers of AsyncViews."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ledger.plans import arun

from ..folds.qa import QA, QAEntry
from ..folds.runs import RUNS, Run
from ..readers import listing
from ..readers.anomaly_lists import MarkedFact
from ..readers.consistency import Consistency
from ..readers.listing_cursors import ViewPage
from ..readers.listing_queries import Statuses

if TYPE_CHECKING:
    from ..views_async import AsyncViews


async def runs_page(
    self: AsyncViews,
    *,
    tenant: str = "",
    session_id: str | None = None,
    status: Statuses | None = None,
    agent_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    descending: bool = True,
    limit: int = 100,
    cursor: str | None = None,
    consistency: Consistency = "strong",
) -> ViewPage[Run]:
    """Return a page of a tenant's runs, the newest `created_at` first, or of one session's.

    Those of a session come in the order in which they were first heard of, the last first. Ties are
    broken by id. Of several statuses a run has one. `since` is included and `until` is not. One
    that does not change between two pages is neither skipped nor doubled.
    """
    query = listing.view_query(
        self._reader,
        RUNS.name,
        tenant,
        session_id=session_id,
        since=since,
        until=until,
        status=status,
        agent_id=agent_id,
    )
    return await arun(
        listing.page(
            self._reader,
            query,
            consistency,
            descending=descending,
            limit=limit,
            cursor=cursor,
        )
    )


async def count_runs(
    self: AsyncViews,
    *,
    tenant: str = "",
    session_id: str | None = None,
    status: Statuses | None = None,
    agent_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    consistency: Consistency = "strong",
) -> int:
    """Return how many runs a tenant or a session has; the filters are those of the page."""
    query = listing.view_query(
        self._reader,
        RUNS.name,
        tenant,
        session_id=session_id,
        since=since,
        until=until,
        status=status,
        agent_id=agent_id,
    )
    return await arun(self._reader.count(query, consistency))


async def qa_page(
    self: AsyncViews,
    *,
    tenant: str = "",
    session_id: str | None = None,
    run_id: str | None = None,
    user_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    descending: bool = True,
    limit: int = 100,
    cursor: str | None = None,
    consistency: Consistency = "strong",
) -> ViewPage[QAEntry]:
    """Return a page of a tenant's answered questions, the newest `created_at` first, or of one session's.

    Those of a session come in the order in which they were first heard of, the last first. Ties are
    broken by id. `since` is included and `until` is not. One that does not change between two pages
    is neither skipped nor doubled.
    """
    query = listing.view_query(
        self._reader,
        QA.name,
        tenant,
        session_id=session_id,
        since=since,
        until=until,
        run_id=run_id,
        user_id=user_id,
    )
    return await arun(
        listing.page(
            self._reader,
            query,
            consistency,
            descending=descending,
            limit=limit,
            cursor=cursor,
        )
    )


async def count_qa(
    self: AsyncViews,
    *,
    tenant: str = "",
    session_id: str | None = None,
    run_id: str | None = None,
    user_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    consistency: Consistency = "strong",
) -> int:
    """Return how many answered questions a tenant or a session has; the filters are those of the page."""
    query = listing.view_query(
        self._reader,
        QA.name,
        tenant,
        session_id=session_id,
        since=since,
        until=until,
        run_id=run_id,
        user_id=user_id,
    )
    return await arun(self._reader.count(query, consistency))


async def anomalies_page(
    self: AsyncViews,
    session_id: str | None = None,
    *,
    tenant: str = "",
    limit: int = 100,
    cursor: str | None = None,
    consistency: Consistency = "strong",
) -> ViewPage[MarkedFact]:
    """Return a page of what `anomalies` lists, and the cursor of the next one."""
    return await arun(
        listing.anomalies_page(
            self._reader,
            tenant,
            consistency,
            session_id=session_id,
            limit=limit,
            cursor=cursor,
        )
    )
