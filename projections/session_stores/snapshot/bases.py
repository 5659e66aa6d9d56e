"""What a session was when it was loaded or saved, so that a save need not read it again. Pure."""

from __future__ import annotations

import msgspec

from .agent_sessions import AgentSession, RunState
from .message_changes import Placed, Window


class Base(msgspec.Struct, frozen=True):
    """What is stored of a session at one version of it, in one ledger, as far as a save changes it.

    The session that was loaded or saved carries it, and so do those that its methods make of it.
    It is no part of what a session says: it is neither compared nor serialized nor copied.
    """

    ledger_id: str
    tenant: str
    session_id: str
    version: int
    #: Whether somebody created or forked the session; events alone make none.
    created: bool
    external_id: str | None
    allowed: frozenset[str]
    messages: tuple[Placed, ...]
    window: Window
    run_state: RunState
    total_tool_calls: int

    def is_of(self, ledger_id: str, tenant: str, session: AgentSession) -> bool:
        """Whether this is what was stored of that session, of a tenant, at the version it has."""
        here = (self.ledger_id, self.tenant, self.session_id, self.version)
        id_ = None if session.id is None else session.id.id
        return here == (ledger_id, tenant, id_, session.version)
