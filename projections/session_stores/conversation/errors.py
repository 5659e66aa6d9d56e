"""Errors of the conversation store; they join the ledger's tree, see ledger.errors."""

from __future__ import annotations

from ledger import StopError
from ledger.visible_text import shown


class RemainderUnreadable(StopError):
    """Find out who kept this under the store's name; the facts of the session are not affected."""

    def __init__(self, session_id: str, sequence: int, reason: str) -> None:
        self.session_id = session_id
        self.sequence = sequence
        self.reason = reason
        super().__init__(
            f"What session {session_id!r} kept at sequence {sequence} is none of this store:"
            f" {reason}."
        )


def within(place: str, key: str) -> str:
    """Return the name of an entry's place, of a long key its beginning."""
    return shown(f"{place}.{key}")
