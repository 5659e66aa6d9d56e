"""Errors of the snapshot store; they join the ledger's tree, see ledger.errors."""

from __future__ import annotations

from ledger import CallError, RetryableError, SequenceConflict, StopError


class ExternalIdTaken(CallError):
    """Choose another external id, or load the session that has it; nothing was stored."""

    def __init__(self, external_id: str, session_id: str) -> None:
        self.external_id = external_id
        self.session_id = session_id
        super().__init__(f"External id {external_id!r} belongs to session {session_id!r}.")


class SessionChanged(SequenceConflict):
    """Nothing was stored: read the session again, change it and save it again, or call `update`."""


class SessionBusy(RetryableError):
    """Try again when fewer write to this session; nothing was stored."""

    def __init__(self, session_id: str, rounds: int) -> None:
        self.session_id = session_id
        self.rounds = rounds
        super().__init__(f"Session {session_id!r} was changed by others during {rounds} tries.")


class SnapshotUnreadable(StopError):
    """Find out who wrote this snapshot; an earlier version of the session can still be loaded."""

    def __init__(self, session_id: str, sequence: int, reason: str) -> None:
        self.session_id = session_id
        self.sequence = sequence
        self.reason = reason
        super().__init__(
            f"The snapshot of session {session_id!r} at sequence {sequence} is none of this"
            f" store: {reason}."
        )
