"""What a ledger refuses of a save, by the place of the session that says it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ledger import InvalidEvent, NewEvent
from ledger.refusals import shown as shown_value
from ledger.visible_text import shown

from ...folds.scripts import VARIABLES_MAX
from ..refused_facts import PAYLOAD, renamed
from .errors import within
from .fields import HISTORY, moments
from .rows import REMAINDER

Said = Mapping[str, Any]
# What others can be refused for is in fields of the session itself.
_PLACES = {
    "migration.marked": "session.pending_migration",
    "scenario.started": "session.scenario_checksum",
}


def refused_save(fact: NewEvent, error: InvalidEvent, session: Said) -> InvalidEvent:
    """Return the refusal of a save's own fact by the field of the session, as JSON, that it is about."""
    if error.field == "occurred_at":
        return _too_early(fact, error, session)
    said = fact.payload if isinstance(fact.payload, Mapping) else {}
    if fact.type == "variable.set":
        scenario_id = said.get("scenario_id")
        of = "" if scenario_id is None else f"active_scenarios.{scenario_id}."
        return _of_entry(error, f"session.{of}variables", said["name"])
    if fact.type == "rule.fired":
        return _of_entry(error, "session.rule_fires", said["rule_id"])
    if fact.type == "scenario.step_entered":
        return renamed(error, f"session.{HISTORY}{_number(said, session)}")
    if fact.type == "snapshot.saved" and said.get("name") == REMAINDER:
        kept = f"variables and rules beyond the first {VARIABLES_MAX} among it"
        return InvalidEvent("session", f"what no fact says of it, {kept}, has {error.reason}")
    return renamed(error, _PLACES.get(str(fact.type), "session"))


def _too_early(fact: NewEvent, error: InvalidEvent, session: Said) -> InvalidEvent:
    for place, moment in moments(session):
        if datetime.fromisoformat(moment) == fact.occurred_at:
            return InvalidEvent(shown(f"session.{place}"), error.reason)
    return error


def _of_entry(error: InvalidEvent, place: str, key: str) -> InvalidEvent:
    if error.field == PAYLOAD:
        return InvalidEvent(within(place, key), error.reason)
    return InvalidEvent(place, f"key {shown_value(key)}: {error.reason}")


def _number(said: Said, session: Said) -> str:
    """Return which of the steps a fact tells, "" if it is none of them."""
    for number, visit in enumerate(session[HISTORY]):
        if all(visit[name] == value for name, value in said.items() if name in visit):
            return f"[{number}]"
    return ""
