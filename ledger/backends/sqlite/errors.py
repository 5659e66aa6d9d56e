"""What SQLite's errors mean to a caller: the only place that translates them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from ...errors import (
    AppendTimeout,
    BackendUnavailable,
    IntegrityError,
    InvalidArgument,
    LedgerError,
    RetryableError,
    StorageFailed,
)

_BUSY = (apsw.BusyError, apsw.LockedError, apsw.ProtocolError)
_DENIED = (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, apsw.AuthError)


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Raise what SQLite says about this file as an error of the ledger."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise undecodable(error, path) from error
    except apsw.Error as error:
        raise error_of(error, path) from error


@contextmanager
def translated_for_caller(path: str, bucket: int) -> Iterator[None]:
    """The same for a caller's own connection, whose transaction and threads are the caller's."""
    try:
        yield
    except apsw.BusyError as error:
        if _extended(error) == apsw.SQLITE_BUSY_SNAPSHOT:
            raise RetryableError(
                "The connection's transaction began by reading, and another one has written"
                " since: roll it back and run all of it again, from BEGIN IMMEDIATE on."
            ) from error
        raise AppendTimeout(bucket, 0.0) from error
    except UnicodeDecodeError as error:
        raise undecodable(error, path) from error
    except (apsw.ThreadingViolationError, apsw.ConnectionClosedError) as error:
        raise InvalidArgument("connection", f"it cannot be used now ({error})") from error
    except apsw.Error as error:
        raise error_of(error, path) from error


def writer_error(error: apsw.Error, path: str, bucket: int, timeout_s: float) -> LedgerError:
    """The same for a transaction that writes: a lock that stays taken is an AppendTimeout."""
    if isinstance(error, _BUSY):
        return AppendTimeout(bucket, timeout_s)
    return error_of(error, path)


def undecodable(error: UnicodeDecodeError, path: str) -> IntegrityError:
    """Return the error for bytes in a column of text that no text is made of."""
    return IntegrityError(f"{path} holds text that is no UTF-8 ({error}).")


def error_of(error: apsw.Error, path: str) -> LedgerError:
    """Return the error that tells a caller what to do about one of SQLite's."""
    if isinstance(error, _BUSY):
        return BackendUnavailable(f"{path}: another process holds it for itself.")
    if isinstance(error, apsw.FullError):
        return StorageFailed(f"{path}: the disk is full; nothing of this call was stored.")
    if isinstance(error, _DENIED):
        return StorageFailed(f"{path} {_denial(path)} ({error}).")
    if isinstance(error, apsw.ConstraintError):
        return IntegrityError(f"{path}: its tables disagree with each other ({error}).")
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return StorageFailed(f"{path} is damaged ({error}).")
    name = apsw.mapping_extended_result_codes.get(_extended(error), type(error).__name__)
    return StorageFailed(f"{path} failed ({name}: {error}).")


def _extended(error: apsw.Error) -> int:
    # Missing where the wrapper itself complains, and from its type hints.
    return getattr(error, "extendedresult", -1)


def _denial(path: str) -> str:
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        return f"cannot be made: there is no directory {directory}, make it first"
    if not os.access(directory, os.W_OK):
        return f"needs a directory that can be written, for its -wal file: {directory} cannot be"
    if os.path.exists(path) and not os.access(path, os.W_OK):
        return "cannot be written: a ledger needs to read and write its file"
    return "cannot be opened or written"
