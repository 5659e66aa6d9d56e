"""Whole agent sessions, saved and loaded as one value, with their history."""

from __future__ import annotations

from .agent_json import session_of_json
from .agent_sessions import AgentSession, RunState, SessionId
from .chat_messages import ChatMessage, ToolCall
from .errors import ExternalIdTaken, SessionBusy, SessionChanged, SnapshotUnreadable
from .records import Checkpoint, SavedVersion
from .runtime_events import RuntimeEvent
from .store import SnapshotStore
from .store_async import AsyncSnapshotStore

__all__ = [
    "AgentSession",
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
    "SnapshotStore",
    "SnapshotUnreadable",
    "ToolCall",
    "session_of_json",
]
