"""What a session has learned, made and worked through: readers of Views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.plans import run

from ..folds.artifacts import Artifact, key_digest
from ..folds.consumers import Consumer
from ..folds.context import ContextEntry
from ..folds.feedback import Feedback
from ..folds.graph_context import GraphContext
from ..folds.snapshots import Snapshot
from ..readers.arguments import flag
from ..readers.consistency import Consistency
from ..readers.history_places import Moment
from ..readers.listing_queries import text_filter

if TYPE_CHECKING:
    from ..views import Views


def context(
    self: Views,
    session_id: str,
    *,
    tenant: str = "",
    kind: str | None = None,
    section: str | None = None,
    context_profile: str | None = None,
    limit: int | None = None,
    newest_first: bool = False,
    consistency: Consistency = "strong",
) -> list[ContextEntry]:
    """Return a session's entries of guidance in the order in which they were first put.

    `limit` keeps the oldest, or the newest with `newest_first`; None is all.
    """
    return run(
        self._reader.listed(
            "context",
            (tenant, session_id),
            consistency,
            limit=limit,
            newest_first=newest_first,
            kind=kind,
            section=section,
            context_profile=context_profile,
        )
    )


def context_entry(
    self: Views,
    session_id: str,
    context_id: str,
    *,
    tenant: str = "",
    as_of: Moment | None = None,
    consistency: Consistency = "strong",
) -> ContextEntry | None:
    """Return one entry of guidance of a session, or None."""
    found: ContextEntry | None = run(
        self._reader.row("context", (tenant, session_id, context_id), consistency, as_of)
    )
    return found


def graph_context(
    self: Views,
    session_id: str,
    *,
    tenant: str = "",
    as_of: Moment | None = None,
    consistency: Consistency = "strong",
) -> GraphContext | None:
    """Return a session's snapshot of a knowledge graph, or None."""
    found: GraphContext | None = run(
        self._reader.row("graph_context", (tenant, session_id), consistency, as_of)
    )
    return found


def artifacts(
    self: Views,
    session_id: str,
    *,
    tenant: str = "",
    deleted: bool = False,
    limit: int | None = None,
    newest_first: bool = False,
    consistency: Consistency = "strong",
) -> list[Artifact]:
    """Return a session's artifacts in the order in which they were registered.

    Deleted ones are left out unless `deleted`. `limit` keeps the oldest, or the newest with
    `newest_first`; None is all.
    """
    return run(
        self._reader.listed(
            "artifacts",
            (tenant, session_id),
            consistency,
            limit=limit,
            newest_first=newest_first,
            absent=() if flag(deleted, "deleted") else ("deleted_at",),
        )
    )


def artifact(
    self: Views,
    session_id: str,
    artifact_id: str,
    *,
    tenant: str = "",
    as_of: Moment | None = None,
    consistency: Consistency = "strong",
) -> Artifact | None:
    """Return an artifact of a session, deleted or not, or None."""
    found: Artifact | None = run(
        self._reader.row("artifacts", (tenant, session_id, artifact_id), consistency, as_of)
    )
    return found


def artifact_by_key(
    self: Views,
    key: str,
    *,
    tenant: str = "",
    consistency: Consistency = "strong",
) -> Artifact | None:
    """Return the artifact that stands under a key in any session of a tenant, or None.

    If there are several, because nobody deleted the one before, it is the newest.
    """
    found: list[Artifact] = run(
        self._reader.of_tenant(
            "artifacts",
            tenant,
            consistency,
            order=("created_at", "session_id", "artifact_id"),
            limit=1,
            newest_first=True,
            absent=("deleted_at",),
            key_sha256=key_digest(text_filter("key", key)[1]),
        )
    )
    return found[0] if found else None


def consumers(
    self: Views,
    session_id: str,
    *,
    tenant: str = "",
    consistency: Consistency = "strong",
) -> list[Consumer]:
    """Return how far each consumer of a session has come, by name."""
    return run(self._reader.rows("consumers", (tenant, session_id), consistency))


def consumer(
    self: Views,
    session_id: str,
    consumer: str,
    *,
    tenant: str = "",
    as_of: Moment | None = None,
    consistency: Consistency = "strong",
) -> Consumer | None:
    """Return how far a consumer of a session has come, None if it never said."""
    found: Consumer | None = run(
        self._reader.row("consumers", (tenant, session_id, consumer), consistency, as_of)
    )
    return found


def feedback(
    self: Views,
    session_id: str,
    *,
    tenant: str = "",
    qa_id: str | None = None,
    judged_run_id: str | None = None,
    limit: int | None = None,
    newest_first: bool = False,
    consistency: Consistency = "strong",
) -> list[Feedback]:
    """Return the feedback of a session, or that on an answer or a run, in order.

    `limit` keeps the oldest, or the newest with `newest_first`; None is all.
    """
    return run(
        self._reader.listed(
            "feedback",
            (tenant, session_id),
            consistency,
            limit=limit,
            newest_first=newest_first,
            qa_id=qa_id,
            judged_run_id=judged_run_id,
        )
    )


def snapshots(
    self: Views,
    session_id: str,
    *,
    tenant: str = "",
    consistency: Consistency = "strong",
) -> list[Snapshot]:
    """Return the states that were kept of a session, by name."""
    return run(self._reader.rows("snapshots", (tenant, session_id), consistency))


def snapshot(
    self: Views,
    session_id: str,
    name: str,
    *,
    tenant: str = "",
    as_of: Moment | None = None,
    consistency: Consistency = "strong",
) -> Snapshot | None:
    """Return a kept state of a session, or None."""
    found: Snapshot | None = run(
        self._reader.row("snapshots", (tenant, session_id, name), consistency, as_of)
    )
    return found
