"""Questions and answers of a session, with feedback, trace steps, guidance and recall."""

from __future__ import annotations

from ..snapshot.errors import SessionBusy
from ..store_parts import Clock
from .cache import CogneeCache
from .cache_async import AsyncCogneeCache
from .errors import IdTaken
from .guidance import Guidance, SessionContextEntry, SessionFeedbackEntry
from .ids import Key, default_session_id, ledger_session_id
from .lifecycle import QALifecycle
from .lifecycle_async import AsyncQALifecycle
from .lifecycle_records import (
    LifecycleDetail,
    LifecycleOrder,
    LifecycleRecord,
    LifecycleStats,
    LifecycleStatus,
    ModelCost,
)
from .recall import Recalled, as_messages, as_text
from .records import SessionQAEntry, SessionQAUpdate, SessionTraceStep, Stored
from .store import QAStore
from .store_async import AsyncQAStore

__all__ = [
    "AsyncCogneeCache",
    "AsyncQALifecycle",
    "AsyncQAStore",
    "Clock",
    "CogneeCache",
    "Guidance",
    "IdTaken",
    "Key",
    "LifecycleDetail",
    "LifecycleOrder",
    "LifecycleRecord",
    "LifecycleStats",
    "LifecycleStatus",
    "ModelCost",
    "QALifecycle",
    "QAStore",
    "Recalled",
    "SessionBusy",
    "SessionContextEntry",
    "SessionFeedbackEntry",
    "SessionQAEntry",
    "SessionQAUpdate",
    "SessionTraceStep",
    "Stored",
    "as_messages",
    "as_text",
    "default_session_id",
    "ledger_session_id",
]
