"""What a ledger refuses of records and events, by the names that an orchestrator has for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ledger import InvalidEvent, NewEvent
from ledger.batch import Door
from ledger.refusals import shown

from ..refused_facts import PAYLOAD, first_refused, renamed

#: The ledger's field of an event -> the orchestrator's.
_FIELDS = {PAYLOAD: "data", "event_id": "id", "occurred_at": "timestamp"}
#: What the types of facts begin with that a record becomes.
_RECORDS = ("session", "run")


def refused(
    door: Door, session: tuple[str, str], facts: Sequence[NewEvent], error: InvalidEvent
) -> InvalidEvent:
    """Return a refusal by what the first fact that is refused says of a session, a run or an event."""
    found = first_refused(door, session, facts)
    if found is None:
        return error
    fact, first = found
    record = str(fact.type).partition(".")[0]
    return renamed(first, record) if record in _RECORDS else _in_event(first, fact)


def _in_event(error: InvalidEvent, fact: NewEvent) -> InvalidEvent:
    name, *rest = error.field.split(".")
    given = (fact.metadata or {}).get("id", fact.event_id)
    return InvalidEvent(
        ".".join([_FIELDS.get(name, name), *rest]), f"of event {shown(given)}: {error.reason}"
    )
