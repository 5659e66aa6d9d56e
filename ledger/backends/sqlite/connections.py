"""Connections to one file: how they are set up, and the one that writes."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import apsw

from ...errors import AppendTimeout, InvalidArgument, LedgerClosed, StorageFailed
from .errors import writer_error
from .files import OpenFiles
from .wal import WAL_BYTES_KEPT_MAX, Wal

_FLUSHED, _UNFLUSHED = "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"
_SETTINGS = (
    # FULL syncs the log on every commit: with NORMAL a power cut takes acknowledged events.
    _FLUSHED,
    # An I/O error inside a mapping is a signal that ends the process; inside read() an error.
    "PRAGMA mmap_size = 0",
)
_SLEEP_S = (0.0005, 0.002)
#: What apsw keeps compiled unless told otherwise, and for the connection that writes: folding all
#: views takes some 130 statements, of which it compiled eight anew for every 2,000 events.
_STATEMENTS_MAX, WRITER_STATEMENTS_MAX = 100, 256
T = TypeVar("T")


class Patience:
    """A busy handler: short random sleeps until a deadline.

    SQLite's own backs off to 100 ms, so a process that waits loses to one that keeps writing:
    of four writers the slowest append took 2.1 s, and 0.1 s with this.
    """

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._until = 0.0

    def __call__(self, calls: int) -> bool:
        now = time.monotonic()
        if calls == 0:
            self._until = now + self.timeout_s
        if now >= self._until:
            return False
        time.sleep(random.uniform(*_SLEEP_S))  # noqa: S311 - spreads waiters, guards nothing
        return True


def connect(
    path: str, timeout_s: float, *, create: bool = False, statements_max: int = _STATEMENTS_MAX
) -> apsw.Connection:
    """Open a connection that may write; the caller closes it."""
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    connection = apsw.Connection(path, flags, statementcachesize=statements_max)
    try:
        connection.set_busy_handler(Patience(timeout_s))
        # Plans must not depend on bound values: each new value would prepare the statement again,
        # five times the cost of the head's lookup.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        for setting in _SETTINGS:
            connection.execute(setting)
        connection.pragma("journal_size_limit", WAL_BYTES_KEPT_MAX)
    except BaseException:
        # The error holds its frames, and with them a connection that nobody else would close.
        connection.close(True)
        raise
    return connection


def connect_again(path: str, files: OpenFiles, timeout_s: float) -> apsw.Connection:
    """Open a further connection, by the name that what is open still has; else StorageFailed."""
    connection = connect(path, timeout_s)
    try:
        # What is to be checkpointed is so by the connection that writes, which looks first.
        _leave_wal(connection)
        files.check()
    except BaseException:
        connection.close(True)
        raise
    return connection


def _leave_wal(connection: apsw.Connection) -> None:
    """Let a connection that is closed last neither checkpoint nor remove the -wal file."""
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)


class Writer:
    """The one connection that writes, for one thread at a time."""

    def __init__(
        self, connection: apsw.Connection, path: str, files: OpenFiles, timeout_s: float
    ) -> None:
        self._connection = connection
        self._path = path
        self._files = files
        self._timeout_s = timeout_s
        self._patience = Patience(timeout_s)
        connection.set_busy_handler(self._patience)
        self._wal = Wal(connection, files.wal)
        # Reentrant only to notice a nested transaction, instead of waiting for oneself.
        self._lock = threading.RLock()
        self._closed = False
        self._durable = True

    @contextmanager
    def transaction(
        self, bucket: int = 0, timeout_s: float | None = None, *, durable: bool = True
    ) -> Iterator[apsw.Connection]:
        """Hold the write lock from BEGIN IMMEDIATE to COMMIT, or to ROLLBACK on any exception."""
        patience_s = self._timeout_s if timeout_s is None else timeout_s
        # Everything stands inside try: Ctrl-C between any two lines must leave neither the lock
        # held nor the transaction open, or no append would ever succeed again.
        try:
            self._acquire(bucket, patience_s)
            try:
                if durable != self._durable:
                    self._make(durable)
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
                self._settle()
            except BaseException:
                # Some errors (full disk, I/O) have ended the transaction already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except apsw.Error as error:
            raise writer_error(error, self._path, bucket, patience_s) from error
        finally:
            if self._lock._is_owned():  # type: ignore[attr-defined]  # private, but in every Python
                self._lock.release()

    def run(self, work: Callable[[apsw.Connection], T], bucket: int, timeout_s: float) -> T:
        """Do some work in a durable transaction, as `transaction` would, and return its result.

        For appends: being a context manager costs half of what there is around a transaction.
        """
        connection = self._connection
        try:
            self._acquire(bucket, timeout_s)
            try:
                if not self._durable:
                    self._make(durable=True)
                connection.execute("BEGIN IMMEDIATE")
                result = work(connection)
                connection.execute("COMMIT")
                self._settle()
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except apsw.Error as error:
            raise writer_error(error, self._path, bucket, timeout_s) from error
        finally:
            if self._lock._is_owned():  # type: ignore[attr-defined]  # private, but in every Python
                self._lock.release()
        return result

    def _settle(self) -> None:
        """Raise StorageFailed if what was committed is not stored."""
        try:
            self._files.check()
        except StorageFailed:
            # Pages of a -wal file that nobody else has would go over what others have written.
            _leave_wal(self._connection)
            raise
        self._wal.settle(self._connection, self._durable)

    def _acquire(self, bucket: int, timeout_s: float) -> None:
        """Take the lock, which the caller releases, for a transaction that is about to begin."""
        if not self._lock.acquire(timeout=timeout_s):
            raise AppendTimeout(bucket, timeout_s)
        if self._closed:
            raise LedgerClosed("The ledger is closed.")
        if self._files.lost:
            self._files.refuse()
        if self._connection.in_transaction:
            raise InvalidArgument("connection", "inside transaction() use append_within")
        self._patience.timeout_s = timeout_s

    def _make(self, durable: bool) -> None:
        # Interrupted between any two lines, it is taken for less than it is, and set again.
        if durable:
            self._connection.execute(_FLUSHED)
            self._durable = True
        else:
            self._durable = False
            self._connection.execute(_UNFLUSHED)

    def close(self) -> None:
        """Wait for the transaction that is open, then close."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            with suppress(StorageFailed):  # to whom it matters has been told, or wrote nothing
                self._files.check()
            if self._files.lost:
                _leave_wal(self._connection)
            else:
                # With the last connection its -wal file goes, which is no loss: whoever opened the
                # file at that moment was refused.
                self._files.close()
            self._connection.close()
