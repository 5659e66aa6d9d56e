"""How the work was done: readers of Views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.plans import run

from ..folds.traces import Span
from ..readers.consistency import Consistency
from ..readers.listing_queries import Statuses
from ..readers.span_trees import SpanNode, tree

if TYPE_CHECKING:
    from ..views import Views


def traces(
    self: Views,
    session_id: str,
    *,
    tenant: str = "",
    run_id: str | None = None,
    source: str | None = None,
    status: Statuses | None = None,
    name: str | None = None,
    limit: int | None = None,
    newest_first: bool = False,
    consistency: Consistency = "strong",
) -> list[Span]:
    """Return the pieces of work of a session or run in the order in which they began.

    `source` is run, turn, call, span or step; None is all, as it is of the other filters. Of several
    statuses a piece has one. `limit` keeps the oldest, or the newest with `newest_first`; None is all.
    """
    return run(
        self._reader.listed(
            "traces",
            (tenant, session_id),
            consistency,
            limit=limit,
            newest_first=newest_first,
            run_id=run_id,
            source=source,
            status=status,
            name=name,
        )
    )


def steps(
    self: Views,
    session_id: str,
    *,
    tenant: str = "",
    last_n: int | None = None,
    consistency: Consistency = "strong",
) -> list[Span]:
    """Return the flat steps of a session, or the last of them, always oldest first."""
    return run(
        self._reader.last("traces", (tenant, session_id), consistency, last_n, source="step")
    )


def span_tree(
    self: Views,
    session_id: str,
    *,
    tenant: str = "",
    run_id: str | None = None,
    consistency: Consistency = "strong",
) -> list[SpanNode]:
    """Return the pieces of work of a session or run inside each other, the roots in order.

    Each is in exactly one place; one whose parent is not there is a root.
    """
    found: list[Span] = run(
        self._reader.listed("traces", (tenant, session_id), consistency, run_id=run_id)
    )
    return tree(found)
