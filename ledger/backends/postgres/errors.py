"""The one place where errors of the driver become errors of the ledger, by SQLSTATE."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from ...errors import (
    AccessDenied,
    AppendTimeout,
    BackendUnavailable,
    CallError,
    IntegrityError,
    InvalidArgument,
    LedgerError,
    NotALedger,
    OutcomeUnknown,
    RetryableError,
    StorageFailed,
    TransactionAborted,
)

LOCK_NOT_AVAILABLE = "55P03"
_IN_FAILED_TRANSACTION = "25P02"
# What is said of a prepared statement whose table was made anew with columns of other types.
_NOT_SUPPORTED = "0A000"
# Connections: refused, broken, too many, ended by an administrator or a restart, or by the server
# because a transaction was idle, or open, for longer than it allows.
_UNAVAILABLE = ("08", "53300", "57P", "25P03", "25P04")
# A role that may not connect, or lacks a right.
_DENIED = ("28", "42501")
# Serialization failure or deadlock: the server chose this transaction to let another one live.
_ABORTED = "40"
_INTERNAL = "XX000"
# Statement timeout, or somebody cancelled it.
_CANCELLED = "57014"
# A statement that is prepared is not, or the other way round: behind a pooler the next transaction
# meets another session of the server.
_OTHER_SESSION = ("26000", "42P05")
_MISSING = ("3F000", "42P01", "42703", "42883")
# Appends number under a lock, so a number that is taken, or breaks a rule, was not given by one.
_CONTRADICTED = "23"
_REFUSED_VALUES = ("22", "54")
_STOPS = (".", "?", "!", ":", ",", ";")


def is_broken(error: psycopg.Error) -> bool:
    """Whether the connection, not the statement, is what failed."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith(_UNAVAILABLE)


def is_spent(error: psycopg.Error) -> bool:
    """Whether a connection will not do what it failed at, and a new one may."""
    return is_broken(error) or error.sqlstate == _NOT_SUPPORTED


def translated(error: psycopg.Error) -> LedgerError:
    """Return the ledger's error for one met on a connection of the ledger's own."""
    state = error.sqlstate or ""
    if is_broken(error):
        return BackendUnavailable(f"PostgreSQL is not available: {_told(error)}.")
    if state.startswith(_DENIED):
        return AccessDenied(f"PostgreSQL refuses this role: {_told(error)}.")
    if state.startswith(_ABORTED) or _met_by_a_copy(error):
        return TransactionAborted(f"PostgreSQL undid the transaction: {_told(error)}.")
    if state in (_CANCELLED, LOCK_NOT_AVAILABLE):
        return RetryableError(f"PostgreSQL rolled the statement back: {_told(error)}.")
    if state in _OTHER_SESSION:
        return _not_its_session("url", error)
    if state in _MISSING:
        return NotALedger(f"A part of the ledger's schema is missing: {_told(error)}.")
    if state.startswith(_CONTRADICTED):
        return IntegrityError(f"What is stored contradicts itself: {_told(error)}.")
    if state.startswith(_REFUSED_VALUES):
        return CallError(f"PostgreSQL refuses a value: {_told(error)}.")
    return StorageFailed(f"PostgreSQL could not do it: {_told(error)}.")


def _met_by_a_copy(error: psycopg.Error) -> bool:
    """Whether Citus could not write to one of its servers: it passes on the words, and no code."""
    return error.sqlstate == _INTERNAL and error.diag.source_function == "ReportCopyError"


def translated_within(error: psycopg.Error, timeout: AppendTimeout) -> LedgerError:
    """Return the ledger's error for one met inside a caller's transaction, which is over now."""
    state = error.sqlstate or ""
    if state == LOCK_NOT_AVAILABLE:
        return timeout
    if state == _IN_FAILED_TRANSACTION:
        return InvalidArgument("connection", "its transaction failed before; roll it back first")
    if state in _MISSING:
        return InvalidArgument("connection", "it leads to a database without this ledger")
    if state in _OTHER_SESSION:
        return _not_its_session("connection", error)
    if is_broken(error):
        return OutcomeUnknown(f"The transaction did not go on: {_told(error)}.")
    if state == _CANCELLED:
        return TransactionAborted(f"PostgreSQL cancelled the append: {_told(error)}.")
    return translated(error)


def _not_its_session(argument: str, error: psycopg.Error) -> InvalidArgument:
    reason = (
        "it leads to a pooler that gives each transaction another session of the server: have it"
        f" pool sessions, or connect to the server itself; {_told(error)}"
    )
    return InvalidArgument(argument, reason)


@contextmanager
def translating() -> Iterator[None]:
    """Raise what `translated` returns for errors of the driver in the block."""
    try:
        yield
    except psycopg.Error as error:
        raise translated(error) from error


def sentences(words: str) -> str:
    """Return what the driver says over several lines in one, each sentence with its full stop."""
    lines: list[str] = []
    for line in filter(None, (" ".join(one.split()) for one in words.splitlines())):
        if lines and line[0].islower():  # it goes on with the sentence before
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    return " ".join(line if line.endswith(_STOPS) else f"{line}." for line in lines)


def _told(error: psycopg.Error) -> str:
    """Return the server's own words, for people: no decision depends on them."""
    words = error.diag.message_primary or str(error) or type(error).__name__
    return f"{sentences(words).rstrip('.')} ({error.sqlstate or 'connection'})"
