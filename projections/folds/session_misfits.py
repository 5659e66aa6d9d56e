"""Which facts do not fit a session as a whole, and what is made of them. Pure."""

from __future__ import annotations

from ledger.events import Event

from ..engine.projection import payload

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


def misfit(event: Event, *, first: bool, created: bool, ended: str | None) -> str | None:
    """Say what was made of a fact that does not fit, None of one that does.

    The session may be at its `first` fact, be `created` or forked, and have `ended` in a status.
    """
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
