"""Whole agent sessions, saved and loaded as one value, with their history."""

from __future__ import annotations

from .agent_json import session_of_json
from .agent_sessions import AgentSession, RunState, SessionId
from .chat_messages import ChatMessage, ToolCall
from .errors import ExternalIdTaken, SessionBusy, SessionChanged, SnapshotUnreadable
from .records import Checkpoint, SavedVersion, SessionKey
from .runtime_events import RuntimeEvent
from .store import SnapshotStore
from .store_async import AsyncSnapshotStore
from .telling import AnyEvent

__all__ = [
    "AgentSession",
    "AnyEvent",
    "AsyncSnapshotStore",
    "ChatMessage",
    "Checkpoint",
    "ExternalIdTaken",
    "RunState",
    "RuntimeEvent",
    "SavedVersion",
    "SessionBusy",
    "SessionChanged",
    "SessionId",
    "SessionKey",
    "SnapshotStore",
    "SnapshotUnreadable",
    "ToolCall",
    "session_of_json",
]
