"""What a ledger refuses of a save, or of an event, by the name that its caller has for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ledger import InvalidArgument, InvalidEvent, NewEvent
from ledger.batch import Door

from ..refused_facts import first_refused, renamed, unplaced
from .message_changes import Placed
from .runtime_events import ENVELOPE, place_of

_MESSAGES = "session.chat_messages"
#: What a fact of the store's own is about, if it is no message.
_ABOUT = {
    "session.created": "session.id",
    "session.rekeyed": "session.id",
    "approval.decided": "session.always_allowed_actions",
    "approval.revoked": "session.always_allowed_actions",
}


def refused_save(
    door: Door,
    session: tuple[str, str],
    facts: Sequence[NewEvent],
    messages: Sequence[Placed],
    told: Sequence[tuple[NewEvent, Any]],
    error: InvalidEvent | InvalidArgument,
) -> InvalidEvent | InvalidArgument:
    """Return a refusal by what the first fact that is refused says of the session.

    `messages` are the session's, in order; `told` are facts that were handed in, and as what.
    """
    if isinstance(error, InvalidArgument):
        of_messages = len(facts) - len(told) > len(told)
        if error.argument != "events" or not of_messages:
            return error
        return InvalidArgument(_MESSAGES, f"{error.reason}: save them in parts")
    refused = first_refused(door, session, facts)
    if refused is None:
        return unplaced(error)
    fact, first = refused
    for place, (new, given) in enumerate(told):
        if new is fact:
            return refused_event(given, first, f"events[{place}]")
    return renamed(first, _about(fact, messages))


def refused_event(given: Any, error: InvalidEvent, place: str = "event") -> InvalidEvent:
    """Return a refusal of an event that was handed in; a NewEvent has a payload of its own."""
    if isinstance(given, Mapping):
        if error.event_field in ENVELOPE:
            return InvalidEvent(f"{place}.{ENVELOPE[error.event_field]}", error.reason)
        return renamed(error, place, partial(place_of, given))
    return error if place == "event" else InvalidEvent(f"{place}.{error.field}", error.reason)


def _about(fact: NewEvent, messages: Sequence[Placed]) -> str:
    said = fact.payload if isinstance(fact.payload, Mapping) else {}
    named = said.get("message_id", fact.event_id)
    for place, message in enumerate(messages):
        if message.message_id == named:
            return f"{_MESSAGES}[{place}]"
    return _ABOUT.get(str(fact.type), "session")
