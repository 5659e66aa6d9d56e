"""Errors of the ledger, as the ones that eventsourcing's callers catch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ledger import (
    EventIdReused,
    InvalidArgument,
    InvalidEvent,
    LedgerClosed,
    LedgerError,
    RetryableError,
    SequenceConflict,
    StopError,
)

from .api import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)

# The first class that fits decides.
_TRANSLATIONS: tuple[tuple[type[LedgerError], type[DatabaseError | InterfaceError]], ...] = (
    (SequenceConflict, IntegrityError),
    (EventIdReused, IntegrityError),
    (InvalidEvent, DataError),
    (InvalidArgument, ProgrammingError),
    (RetryableError, OperationalError),
    (LedgerClosed, InterfaceError),
    (StopError, InternalError),
)


@contextmanager
def translated() -> Iterator[None]:
    """Raise eventsourcing's error for one of the ledger's, which stays its cause."""
    try:
        yield
    except LedgerError as error:
        fitting = (theirs for ours, theirs in _TRANSLATIONS if isinstance(error, ours))
        raise next(fitting, DatabaseError)(str(error)) from error
