"""What both faces of the handlers do while they watch. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ..errors import HandlerFailed, HandlerSuperseded
from .handling_reports import HandlingReport

#: One wait's length. It bounds how long `stop` goes unnoticed, and when what others have claimed,
#: or what is to be tried again, is looked at.
WAIT_S = 0.5
_PAUSE_FIRST_S = 0.05
_PAUSE_LONGEST_S = WAIT_S


class Pauses:
    """The waits between tries to reach a server, which double."""

    def __init__(self) -> None:
        self._next_s = _PAUSE_FIRST_S

    def reset(self) -> None:
        """Begin with the shortest one: the server was reached."""
        self._next_s = _PAUSE_FIRST_S

    def next_s(self) -> float:
        """Return how long to wait now."""
        now_s, self._next_s = self._next_s, min(2 * self._next_s, _PAUSE_LONGEST_S)
        return now_s


def tell(
    report: HandlingReport, on_failure: Callable[[HandlerFailed], None] | None
) -> HandlingReport:
    """Tell of each failure, and return the report."""
    if on_failure is not None:
        for failure in report.failures:
            on_failure(failure)
    return report


def check_some_left(report: HandlingReport, handlers: Collection[str]) -> None:
    """Raise HandlerSuperseded if none of the handlers has anything left to do, for good."""
    if len(report.superseded) == len(handlers):
        raise HandlerSuperseded(report.superseded)
