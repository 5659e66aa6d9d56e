"""Cognee's lifecycle rows as they are read from the rows of sessions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from ...folds.session_status import ABANDONABLE, ABANDONED, TERMINAL, TRANSITIONS
from ...folds.sessions import Session
from ...folds.sums import NANO_USD
from ...readers.session_lists import SessionOrder, SessionStats
from .ids import place_of_row
from .records import SessionQAEntry, SessionTraceStep

RUNNING = "running"
#: How the ends of sessions are called here, whoever ended them.
ENDS = {"completed": "completed", "closed": "completed", "failed": "failed", "cancelled": "failed"}
LifecycleStatus = Literal["running", "completed", "failed", "abandoned"]
LifecycleOrder = Literal["last_activity_at", "started_at", "cost_usd", "tokens_in", "tokens_out"]
#: The orders of a list, and by which column of a session's row they go.
ORDERS: dict[LifecycleOrder, SessionOrder] = {
    "last_activity_at": "last_activity_at",
    "started_at": "created_at",
    "cost_usd": "cost_nano_usd",
    "tokens_in": "input_tokens",
    "tokens_out": "output_tokens",
}
STATUSES = (RUNNING, "completed", "failed", ABANDONED)
#: What the rows of sessions say of which this is how they stand; what was left says nothing else
#: than what goes on does.
SAID: dict[LifecycleStatus, tuple[str, ...]] = {
    "running": tuple(sorted(TRANSITIONS)),
    "completed": tuple(sorted(one for one, end in ENDS.items() if end == "completed")),
    "failed": tuple(sorted(one for one, end in ENDS.items() if end == "failed")),
    "abandoned": tuple(sorted(ABANDONABLE)),
}
ENTRIES_SHOWN = 20


class LifecycleRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A session of a user, what it used, and how it stands.

    `status` is running, completed or failed; `effective_status` is abandoned for one that was left
    without an end. Nobody stores that.
    """

    session_id: str
    user_id: str | None
    dataset_id: str | None
    status: str
    effective_status: str
    started_at: datetime
    last_activity_at: datetime
    ended_at: datetime | None
    tokens_in: int
    tokens_out: int
    cost_usd: float
    error_count: int
    last_model: str | None
    label: str | None


class LifecycleStats(msgspec.Struct, frozen=True, kw_only=True):
    """What became of sessions, and what they used; times are in seconds.

    `success_rate` is the completed among those that ended or were abandoned, 1.0 if none did.
    """

    sessions: int
    completed: int
    failed: int
    abandoned: int
    running: int
    tokens_in: int
    tokens_out: int
    tokens_total: int
    total_spend_usd: float
    avg_spend_per_session_usd: float
    agent_time_s: float
    avg_session_s: float
    success_rate: float


class ModelCost(msgspec.Struct, frozen=True, kw_only=True):
    """What one model was used for, in how many sessions."""

    model: str
    sessions: int
    tokens_in: int
    tokens_out: int
    cost_usd: float


class LifecycleDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A session with its last answers and steps, and how many of each it has."""

    record: LifecycleRecord
    msg_count: int
    tool_calls: int
    qas: list[SessionQAEntry]
    traces: list[SessionTraceStep]


def record_of(row: Session, now: datetime, abandoned_after_s: float) -> LifecycleRecord:
    """Return a session's record as it stands at a moment."""
    place = place_of_row(row)
    status = ENDS[row.status] if row.status in TERMINAL else RUNNING
    abandoned = row.status_at(now, abandoned_after_s) == ABANDONED
    return LifecycleRecord(
        session_id=place.session_id,
        user_id=place.user_id,
        dataset_id=row.dataset_id,
        status=status,
        effective_status=ABANDONED if abandoned else status,
        started_at=row.created_at,
        last_activity_at=row.last_activity_at,
        ended_at=row.ended_at,
        tokens_in=row.input_tokens,
        tokens_out=row.output_tokens,
        cost_usd=row.cost_usd,
        error_count=row.error_count,
        last_model=row.last_model,
        label=row.label,
    )


def counts_of(found: SessionStats) -> dict[str, int]:
    """Return how many sessions stand how, of the sums of a view."""
    return _counts(found.status_counts.items())


def stats_of_sums(found: SessionStats) -> LifecycleStats:
    """Return what a view added up as cognee has it."""
    return _stats(
        counts_of(found),
        found.input_tokens,
        found.output_tokens,
        found.cost_nano_usd,
        timedelta(microseconds=found.duration_us),
    )


def stats_of(found: Sequence[tuple[Session, LifecycleRecord]]) -> LifecycleStats:
    """Return the sums over sessions and their records."""
    rows = [row for row, _ in found]
    lasted = ((row.ended_at or row.last_activity_at) - row.created_at for row in rows)
    return _stats(
        _counts((record.effective_status, 1) for _, record in found),
        sum(row.input_tokens for row in rows),
        sum(row.output_tokens for row in rows),
        # As whole numbers: sums of models are the same then, whatever is added to what first.
        sum(row.cost_nano_usd for row in rows),
        sum(lasted, timedelta()),
    )


def _counts(statuses: Iterable[tuple[str, int]]) -> dict[str, int]:
    counts = dict.fromkeys(STATUSES, 0)
    for status, count in statuses:
        counts[ABANDONED if status == ABANDONED else ENDS.get(status, RUNNING)] += count
    return counts


def _stats(
    counts: Mapping[str, int], tokens_in: int, tokens_out: int, nano_usd: int, lasted: timedelta
) -> LifecycleStats:
    sessions = sum(counts.values())
    spent, over = nano_usd / NANO_USD, sessions - counts[RUNNING]
    return LifecycleStats(
        sessions=sessions,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        tokens_total=tokens_in + tokens_out,
        total_spend_usd=spent,
        avg_spend_per_session_usd=spent / sessions if sessions else 0.0,
        agent_time_s=lasted.total_seconds(),
        avg_session_s=lasted.total_seconds() / sessions if sessions else 0.0,
        success_rate=counts["completed"] / over if over else 1.0,
        completed=counts["completed"],
        failed=counts["failed"],
        abandoned=counts[ABANDONED],
        running=counts[RUNNING],
    )


def costs_of(rows: Iterable[Session]) -> list[ModelCost]:
    """Return what each model was used for, the dearest first; from the same sums as the records'."""
    found: dict[str, list[int]] = {}
    for row in rows:
        for model, used in row.model_usage.items():
            sums = found.setdefault(model, [0, 0, 0, 0])
            more = (1, used.input_tokens, used.output_tokens, used.cost_nano_usd)
            found[model] = [one + other for one, other in zip(sums, more, strict=True)]
    costs = [
        ModelCost(
            model=model,
            sessions=sums[0],
            tokens_in=sums[1],
            tokens_out=sums[2],
            cost_usd=sums[3] / NANO_USD,
        )
        for model, sums in found.items()
    ]
    return sorted(costs, key=lambda one: (-one.cost_usd, one.model))
