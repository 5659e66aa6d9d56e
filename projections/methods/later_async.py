"""What a session has behind a place in it: readers of AsyncViews, for who goes on where it stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.plans import arun

from ..folds.qa import QA, QAEntry
from ..folds.traces import TRACES, Span
from ..readers.consistency import Consistency
from ..readers.later_rows import count_rows, later_rows

if TYPE_CHECKING:
    from ..views_async import AsyncViews


async def qa_after(
    self: AsyncViews,
    session_id: str,
    sequence: int,
    *,
    tenant: str = "",
    limit: int | None = None,
    consistency: Consistency = "strong",
) -> list[QAEntry]:
    """Return a session's answered questions whose first event is behind a sequence, oldest first.

    `limit` keeps the oldest; None is all. Only what is returned is read.
    """
    return await arun(
        later_rows(
            self._reader, QA.name, (tenant, session_id), consistency, after=sequence, limit=limit
        )
    )


async def steps_after(
    self: AsyncViews,
    session_id: str,
    sequence: int,
    *,
    tenant: str = "",
    limit: int | None = None,
    consistency: Consistency = "strong",
) -> list[Span]:
    """Return a session's flat steps whose event is behind a sequence, oldest first.

    `limit` keeps the oldest; None is all.
    """
    return await arun(
        later_rows(
            self._reader,
            TRACES.name,
            (tenant, session_id),
            consistency,
            after=sequence,
            limit=limit,
            source="step",
        )
    )


async def count_steps(
    self: AsyncViews, session_id: str, *, tenant: str = "", consistency: Consistency = "strong"
) -> int:
    """Return how many flat steps a session has."""
    session = tenant, session_id
    return await arun(count_rows(self._reader, TRACES.name, session, consistency, source="step"))
