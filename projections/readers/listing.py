"""Lists of runs, of questions and of what did not fit, a page at a time, and their counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from ledger.plans import Plan

from ..backends.row_queries import RowQuery
from .anomaly_lists import MarkedFact
from .anomaly_lists import anomalies as marked_facts
from .arguments import flag
from .consistency import Consistency, strong
from .listing_cursors import ListCursors, ViewPage
from .listing_queries import moment_bound, page_limit, tenant_query
from .reading import Reader


def view_query(
    reader: Reader,
    name: str,
    tenant: str,
    *,
    session_id: str | None,
    since: datetime | None,
    until: datetime | None,
    **filters: Any,
) -> RowQuery:
    """Return the query for rows of a tenant or of a session, by when they were first heard of."""
    query = tenant_query(
        reader.table(name),
        reader.tenant(tenant),
        at_least=moment_bound("created_at", "since", since),
        below=moment_bound("created_at", "until", until),
        **filters,
    )
    if session_id is None:
        return query
    return msgspec.structs.replace(
        query,
        bucket=reader.bucket((tenant, session_id)),
        equal=(*query.equal, ("session_id", session_id)),
    )


def page(
    reader: Reader,
    query: RowQuery,
    consistency: Consistency,
    *,
    descending: bool,
    limit: int,
    cursor: str | None,
) -> Plan[ViewPage[Any]]:
    """Return a page of a query's rows by time, those of a session by sequence; then by id."""
    strong(consistency)
    flag(descending, "descending")
    count = page_limit(limit)
    table = query.table
    of_session = query.bucket is not None
    key = table.key[2:] if of_session else table.key[1:]
    order = ("first_sequence" if of_session else "created_at", *key)
    bounds = _plain(query.at_least), _plain(query.below)
    asked = (_plain(query.equal), *bounds, descending, *query.one_of)
    cursors = ListCursors(reader.ledger_id, table.projection.name, asked)
    first: Any = int if of_session else datetime
    after = cursors.place(cursor, tuple[(first, *[str] * len(key))])  # type: ignore[misc] # made at run time
    query = msgspec.structs.replace(
        query,
        order=order,
        descending=descending,
        limit=count + 1 if count else 0,
        after=after,
    )
    found = yield from reader.answer(query, consistency)
    return cursors.page(
        found, count, cursor, lambda row: tuple(getattr(row, name) for name in order)
    )


def anomalies_page(
    reader: Reader,
    tenant: str,
    consistency: Consistency,
    *,
    session_id: str | None,
    limit: int,
    cursor: str | None,
) -> Plan[ViewPage[MarkedFact]]:
    """Return a page of marked facts."""
    strong(consistency)
    reader.tenant(tenant)
    if session_id is not None:
        reader.bucket((tenant, session_id))
    count = page_limit(limit)
    cursors = ListCursors(reader.ledger_id, "anomalies", (tenant, session_id))
    found = yield from marked_facts(
        reader,
        tenant,
        consistency,
        session_id=session_id,
        limit=count + 1 if count else 0,
        after=cursors.place(cursor, MarkedFact),
    )
    return cursors.page(found, count, cursor, lambda fact: fact)


def _plain(pairs: Iterable[tuple[str, Any]]) -> Mapping[str, Any]:
    return dict(pairs)
