"""Reading all sessions of a tenant while others write to them. Plans."""

from __future__ import annotations

from typing import Any

from ledger.plans import Plan

from ..folds.sessions import Session
from ..readers.listing_cursors import ViewPage
from ..views import Views
from ..views_async import AsyncViews

PAGE_SESSIONS = 1_000


def all_sessions(views: Views | AsyncViews, tenant: str, **filters: Any) -> Plan[list[Session]]:
    """Return the sessions that a filter lets pass, the newest activity first, then by id backwards.

    Each that is there from beginning to end is in it, once, whoever writes to it meanwhile; one
    that begins meanwhile may be.
    """
    # An answer of one page is of one moment, and each filter has its index in this order.
    page: ViewPage[Session] = yield views.sessions_page(
        tenant=tenant, limit=PAGE_SESSIONS, **filters
    )
    if page.cursor is None:
        return page.items
    found: dict[str, Session] = {}
    cursor: str | None = None
    while True:
        page = yield from page_by_beginning(views, tenant, cursor, PAGE_SESSIONS, **filters)
        found |= {row.session_id: row for row in page.items}
        cursor = page.cursor
        if cursor is None:
            return sorted(found.values(), key=_activity, reverse=True)


def page_by_beginning(
    views: Views | AsyncViews, tenant: str, cursor: str | None, limit: int, **filters: Any
) -> Plan[ViewPage[Session]]:
    """Return a page of a tenant's sessions, the first created first, then by id.

    By last activity a session on a page to come would go to one that was read, when somebody wrote
    to it. When it began is what no later fact changes.
    """
    page: ViewPage[Session] = yield views.sessions_page(
        tenant=tenant,
        order_by="created_at",
        descending=False,
        limit=limit,
        cursor=cursor,
        consistency="strong" if cursor is None else "eventual",
        **filters,
    )
    return page


def _activity(row: Session) -> tuple[Any, str]:
    return row.last_activity_at, row.session_id
