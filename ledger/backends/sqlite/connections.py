"""Connections to one file: how they are set up, one that writes, some that read."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

import apsw

from ...errors import AppendTimeout, BackendUnavailable, InvalidArgument, LedgerClosed
from .errors import error_of, undecodable, writer_error

#: What the -wal file shrinks to after a checkpoint; one big import would leave it big for ever.
WAL_BYTES_KEPT_MAX = 67_108_864
_FLUSHED, _UNFLUSHED = "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"
_SETTINGS = (
    # FULL syncs the log on every commit: with NORMAL a power cut takes acknowledged events.
    _FLUSHED,
    # An I/O error inside a mapping is a signal that ends the process; inside read() an error.
    "PRAGMA mmap_size = 0",
)
_SLEEP_S = (0.0005, 0.002)


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


def connect(path: str, timeout_s: float, *, create: bool = False) -> apsw.Connection:
    """Open a connection that may write; the caller closes it."""
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    connection = apsw.Connection(path, flags)
    connection.set_busy_handler(Patience(timeout_s))
    # Plans must not depend on bound values: each new value would prepare the statement again,
    # five times the cost of the head's lookup.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    for setting in _SETTINGS:
        connection.execute(setting)
    connection.pragma("journal_size_limit", WAL_BYTES_KEPT_MAX)
    return connection


class Writer:
    """The one connection that writes, for one thread at a time."""

    def __init__(self, connection: apsw.Connection, path: str, timeout_s: float) -> None:
        self._connection = connection
        self._path = path
        self._timeout_s = timeout_s
        self._patience = Patience(timeout_s)
        connection.set_busy_handler(self._patience)
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
            if not self._lock.acquire(timeout=patience_s):
                raise AppendTimeout(bucket, patience_s)
            if self._closed:
                raise LedgerClosed("The ledger is closed.")
            if self._connection.in_transaction:
                raise InvalidArgument("connection", "inside transaction() use append_within")
            self._patience.timeout_s = patience_s
            try:
                if durable != self._durable:
                    self._make(durable)
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
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
            self._closed = True
            self._connection.close()


class Readers:
    """Up to `size` connections that read, made when needed; they never wait for the writer."""

    def __init__(self, path: str, size: int, timeout_s: float) -> None:
        self._path = path
        self._size = size
        self._timeout_s = timeout_s
        # Permits, as a queue: threading.Semaphore is written in Python and takes ten calls a loan.
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(size):
            self._free.put(None)
        self._lock = threading.Lock()
        self._idle: list[apsw.Connection] = []
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[apsw.Connection]:
        """Lend a connection; whatever it still has open at the end is dropped with it."""
        try:
            self._free.get(timeout=self._timeout_s)
        except Empty:
            busy = BackendUnavailable(f"All {self._size} connections that read are in use.")
            raise busy from None
        # One generator, not one inside the other: they would cost as much as a small query.
        try:
            connection = self._take()
            try:
                yield connection
            finally:
                self._give_back(connection)
        except UnicodeDecodeError as error:
            raise undecodable(error, self._path) from error
        except apsw.Error as error:
            raise error_of(error, self._path) from error
        finally:
            self._free.put(None)

    def close(self) -> None:
        """Close what is idle; what is lent out is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> apsw.Connection:
        with self._lock:
            if self._closed:
                raise LedgerClosed("The ledger is closed.")
            if self._idle:
                return self._idle.pop()
        connection = connect(self._path, self._timeout_s)
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _give_back(self, connection: apsw.Connection) -> None:
        # An open statement would pin its snapshot: old answers, and a -wal file that only grows.
        clean = connection.txn_state() == apsw.SQLITE_TXN_NONE
        with self._lock:
            if clean and not self._closed:
                self._idle.append(connection)
                return
        connection.close(True)
