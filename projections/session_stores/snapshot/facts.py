"""The facts of a save, and what decides whether there is one. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ledger import NewEvent

from .agent_sessions import AgentSession, SessionId
from .bases import Base
from .message_changes import Window
from .records import SNAPSHOT, Stored


def has_seen(session: AgentSession, stored: Stored | None) -> bool:
    """Whether a session was loaded behind everything that saving it would overwrite."""
    if stored is None or session.version == 0:
        return session.version == 0 and (stored is None or stored.changed == 0)
    return max(stored.first_sequence, stored.changed) <= session.version <= stored.base.version


def type_of(event: NewEvent) -> str | None:
    """Return the type that an event will have, as far as it says so."""
    return event.type or getattr(event.payload, "event_type", None)


def identity(id_: SessionId, base: Base | None) -> list[NewEvent]:
    """Return what has to be said of a session as a whole."""
    alias = {} if id_.external_id is None else {"external_id": id_.external_id}
    if base is None:
        return [NewEvent({"status": "active"} | alias, "session.created")]
    # Creating a session only fills what nobody has said of it before. How it stands others may have
    # said, and it is active if they have not.
    facts = [] if base.created else [NewEvent(alias, "session.created")]
    filled = (id_.external_id,) if base.created else (id_.external_id, None)
    if alias and base.external_id not in filled:
        facts.append(NewEvent(alias, "session.rekeyed"))
    return facts


def snapshot_fact(
    session: AgentSession,
    base: Base | None,
    window: Window,
    facts: Sequence[NewEvent],
    head: int,
) -> NewEvent | None:
    """Return the fact of the save, None if it changes nothing."""
    if base is not None and not facts:
        before = base.run_state, base.total_tool_calls, base.window
        if before == (session.run_state, session.total_tool_calls, window):
            return None
    said = {
        "name": SNAPSHOT,
        "state": {
            "format": 1,
            "prefix_through": window.prefix_through,
            "rest_from": window.rest_from,
        },
        "run_state": msgspec.to_builtins(session.run_state),
        "total_tool_calls": session.total_tool_calls,
    }
    through = head + len(facts)
    return NewEvent(said | ({"through_sequence": through} if through else {}), "snapshot.saved")
