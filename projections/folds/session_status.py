"""The statuses of a session: what follows what, which end it, which can be abandoned."""

from __future__ import annotations

from datetime import datetime, timedelta

ABANDONED = "abandoned"
ABANDONED_AFTER_S = 1_800.0
# A pending session never began, and a paused one waits because somebody wants it to.
ABANDONABLE = frozenset({"active", "idle", "processing", "interrupted"})

TERMINAL = frozenset({"completed", "failed", "cancelled", "closed"})
# Live status -> what may follow it; nothing follows a terminal one.
TRANSITIONS = {
    "pending": frozenset({"active", "idle", "processing", "failed", "cancelled", "closed"}),
    "active": frozenset({"idle", "processing", "interrupted", "paused"}) | TERMINAL,
    "idle": frozenset({"active", "processing", "interrupted", "paused"}) | TERMINAL,
    "processing": frozenset({"active", "idle", "interrupted", "paused"}) | TERMINAL,
    "interrupted": frozenset({"active", "idle", "processing", "paused"}) | TERMINAL,
    "paused": frozenset({"active", "processing"}) | TERMINAL,
}


def status_at(
    status: str, last_activity_at: datetime, now: datetime, abandoned_after_s: float
) -> str:
    """Return "abandoned" for a status that can be and an activity too long ago, else the status."""
    if status not in ABANDONABLE:
        return status
    return ABANDONED if last_activity_at < now - timedelta(seconds=abandoned_after_s) else status
