"""What a snapshot store keeps and hands out, and how a session is put together of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from ledger.events import Event

from ...folds.messages import Message
from ...folds.sessions import Session
from ...folds.snapshots import Snapshot
from .agent_sessions import AgentSession, RunState, SessionId, carrying
from .bases import Base
from .chat_messages import own
from .errors import SnapshotUnreadable
from .message_changes import Window, placed

#: The name under which the store keeps what of a session is not in its messages.
SNAPSHOT = "agent_session"
#: What others may append meanwhile and a save must not overwrite.
MESSAGE_TYPES = ("message.appended", "message.amended", "message.deleted", "content.redacted")
#: So often a plan begins anew because others wrote to the session; in each round one of them won.
ROUNDS_MAX = 1_000
#: Sessions are trimmed, and their transcripts grow: so many of the last messages are asked for.
LIMITS = (32, 256, None)
VIEWS = ("sessions", "messages", "snapshots")

SessionKey = SessionId | str | int | UUID


class State(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a snapshot keeps besides the counters; see message_changes.Window."""

    format: Literal[1]
    prefix_through: int = 0
    rest_from: int = 0


class Stored(msgspec.Struct, frozen=True):
    """A session as it is stored, and as it is handed out.

    Before `first_sequence` is what was deleted, under the same id; `changed` is the sequence of the
    last fact, as far as it is known, that changed what a save would overwrite.
    """

    base: Base
    session: AgentSession
    first_sequence: int
    changed: int


class SavedVersion(msgspec.Struct, frozen=True):
    """A save: the version that the session had behind it, and when it was stored."""

    version: int
    saved_at: datetime


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A step from which a run can be resumed; which fields are set depends on the `step`.

    `sequence` is where it stands: the version under which the session of that moment is loaded.
    """

    sequence: int
    step: Literal["after_user_input", "before_llm", "before_tool_calls", "after_tool_calls"]
    saved_at: datetime
    checkpoint_id: str | None = None
    run_id: str | None = None
    user_input: Any = None
    messages: list[dict[str, Any]] = msgspec.field(default_factory=list)
    tools: list[dict[str, Any]] = msgspec.field(default_factory=list)
    tool_calls: list[dict[str, Any]] = msgspec.field(default_factory=list)
    results: list[Any] = msgspec.field(default_factory=list)
    turn_count: int | None = None


def stored_of(
    ledger_id: str, row: Session, messages: Sequence[Message], kept: Snapshot | None
) -> Stored:
    """Put a session together; one that others wrote has no snapshot, and all of its messages."""
    window, state = (Window(), RunState()) if kept is None else _read(kept)
    inside = tuple(placed(message) for message in messages if window.holds(message))
    calls = None if kept is None else kept.total_tool_calls
    if calls is None:
        calls = sum(len(message.said.tool_calls or ()) for message in inside)
    base = Base(
        ledger_id=ledger_id,
        tenant=row.tenant,
        session_id=row.session_id,
        version=row.last_sequence,
        created=row.created_sequence is not None or row.forked_from is not None,
        external_id=row.external_id,
        allowed=frozenset(row.always_allowed_actions),
        messages=inside,
        window=window,
        run_state=state,
        total_tool_calls=calls,
    )
    changed = 0 if kept is None else kept.last_sequence
    return Stored(base, _session(base), row.first_sequence, changed)


def window_of(kept: Snapshot | None) -> Window:
    """Return which messages a session has, of what was kept; all if nothing was."""
    return Window() if kept is None else _read(kept)[0]


def _session(base: Base) -> AgentSession:
    session = AgentSession(
        id=SessionId(base.session_id, base.external_id),
        chat_messages=tuple(own(message.said) for message in base.messages),
        always_allowed_actions=base.allowed,
        total_tool_calls=base.total_tool_calls,
        run_state=base.run_state,
        version=base.version,
    )
    return carrying(session, base)


def _read(kept: Snapshot) -> tuple[Window, RunState]:
    try:
        state = msgspec.convert(kept.state, State)
        run_state = msgspec.convert(kept.run_state or {}, RunState)
    except msgspec.ValidationError as error:
        raise SnapshotUnreadable(kept.session_id, kept.last_sequence, str(error)) from error
    return Window(state.prefix_through, state.rest_from), run_state


def checkpoint_of(event: Event) -> Checkpoint:
    """Return the checkpoint that an event tells of."""
    return Checkpoint(
        sequence=event.sequence, run_id=event.run_id, saved_at=event.recorded_at, **event.data
    )
