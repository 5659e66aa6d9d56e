"""Which facts do not fit a session as a whole, and what is made of them. Pure."""

from __future__ import annotations

from typing import Protocol

from ledger.events import Event

from ..engine.projection import payload
from .anomalies import Marked, anomaly
from .changes import Changes

_BEGINNINGS = frozenset({"run.created", "run.started"})
_CHANGES = frozenset(
    {"run.finished", "run.failed", "run.cancelled", "run.timed_out", "run.amended"}
)
_OF_RUNS = _BEGINNINGS | _CHANGES
_WORK = frozenset(
    {"turn.started", "message.appended", "tool.started", "usage.recorded", *_BEGINNINGS},
)
# What these say presumes that the session is known; any other fact may be a session's first.
_PRESUMING = _CHANGES | {
    *("session.rekeyed", "session.amended", "session.status_changed", "session.closed"),
    *("session.labelled", "session.tagged", "session.archived", "session.restored"),
}
#: Of all others every one fits a session that has not ended.
JUDGED = _OF_RUNS | _PRESUMING | {"feedback.cleared"}


class Judging(Marked, Protocol):
    """What is known of the session."""

    @property
    def event_count(self) -> int: ...
    @property
    def created_sequence(self) -> int | None: ...
    @property
    def forked_from(self) -> str | None: ...


def misfit(session: Judging, event: Event, ended: str | None) -> Changes:
    """Return the anomaly of a fact that does not fit, nothing of one that does.

    The session may have `ended` in a status.
    """
    reason = _reason(
        event,
        first=not session.event_count,
        created=session.created_sequence is not None or session.forked_from is not None,
        ended=ended,
    )
    return {} if reason is None else anomaly(session, event, reason)


def _reason(event: Event, *, first: bool, created: bool, ended: str | None) -> str | None:
    """Say what was made of a fact that does not fit."""
    if event.type in _OF_RUNS and event.run_id is None:
        return "applied to no run, it names none"
    if event.type == "feedback.cleared" and _clears_nothing(event):
        return "applied to nothing, it names neither answer nor run"
    if ended is not None:
        return f"counted, the session was {ended}" if event.type in _WORK else None
    if event.type in _BEGINNINGS and not created:
        return "applied, nobody had created the session"
    if event.type in _PRESUMING and first:
        return "applied, nobody had seen the session"
    return None


def _clears_nothing(event: Event) -> bool:
    data = payload(event)
    return event.run_id is None and not data.get("qa_id") and not data.get("run_id")
