"""Where a runner leaves a handler alone: at events that failed, for good or until they are due."""

from __future__ import annotations

import msgspec

RETRY_FIRST_S = 0.5
RETRY_LONGEST_S = 60.0


class _Rest(msgspec.Struct, frozen=True):
    position: int
    pause_s: float
    due: float | None


class Rests:
    """Per bucket of a handler, the event at which it stands and when that is tried again."""

    def __init__(self) -> None:
        # One entry per bucket of a handler at most.
        self._rests: dict[tuple[str, int], _Rest] = {}

    def failed(self, name: str, bucket: int, position: int, now: float, *, retried: bool) -> None:
        """Note that the event behind a position failed; each time it is left alone for longer."""
        before = self._rests.get((name, bucket))
        again = before is not None and before.position == position
        pause_s = min(2 * before.pause_s, RETRY_LONGEST_S) if before and again else RETRY_FIRST_S
        self._rests[name, bucket] = _Rest(position, pause_s, now + pause_s if retried else None)

    def holds(self, name: str, bucket: int, position: int, now: float) -> bool:
        """Whether a handler that stands somewhere is to be left alone there."""
        rest = self._rests.get((name, bucket))
        if rest is None or rest.position != position:
            return False
        return rest.due is None or now < rest.due

    def clear(self) -> None:
        """Try everything again."""
        self._rests.clear()
