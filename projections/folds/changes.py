"""What a fact changes in a row, by field, and the row with it."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec.structs import force_setattr

from ledger.events import Event

Changes = dict[str, Any]
#: What a later start still fills in.
EMPTY: tuple[Any, ...] = (None, {})
View = TypeVar("View", bound=msgspec.Struct)


def reached(event: Event) -> Changes:
    """Return what every fact changes in a row that tells how far it has come."""
    return {
        "last_sequence": event.sequence,
        "position": event.position,
        "updated_at": event.occurred_at,
    }


def filled(new: View, changes: Changes) -> View:
    """Return a row that its fold has just made, and nobody else has seen, with its changes in it.

    To replace a few fields by keyword and then set the others costs 0.55 µs for a session, and
    0.77 µs to replace all of them from one dict, which Python copies and takes apart again.
    """
    for name, value in changes.items():
        force_setattr(new, name, value)
    return new
