"""A UUID that is a session's external id has several texts, and is one id in all of them. Pure."""

from __future__ import annotations

from typing import Any

from ..uuid_texts import hyphenated, is_uuid


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
