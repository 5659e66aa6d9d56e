"""What a session has that was first heard of behind a sequence, and how much it has. Plans."""

from __future__ import annotations

from typing import Any

import msgspec

from ledger.arguments import natural
from ledger.limits import SEQUENCE_MAX
from ledger.plans import Plan

from ..backends.row_queries import RowQuery
from ..backends.session_rows import FIRST_SEQUENCE
from .arguments import count_limit
from .consistency import Consistency, SessionKey, strong
from .listing_queries import tenant_query
from .reading import Reader


def later_rows(
    reader: Reader,
    name: str,
    session: SessionKey,
    consistency: Consistency,
    *,
    after: int,
    limit: int | None,
    **filters: Any,
) -> Plan[list[Any]]:
    """Return the first `limit` of a session's views behind a sequence, oldest first."""
    strong(consistency)
    query = _of_session(reader, name, session, **filters)
    query = msgspec.structs.replace(
        query,
        at_least=((FIRST_SEQUENCE, min(natural(after, "sequence"), SEQUENCE_MAX - 1) + 1),),
        order=(FIRST_SEQUENCE, *query.table.key[2:]),
        limit=count_limit(limit),
    )
    return reader.answer(query, consistency)


def count_rows(
    reader: Reader, name: str, session: SessionKey, consistency: Consistency, **filters: Any
) -> Plan[int]:
    """Return how many views a session has."""
    strong(consistency)
    return reader.count(_of_session(reader, name, session, **filters), consistency)


def _of_session(reader: Reader, name: str, session: SessionKey, **filters: Any) -> RowQuery:
    tenant, session_id = session
    bucket = reader.bucket(session)
    query = tenant_query(reader.table(name), tenant, session_id=session_id, **filters)
    return msgspec.structs.replace(query, bucket=bucket)
