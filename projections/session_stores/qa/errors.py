"""Errors of the question-and-answer store; they join the ledger's tree, see ledger.errors."""

from __future__ import annotations

from ledger import CallError
from ledger.refusals import shown


class IdTaken(CallError):
    """Give the new content an id of its own, or change what is stored; nothing was stored."""

    def __init__(self, session_id: str, kind: str, own_id: str) -> None:
        self.session_id = session_id
        self.kind = kind
        self.own_id = own_id
        super().__init__(f"Session {shown(session_id)} has another {kind} {shown(own_id)}.")
