"""How long something took, in whole microseconds."""

from __future__ import annotations

from datetime import datetime, timedelta

_MICROSECOND = timedelta(microseconds=1)


def duration_us(started_at: datetime, ended_at: datetime) -> int:
    """Return the microseconds between two moments, none if the clock went backwards."""
    # Start and end may be told by two machines; nothing ever took less than no time.
    return (ended_at - started_at) // _MICROSECOND if ended_at > started_at else 0
