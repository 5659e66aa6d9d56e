"""An append-only log of agent sessions: numbered, hash-chained, the single source of truth."""

from __future__ import annotations

import importlib
import typing

from .backing_up import backup
from .distributing import distribute
from .errors import (
    AccessDenied,
    AppendTimeout,
    BackendUnavailable,
    CallError,
    EventIdReused,
    ForkedProcess,
    IncarnationConflict,
    IntegrityError,
    InvalidArgument,
    InvalidCursor,
    InvalidEvent,
    InvalidImport,
    LedgerClosed,
    LedgerError,
    NotALedger,
    OtherEventLoop,
    OutcomeUnknown,
    RetryableError,
    SchemaTooNew,
    SequenceConflict,
    StopError,
    StorageFailed,
    TransactionAborted,
    UpcastFailed,
)
from .events import Append, Appended, Event, EventLike, NewEvent, new_event_id
from .following import Follower
from .ledger import Ledger
from .limits import Limits
from .pages import FeedPage, SessionIds
from .records import Head
from .transfer import ImportReport
from .upcasts import Upcasts
from .verify import Finding, VerifyReport

if typing.TYPE_CHECKING:
    from .following_async import AsyncFollower
    from .ledger_async import AsyncLedger

__all__ = [
    "AccessDenied",
    "Append",
    "AppendTimeout",
    "Appended",
    "AsyncFollower",
    "AsyncLedger",
    "BackendUnavailable",
    "CallError",
    "Event",
    "EventIdReused",
    "EventLike",
    "FeedPage",
    "Finding",
    "Follower",
    "ForkedProcess",
    "Head",
    "ImportReport",
    "IncarnationConflict",
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
    "OtherEventLoop",
    "OutcomeUnknown",
    "RetryableError",
    "SchemaTooNew",
    "SequenceConflict",
    "SessionIds",
    "StopError",
    "StorageFailed",
    "TransactionAborted",
    "UpcastFailed",
    "Upcasts",
    "VerifyReport",
    "backup",
    "distribute",
    "new_event_id",
]

_DISTRIBUTION = "agent-session-ledger"
_ASYNC = {"AsyncFollower": ".following_async", "AsyncLedger": ".ledger_async"}


def __getattr__(name: str) -> typing.Any:
    # asyncio is a third of what importing all this costs, and threads never need it.
    if name in _ASYNC:
        return getattr(importlib.import_module(_ASYNC[name], __name__), name)
    if name == "__version__":
        metadata = importlib.import_module("importlib.metadata")
        try:
            return metadata.version(_DISTRIBUTION)
        except metadata.PackageNotFoundError as error:
            raise AttributeError(
                f"{_DISTRIBUTION} is not installed, so it has no version"
            ) from error
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
