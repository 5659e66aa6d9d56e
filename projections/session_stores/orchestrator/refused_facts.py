"""What a ledger refuses of records and events, by the names that an orchestrator has for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ledger import InvalidEvent, NewEvent
from ledger.batch import Door
from ledger.refusals import shown

from ..refused_facts import PAYLOAD, first_refused, renamed, unplaced
from .runs import ENDINGS

#: The ledger's field of an event -> the orchestrator's.
_FIELDS = {PAYLOAD: "data", "event_id": "id", "occurred_at": "timestamp"}
#: Where the envelope keeps what the ledger has no field for.
_PROVIDER = "metadata.provider"
#: What the types of facts begin with that a record becomes -> the record.
_RECORDS = {"session": "session", "run": "run", "usage": "run"}
#: The record's field that the time of a fact is from; of all others it is that of the last change.
_MOMENTS = {
    "session.created": "created_at",
    "session.archived": "deleted_at",
    **dict.fromkeys(("run.created", "run.started"), "started_at"),
    **dict.fromkeys(ENDINGS, "ended_at"),
    # Or at the beginning, which is told, and so refused, before them.
    **dict.fromkeys(("usage.recorded", "run.amended"), "ended_at"),
}


def refused(
    door: Door, session: tuple[str, str], facts: Sequence[NewEvent], error: InvalidEvent
) -> InvalidEvent:
    """Return a refusal by what the first fact that is refused says of a session, a run or an event."""
    found = first_refused(door, session, facts)
    if found is None:
        return unplaced(error)
    fact, first = found
    record = _RECORDS.get(str(fact.type).partition(".")[0])
    if record is None:
        return _in_event(first, fact)
    if first.field == "occurred_at":
        moment = _MOMENTS.get(str(fact.type), "updated_at")
        return InvalidEvent(f"{record}.{moment}", first.reason)
    return renamed(first, record)


def _in_event(error: InvalidEvent, fact: NewEvent) -> InvalidEvent:
    name, *rest = ["provider"] if error.field == _PROVIDER else error.field.split(".")
    given = (fact.metadata or {}).get("id", fact.event_id)
    return InvalidEvent(
        ".".join([_FIELDS.get(name, name), *rest]), f"of event {shown(given)}: {error.reason}"
    )
