"""What both faces of the handlers do while they watch. Pure."""

from __future__ import annotations

from collections.abc import Collection

from ...errors import HandlerFailed, HandlerSuperseded
from ..announcing import Announcer
from .reports import HandlingReport

#: One wait's length. It bounds how long `stop` goes unnoticed, and when what others have claimed,
#: or what is to be tried again, is looked at.
WAIT_S = 0.5
#: The first wait between tries to reach a server; they double up to WAIT_S.
PAUSE_FIRST_S = 0.05


def tell(report: HandlingReport, announcer: Announcer[HandlerFailed]) -> HandlingReport:
    """Tell of each failure, and return the report."""
    for failure in report.failures:
        announcer.failed(failure)
    return report


def check_some_left(report: HandlingReport, handlers: Collection[str]) -> None:
    """Raise HandlerSuperseded if none of the handlers has anything left to do, for good."""
    if len(report.superseded) == len(handlers):
        raise HandlerSuperseded(report.superseded)
