"""What a ledger refuses of a fact, by the name under which the store was given it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ledger import InvalidEvent, NewEvent
from ledger.batch import Door

from ..refused_facts import PAYLOAD, first_refused, unplaced

#: Type and place in a fact -> what the calls of the stores have there; the inner place comes first.
_GIVEN = {
    ("usage.recorded", "input_tokens"): "tokens_in",
    ("usage.recorded", "output_tokens"): "tokens_out",
    ("context.rated", "helpful_delta"): "helpful",
    ("context.rated", "harmful_delta"): "harmful",
    ("context.amended", "context_id"): "entry_id",
    ("graph_context.set", "content"): "context",
    ("snapshot.saved", "state.value"): "value",
    ("snapshot.saved", "state"): "value",
    ("audit.recorded", "data.entry"): "log_entry",
    ("audit.recorded", "data"): "log_entry",
}
#: Type of a fact -> what all of it is called, where it is too much as a whole.
_WHOLE = {
    "qa.recorded": "entry",
    "qa.amended": "updates",
    "trace.appended": "step",
    "context.put": "entry",
    "context.amended": "changes",
    "feedback.given": "feedback",
    "graph_context.set": "context",
    "consumer.offset_advanced": "state",
    "snapshot.saved": "value",
    "audit.recorded": "log_entry",
}


def refused(
    door: Door, session: tuple[str, str], facts: Iterable[NewEvent], error: InvalidEvent
) -> InvalidEvent:
    """Return a refusal of facts by what the first that is refused was made of."""
    found = first_refused(door, session, facts)
    return unplaced(error) if found is None else given(*found)


def given(fact: NewEvent, error: InvalidEvent) -> InvalidEvent:
    """Return the refusal of a fact by what it was made of."""
    whole, _, field = error.event_field.partition(".")
    if whole == "occurred_at":
        return InvalidEvent("clock", error.reason)  # of which all of them have their time
    if whole != PAYLOAD:
        return unplaced(error)
    type_ = str(fact.type)
    if not field:
        return InvalidEvent(_WHOLE.get(type_, whole), error.reason)
    for (type, place), name in _GIVEN.items():
        inside = field.removeprefix(place)
        if type == type_ and inside != field and inside[:1] in ("", ".", "["):
            return InvalidEvent(name + inside, error.reason)
    return InvalidEvent(field, error.reason)
