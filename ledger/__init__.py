"""An append-only log of agent sessions: numbered, hash-chained, the single source of truth."""

from __future__ import annotations

from .errors import (
    AppendTimeout,
    BackendUnavailable,
    CallError,
    EventIdReused,
    IntegrityError,
    InvalidArgument,
    InvalidCursor,
    InvalidEvent,
    InvalidImport,
    LedgerClosed,
    LedgerError,
    NotALedger,
    OutcomeUnknown,
    RetryableError,
    SchemaTooNew,
    SequenceConflict,
    StopError,
    StorageFailed,
)
from .events import Append, Appended, Event, NewEvent, new_event_id
from .following import Follower
from .following_async import AsyncFollower
from .ledger import Ledger
from .ledger_async import AsyncLedger
from .limits import Limits
from .pages import FeedPage, SessionIds
from .transfer_import import ImportReport
from .upcasts import Upcasts
from .verify import Finding, VerifyReport

__all__ = [
    "Append",
    "AppendTimeout",
    "Appended",
    "AsyncFollower",
    "AsyncLedger",
    "BackendUnavailable",
    "CallError",
    "Event",
    "EventIdReused",
    "FeedPage",
    "Finding",
    "Follower",
    "ImportReport",
    "IntegrityError",
    "InvalidArgument",
    "InvalidCursor",
    "InvalidEvent",
    "InvalidImport",
    "Ledger",
    "LedgerClosed",
    "LedgerError",
    "Limits",
    "NewEvent",
    "NotALedger",
    "OutcomeUnknown",
    "RetryableError",
    "SchemaTooNew",
    "SequenceConflict",
    "SessionIds",
    "StopError",
    "StorageFailed",
    "Upcasts",
    "VerifyReport",
    "new_event_id",
]
