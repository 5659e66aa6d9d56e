"""Which fact of an append a ledger refuses, and its payload by another name. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ledger import InvalidEvent, NewEvent
from ledger.batch import Door

PAYLOAD = "payload"


def first_refused(
    door: Door, session: tuple[str, str], facts: Iterable[NewEvent]
) -> tuple[NewEvent, InvalidEvent] | None:
    """Return the first fact that is refused by itself, and how."""
    for fact in facts:
        try:
            door.draft(*session, fact)
        except InvalidEvent as error:
            return fact, error
    return None


def renamed(
    error: InvalidEvent, place: str, name: Callable[[str], str] | None = None
) -> InvalidEvent:
    """Return a refusal in which a place stands for the payload, and `name` says where a field is."""
    whole, _, field = error.event_field.partition(".")
    if whole != PAYLOAD:
        return unplaced(error)
    if field and name is not None:
        field = name(field)
    return InvalidEvent(f"{place}.{field}" if field else place, error.reason)


def unplaced(error: InvalidEvent) -> InvalidEvent:
    """Return a refusal without the place of a fact among others that the caller has not seen."""
    return InvalidEvent(error.event_field, error.reason) if error.place else error
