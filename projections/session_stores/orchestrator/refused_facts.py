"""What a ledger refuses of records and events, by the names that an orchestrator has for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ledger import InvalidEvent, NewEvent
from ledger.batch import Door
from ledger.refusals import shown

_PAYLOAD = "payload"
#: The ledger's field of an event -> the orchestrator's.
_FIELDS = {_PAYLOAD: "data", "event_id": "id", "occurred_at": "timestamp"}
#: What the types of facts begin with that a record becomes.
_RECORDS = ("session", "run")


def refused(
    door: Door, session: tuple[str, str], facts: Sequence[NewEvent], error: InvalidEvent
) -> InvalidEvent:
    """Return a refusal by what the first fact that is refused says of a session, a run or an event."""
    for fact in facts:
        try:
            door.draft(*session, fact)
        except InvalidEvent as first:
            record = str(fact.type).partition(".")[0]
            return in_record(first, record) if record in _RECORDS else _in_event(first, fact)
    return error


def in_record(error: InvalidEvent, record: str) -> InvalidEvent:
    """Return a refusal of a fact by the record that it was to be of."""
    name, _, field = error.field.partition(".")
    if name != _PAYLOAD:
        return error
    return InvalidEvent(f"{record}.{field}" if field else record, error.reason)


def _in_event(error: InvalidEvent, fact: NewEvent) -> InvalidEvent:
    name, *rest = error.field.split(".")
    given = (fact.metadata or {}).get("id", fact.event_id)
    return InvalidEvent(
        ".".join([_FIELDS.get(name, name), *rest]), f"of event {shown(given)}: {error.reason}"
    )
