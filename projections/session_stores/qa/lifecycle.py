"""Cognee's session lifecycle on a ledger: records, usage, statistics and watermarks, for threads."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ledger.plans import run

from ...folds.consumers import Consumer
from ...folds.session_status import ABANDONED_AFTER_S
from ...readers.arguments import instance
from ...readers.listing_cursors import ViewPage
from .ids import Key
from .lifecycle_plans import LifecyclePlans
from .lifecycle_records import (
    LifecycleDetail,
    LifecycleOrder,
    LifecycleRecord,
    LifecycleStats,
    LifecycleStatus,
    ModelCost,
)
from .records import SessionQAEntry, SessionTraceStep
from .store import QAStore


class QALifecycle:
    """How the sessions of a store stand, what they used, and who has worked through what.

    Records are the rows of sessions that everybody reads, so nothing has to be kept in step.
    `abandoned_after_s` is after how many seconds a session without an end counts as left. Lists
    are of one owner, nobody if no `user_id` is given; those of all users are asked for by
    `everyone`. A user's are those whose id says so, whichever store began them.
    """

    def __init__(self, store: QAStore, *, abandoned_after_s: float = ABANDONED_AFTER_S) -> None:
        self._core = instance(store, "store", QAStore).core
        self._plans = LifecyclePlans(self._core, abandoned_after_s)

    def ensure_and_touch(
        self, session_id: Key, *, user_id: Key | None = None, dataset_id: Key | None = None
    ) -> LifecycleRecord:
        """Begin a session, or note that somebody is at it; one that has ended stays as it is.

        The dataset is filled in once.
        """
        return run(self._plans.touch(self._core.place(session_id, user_id), dataset_id))

    def accumulate_usage(
        self,
        session_id: Key,
        *,
        user_id: Key | None = None,
        model: str | None = None,
        tokens_in: int = 0,
        tokens_out: int = 0,
        cost_usd: float = 0.0,
        errored: bool = False,
    ) -> int | None:
        """Add what a call to a model used and return the sequence; None if that is nothing.

        After the end of a session it is counted and marked as an anomaly.
        """
        used = {
            "model": model,
            "input_tokens": tokens_in,
            "output_tokens": tokens_out,
            "cost_usd": cost_usd,
            "errored": errored,
        }
        return run(self._plans.accumulate(self._core.place(session_id, user_id), used))

    def mark_ended(
        self,
        session_id: Key,
        status: str = "completed",
        *,
        reason: str | None = None,
        user_id: Key | None = None,
    ) -> bool:
        """End a session as completed or failed; False if it is not there or has ended already."""
        return run(self._plans.end(self._core.place(session_id, user_id), status, reason))

    def session_record(
        self, session_id: Key, *, user_id: Key | None = None
    ) -> LifecycleRecord | None:
        """Return the record of a session, or None."""
        return run(self._plans.record(self._core.place(session_id, user_id)))

    def session_records(
        self,
        *,
        user_id: Key | None = None,
        everyone: bool = False,
        dataset_id: Key | None = None,
        status: LifecycleStatus | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        order_by: LifecycleOrder = "last_activity_at",
        descending: bool = True,
        limit: int = 50,
        cursor: str | None = None,
    ) -> ViewPage[LifecycleRecord]:
        """Return a page of records, and the cursor of the next one.

        By one of last_activity_at, started_at, cost_usd, tokens_in and tokens_out, then by id; what
        does not change meanwhile is neither skipped nor doubled. `status` is the effective one.
        `since` is included and `until` is not, both by last activity. No view knows nobody's
        sessions: those of all users are read, up to 1,000 at once, until a page is full.
        """
        plan = self._plans.page(
            user_id,
            everyone=everyone,
            status=status,
            order_by=order_by,
            limit=limit,
            cursor=cursor,
            descending=descending,
            dataset_id=dataset_id,
            since=since,
            until=until,
        )
        return run(plan)

    def count_sessions(
        self,
        *,
        user_id: Key | None = None,
        everyone: bool = False,
        dataset_id: Key | None = None,
        status: LifecycleStatus | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> int:
        """Return how many records there are; the filters are those of the pages.

        Reads what `stats` does, of a `status` only the sessions that may have it.
        """
        plan = self._plans.count(
            user_id,
            everyone=everyone,
            status=status,
            dataset_id=dataset_id,
            since=since,
            until=until,
        )
        return run(plan)

    def stats(
        self,
        *,
        user_id: Key | None = None,
        everyone: bool = False,
        dataset_id: Key | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> LifecycleStats:
        """Return what became of sessions, and what they used, added up.

        Reads a row per session; of everyone's, in a store without expiry, the database adds them up.
        """
        plan = self._plans.stats(
            user_id, everyone=everyone, dataset_id=dataset_id, since=since, until=until
        )
        return run(plan)

    def cost_by_model(
        self,
        *,
        user_id: Key | None = None,
        everyone: bool = False,
        dataset_id: Key | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[ModelCost]:
        """Return what each model was used for, the dearest first. Reads a row per session."""
        plan = self._plans.costs(
            user_id, everyone=everyone, dataset_id=dataset_id, since=since, until=until
        )
        return run(plan)

    def session_detail(
        self, session_id: Key, *, user_id: Key | None = None
    ) -> LifecycleDetail | None:
        """Return a session with its last 20 answers and steps, or None."""
        return run(self._plans.detail(self._core.place(session_id, user_id)))

    def watermark(
        self, session_id: Key, consumer: str, *, user_id: Key | None = None
    ) -> Consumer | None:
        """Return how far a consumer of a session has come, None if it never said."""
        return run(self._plans.offset(self._core.place(session_id, user_id), consumer))

    def advance_watermark(
        self,
        session_id: Key,
        consumer: str,
        sequence: int,
        *,
        state: Any = None,
        back: bool = False,
        user_id: Key | None = None,
    ) -> bool:
        """Note that a consumer is done up to a sequence, and what it wants to find again.

        False, and nothing stored, if it was as far already; with `back` it may go back. Raises
        InvalidArgument for a sequence that the session has not reached.
        """
        place = self._core.place(session_id, user_id)
        return run(self._plans.advance(place, consumer, sequence, state, back=back))

    def new_entries(
        self,
        session_id: Key,
        consumer: str,
        *,
        limit: int | None = None,
        user_id: Key | None = None,
    ) -> list[SessionQAEntry]:
        """Return the answers that a consumer is not done with, the oldest first."""
        place = self._core.place(session_id, user_id)
        return run(self._plans.new_entries(place, consumer, limit))

    def new_trace_steps(
        self,
        session_id: Key,
        consumer: str,
        *,
        limit: int | None = None,
        user_id: Key | None = None,
    ) -> list[SessionTraceStep]:
        """Return the steps that a consumer is not done with, the oldest first."""
        place = self._core.place(session_id, user_id)
        return run(self._plans.new_steps(place, consumer, limit))
