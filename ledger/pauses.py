"""How long to wait between tries. Pure."""

from __future__ import annotations


class Pauses:
    """Waits of which each is twice as long as the one before, up to the longest."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = self._next_s = first_s
        self._longest_s = longest_s

    def reset(self) -> None:
        """Begin with the shortest one: what was waited for is there."""
        self._next_s = self._first_s

    def next_s(self) -> float:
        """Return how long to wait now."""
        now_s, self._next_s = self._next_s, min(2 * self._next_s, self._longest_s)
        return now_s
