"""Builders for the tests of the sessions view."""

from __future__ import annotations

from typing import Any

from ledger.catalogue import Fact, VariableSet
from projections.folds.sessions import SESSIONS, Session
from tests.support.folds import at, events_of, only

FILLER = VariableSet(name="x", value=1)


def session_after(*facts: Fact) -> Session:
    """Return the one session after these facts, one a second."""
    session = only(SESSIONS, events_of(*facts))
    assert isinstance(session, Session)
    return session


def expected(events: int, **fields: Any) -> Session:
    """Return the session after that many events, one a second, that never ended."""
    usual: dict[str, Any] = {
        "tenant": "t",
        "session_id": "s",
        "first_sequence": 1,
        "last_sequence": events,
        "position": 100 + events,
        "event_count": events,
        "status": "active",
        "created_at": at(1),
        "last_activity_at": at(events),
        "updated_at": at(events),
    }
    return Session(**usual | fields)
