"""Conversations of customers with agents, saved and found whole."""

from __future__ import annotations

from ..snapshot.errors import SessionChanged
from .drafts import AnyFact
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
from .reading import Id
from .store import ConversationStore
from .store_async import AsyncConversationStore

__all__ = [
    "OPEN",
    "AnyFact",
    "AsyncConversationStore",
    "Channel",
    "ConversationStore",
    "Id",
    "PendingMigration",
    "RemainderUnreadable",
    "ScenarioInstance",
    "Session",
    "SessionChanged",
    "SessionStatus",
    "StepVisit",
]
