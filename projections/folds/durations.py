"""How long something took, in whole microseconds."""

from __future__ import annotations

from datetime import datetime, timedelta

_MICROSECOND = timedelta(microseconds=1)
_MILLISECOND_US = 1_000
#: What a column holds.
_DURATION_US_MAX = 2**63 - 1


def whole_us(milliseconds: float) -> int | None:
    """Return milliseconds as whole microseconds; None for more of them than a column holds.

    So many were taken once, and stand in logs.
    """
    exact = milliseconds * _MILLISECOND_US
    # It may be infinite, which cannot be rounded.
    return None if exact > _DURATION_US_MAX else round(exact)


def duration_us(started_at: datetime, ended_at: datetime) -> int:
    """Return the microseconds between two moments, none if the clock went backwards."""
    # Start and end may be told by two machines; nothing ever took less than no time.
    return (ended_at - started_at) // _MICROSECOND if ended_at > started_at else 0
