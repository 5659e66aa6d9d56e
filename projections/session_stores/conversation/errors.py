"""Errors of the conversation store; they join the ledger's tree, see ledger.errors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ledger import InvalidEvent, NewEvent, StopError

from ...errors import shown
from ...folds.scripts import VARIABLES_MAX
from .fields import moments
from .rows import REMAINDER


class RemainderUnreadable(StopError):
    """Find out who kept this under the store's name; the facts of the session are not affected."""

    def __init__(self, session_id: str, sequence: int, reason: str) -> None:
        self.session_id = session_id
        self.sequence = sequence
        self.reason = reason
        super().__init__(
            f"What session {session_id!r} kept at sequence {sequence} is none of this store:"
            f" {reason}."
        )


def within(place: str, key: str) -> str:
    """Return the name of an entry's place, of a long key its beginning."""
    return shown(f"{place}.{key}")


def too_early(fact: NewEvent, error: InvalidEvent, session: Mapping[str, Any]) -> InvalidEvent:
    """Return a refusal of a fact's time by the field of the session that says it, if one does."""
    for place, moment in moments(session):
        if datetime.fromisoformat(moment) == fact.occurred_at:
            return InvalidEvent(shown(f"session.{place}"), error.reason)
    return error


def too_large(fact: NewEvent, error: InvalidEvent) -> InvalidEvent:
    """Return a refusal of a fact's payload by what the fact says of a session."""
    said = fact.payload if isinstance(fact.payload, Mapping) else {}
    if fact.type == "variable.set":
        scenario_id = said.get("scenario_id")
        of = "" if scenario_id is None else f"active_scenarios.{scenario_id}."
        return InvalidEvent(within(f"session.{of}variables", said["name"]), error.reason)
    if fact.type == "snapshot.saved" and said.get("name") == REMAINDER:
        kept = f"variables and rules beyond the first {VARIABLES_MAX} among it"
        return InvalidEvent("session", f"what no fact says of it, {kept}, has {error.reason}")
    return error
