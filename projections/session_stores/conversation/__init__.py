"""Conversations of customers with agents, saved and found whole."""

from __future__ import annotations

from ..snapshot.errors import SessionChanged
from .errors import RemainderUnreadable
from .models import (
    OPEN,
    Channel,
    PendingMigration,
    ScenarioInstance,
    Session,
    SessionStatus,
    StepVisit,
)
from .store import ConversationStore
from .store_async import AsyncConversationStore

__all__ = [
    "OPEN",
    "AsyncConversationStore",
    "Channel",
    "ConversationStore",
    "PendingMigration",
    "RemainderUnreadable",
    "ScenarioInstance",
    "Session",
    "SessionChanged",
    "SessionStatus",
    "StepVisit",
]
