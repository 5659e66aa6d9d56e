"""What running handlers came to. Pure."""

from __future__ import annotations

import msgspec

from ...errors import HandlerFailed


class HandlingReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to.

    `called` counts the calls that returned. `failures` are events at which a handler stopped.
    `held` are (handler, bucket) that others had claimed, with events left to them. `superseded`
    are handlers that were not run, because a higher version of theirs is in effect.
    """

    called: int = 0
    failures: tuple[HandlerFailed, ...] = ()
    held: tuple[tuple[str, int], ...] = ()
    superseded: tuple[str, ...] = ()


class Round:
    """One look at all buckets of all handlers."""

    def __init__(self) -> None:
        self.called = 0
        self.moved = False
        self.failures: list[HandlerFailed] = []
        self.held: list[tuple[str, int]] = []
        self.superseded: list[str] = []

    def report(self, called: int, failures: list[HandlerFailed]) -> HandlingReport:
        """Return the report of a run that ends with this look."""
        return HandlingReport(
            called=called,
            failures=tuple(failures),
            held=tuple(self.held),
            superseded=tuple(self.superseded),
        )
