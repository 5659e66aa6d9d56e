"""Sessions of a tenant, what became of them, and what did not fit: readers of Views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Unpack

from ledger.plans import run

from ..folds.runs import Run
from ..folds.session_status import ABANDONED_AFTER_S
from ..folds.sessions import Session
from ..readers.anomaly_lists import MarkedFact
from ..readers.anomaly_lists import anomalies as anomalies_plan
from ..readers.consistency import Consistency
from ..readers.listing_cursors import ViewPage
from ..readers.listing_queries import Statuses, page_limit, tenant_limit
from ..readers.run_lookup import run_by_id
from ..readers.session_lists import (
    SessionFilters,
    SessionOrder,
    SessionStats,
    place_behind,
    session_query,
)
from ..readers.session_lists import session_stats as stats_plan
from ..readers.session_lists import sessions as sessions_plan
from ..readers.session_lists import sessions_page as page_plan

if TYPE_CHECKING:
    from ..views import Views


def sessions(
    self: Views,
    *,
    tenant: str = "",
    status: Statuses | None = None,
    agent_id: str | None = None,
    owner_id: str | None = None,
    channel: str | None = None,
    user_channel_id: str | None = None,
    customer_profile_id: str | None = None,
    interlocutor_id: str | None = None,
    external_id: str | None = None,
    dataset_id: str | None = None,
    parent_session_id: str | None = None,
    tags: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    archived: bool = False,
    since: datetime | None = None,
    until: datetime | None = None,
    abandoned_after_s: float | None = None,
    now: datetime | None = None,
    order_by: SessionOrder = "last_activity_at",
    descending: bool = True,
    limit: int = 100,
    after: Session | None = None,
    consistency: Consistency = "strong",
) -> list[Session]:
    """Return a tenant's sessions, the newest activity first, then by id backwards.

    All filters must hold: a session has all the `tags` and all the `labels`, and one of several
    statuses, at one moment for all sessions. `since` is included and `until` is not, both by last
    activity. `after` is the last session of the page before. Archived ones are left out unless
    `archived`.

    The status "abandoned", which nobody ever stores, is asked for alone: it finds those that
    `Session.status_at` calls so after 1,800 seconds, or after `abandoned_after_s`; if that is given,
    other statuses leave them out, of which either all or none can be abandoned then. `now` is the
    current time unless given.
    """
    query = session_query(
        self._reader,
        tenant,
        status=status,
        agent_id=agent_id,
        owner_id=owner_id,
        channel=channel,
        user_channel_id=user_channel_id,
        customer_profile_id=customer_profile_id,
        interlocutor_id=interlocutor_id,
        external_id=external_id,
        dataset_id=dataset_id,
        parent_session_id=parent_session_id,
        tags=tags,
        labels=labels,
        archived=archived,
        since=since,
        until=until,
        abandoned_after_s=abandoned_after_s,
        now=now,
    )
    return run(
        sessions_plan(
            self._reader,
            query,
            consistency,
            order_by=order_by,
            descending=descending,
            limit=tenant_limit(limit),
            after=place_behind(order_by, after),
        )
    )


def sessions_page(
    self: Views,
    *,
    tenant: str = "",
    order_by: SessionOrder = "last_activity_at",
    descending: bool = True,
    limit: int = 100,
    cursor: str | None = None,
    owner_prefix: str | None = None,
    consistency: Consistency = "strong",
    **filters: Unpack[SessionFilters],
) -> ViewPage[Session]:
    """Return a page of what `sessions` lists, and the cursor of the next one.

    The filters are those of `sessions`. The order is by one of last_activity_at, created_at,
    cost_nano_usd, input_tokens and output_tokens, then by id in the same direction. A session that
    does not change between two pages is neither skipped nor doubled; one whose place changes may
    be. What is abandoned is decided once, for all pages. With an `owner_prefix` sessions whose ids
    begin with it are the `owner_id`'s as well, whoever they say; one that is said to be somebody
    else's between two pages may be left out.
    """
    return run(
        page_plan(
            self._reader,
            tenant,
            consistency,
            order_by=order_by,
            descending=descending,
            limit=limit,
            cursor=cursor,
            owner_prefix=owner_prefix,
            filters=filters,
        )
    )


def count_sessions(
    self: Views,
    *,
    tenant: str = "",
    consistency: Consistency = "strong",
    **filters: Unpack[SessionFilters],
) -> int:
    """Return how many sessions a tenant has; the filters are those of `sessions`.

    What is counted is counted one by one, in an index: a million take some tenths of a second.
    """
    query = session_query(self._reader, tenant, **filters)
    return run(self._reader.count(query, consistency))


def session_stats(
    self: Views,
    *,
    tenant: str = "",
    agent_id: str | None = None,
    owner_id: str | None = None,
    dataset_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    abandoned_after_s: float = ABANDONED_AFTER_S,
    now: datetime | None = None,
    consistency: Consistency = "strong",
) -> SessionStats:
    """Return what became of a tenant's sessions, archived ones included, added up.

    Filters and `now` are as in `sessions`. The database looks at every session that they let pass,
    which takes about a second for some hundred thousand, and hands out none of them.
    """
    return run(
        stats_plan(
            self._reader,
            tenant,
            consistency,
            abandoned_after_s=abandoned_after_s,
            now=now,
            since=since,
            until=until,
            agent_id=agent_id,
            owner_id=owner_id,
            dataset_id=dataset_id,
        )
    )


def find_run(
    self: Views, run_id: str, *, tenant: str = "", consistency: Consistency = "strong"
) -> Run | None:
    """Return the run of that id in whatever session of a tenant it is, or None.

    Run ids are unique within a session; if several sessions have one, it is the newest that
    somebody created, started or ended, else the newest that facts name, of the newest hundred.
    """
    found: Run | None = run(run_by_id(self._reader, run_id, tenant, consistency))
    return found


def anomalies(
    self: Views,
    session_id: str | None = None,
    *,
    tenant: str = "",
    limit: int = 100,
    after: MarkedFact | None = None,
    consistency: Consistency = "strong",
) -> list[MarkedFact]:
    """Return the facts that did not fit in a session, or in all of a tenant, and what they became.

    By session id, then by sequence; a fact that several rows had to decide about comes once for
    each. A row keeps the first 32 of its anomalies, its `anomaly_count` counts all; where there are
    more, the session's events are read and folded to list them. `after` is the last of the page
    before. Without a session, reads the rows that have some up to the end of the page
    and of its last session, a page costs the same however many sessions there are.
    """
    return run(
        anomalies_plan(
            self._reader,
            tenant,
            consistency,
            session_id=session_id,
            limit=page_limit(limit),
            after=after,
        )
    )
