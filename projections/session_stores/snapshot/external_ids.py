"""External ids: the texts of one that is a UUID, and the events that would give one away. Pure."""

from __future__ import annotations

from typing import Any

from ledger import InvalidArgument, InvalidEvent, NewEvent
from ledger.batch import Door
from ledger.codec import decode_json
from ledger.events import JSON_CONTENT_TYPE
from ledger.refusals import shown

from ..uuid_texts import hyphenated, is_uuid

_CREATED, _REKEYED = "session.created", "session.rekeyed"


def texts_of(external_id: Any) -> list[Any]:
    """Return the texts that an external id may be kept under, the given one first."""
    if not isinstance(external_id, str) or not is_uuid(external_id):
        return [external_id]  # of another type it is for the views to refuse
    kept = hyphenated(external_id)
    return list(dict.fromkeys((external_id, kept, kept.replace("-", ""))))


def kept_as(external_id: str | None, stored: str | None) -> str | None:
    """Return the external id that a session is saved with, None if it says none.

    A UUID has hyphens, unless somebody gave it to this session without.
    """
    if external_id is None or external_id == stored:
        return external_id
    text = hyphenated(external_id)
    return stored if stored is not None and hyphenated(stored) == text else text


def check_told(
    door: Door, session: tuple[str, str], told: NewEvent, external_id: str | None, argument: str
) -> None:
    """Raise InvalidArgument for an event that says another external id than the session has.

    A save claims the one that it gives to a session; an event would give it to a second one.
    """
    kind: object = told.type
    if kind is None:
        kind = getattr(type(told.payload), "event_type", None)
    if not isinstance(kind, str) or kind not in (_CREATED, _REKEYED):
        return
    try:
        draft = door.draft(*session, told)
    except InvalidEvent:
        return  # as the append does, by the place that its caller knows
    said = decode_json(draft.payload) if draft.content_type == JSON_CONTENT_TYPE else {}
    given = said.get("external_id", external_id)
    if given != external_id and not (given is None and kind == _CREATED):
        reason = f"names the session {shown(given)}: save it with that as its external id"
        raise InvalidArgument(argument, reason)
