"""A token bucket: how long to wait so that a rate is kept on the average. No clock of its own."""

from __future__ import annotations

#: What may be done at once after a pause; less than a second of work would never be caught up.
BURST_S = 1.0


class TokenBucket:
    """Tokens come at a rate; who takes more than there are waits until they have come."""

    def __init__(self, per_second: float, now_s: float) -> None:
        self._per_second = per_second
        self._tokens = 0.0
        self._seen_s = now_s

    def take(self, tokens: float, now_s: float) -> float:
        """Take tokens and return the seconds to wait; at most BURST_S of a pause is made up for."""
        came = (now_s - self._seen_s) * self._per_second
        self._tokens = min(self._tokens + came, self._per_second * BURST_S) - tokens
        self._seen_s = now_s
        return max(0.0, -self._tokens / self._per_second)
