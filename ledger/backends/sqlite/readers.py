"""Connections to one file that read, lent for as long as one read takes."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from types import TracebackType
from weakref import WeakSet

import apsw

from ...errors import BackendUnavailable, LedgerClosed
from .connections import connect_again
from .errors import error_of, undecodable
from .files import OpenFiles

_ONLY_READS, _MAY_WRITE = "PRAGMA query_only = ON", "PRAGMA query_only = OFF"


class Readers:
    """Up to `size` connections that read, made when needed; they never wait for the writer."""

    def __init__(self, path: str, files: OpenFiles, size: int, timeout_s: float) -> None:
        self.path = path
        self._files = files
        self._size = size
        self._timeout_s = timeout_s
        # Borrowed from and given back to without a lock: pop and append are one step each. A lock,
        # a queue of permits and a generator around them took 2 µs, a third of reading a row.
        self._idle: list[apsw.Connection] = []
        self._closed = False
        # One that is lost, to a Ctrl-C between two lines, is in it no more: another may be made.
        self._made = WeakSet[apsw.Connection]()
        #: How many wait for one to come back; changed while `_changes` is held.
        self.waiting = 0
        self._changes = threading.Condition(threading.Lock())

    def connection(self) -> Loan:
        """Lend a connection; whatever it still has open at the end is dropped with it."""
        return Loan(self)

    def close(self) -> None:
        """Close what is idle; what is lent out is closed when it comes back."""
        self._closed = True
        self._close_idle()
        with self._changes:
            self._changes.notify_all()

    def take(self) -> apsw.Connection:
        """Return a connection, which the caller gives back."""
        if self._files.lost:
            self._files.refuse()
        try:
            return self._idle.pop()
        except IndexError:
            return self._made_or_returned()

    def give_back(self, connection: apsw.Connection) -> None:
        """Take a connection back from who is done with it."""
        # An open statement would pin its snapshot: old answers, and a -wal file that only grows.
        if connection.txn_state() == apsw.SQLITE_TXN_NONE:
            self._idle.append(connection)
        else:
            connection.close(True)
            self._made.discard(connection)
        # Behind what they may find: close() and who waits set theirs before they look.
        if self.waiting:
            with self._changes:
                self._changes.notify()
        if self._closed:
            self._close_idle()

    def _made_or_returned(self) -> apsw.Connection:
        until = time.monotonic() + self._timeout_s
        with self._changes:
            self.waiting += 1
            try:
                while True:
                    if self._closed:
                        raise LedgerClosed("The ledger is closed.")
                    with suppress(IndexError):
                        return self._idle.pop()
                    if len(self._made) < self._size:
                        return self._make()
                    left_s = until - time.monotonic()
                    if left_s <= 0:
                        busy = f"All {self._size} connections that read are in use."
                        raise BackendUnavailable(busy)
                    self._changes.wait(left_s)
            finally:
                self.waiting -= 1

    def _make(self) -> apsw.Connection:
        connection = connect_again(self.path, self._files, self._timeout_s)
        connection.execute(_ONLY_READS)
        self._made.add(connection)
        return connection

    def _close_idle(self) -> None:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                return  # somebody was faster
            connection.close()


def make_own(connection: apsw.Connection, statement: str) -> None:
    """Run a statement that makes something temporary, which a lent connection alone will see."""
    # It counts as writing, which such a connection may do at no other time.
    connection.execute(_MAY_WRITE)
    try:
        connection.execute(statement)
    finally:
        connection.execute(_ONLY_READS)


class Loan:
    """A connection for the length of a with statement, whose errors are raised as the ledger's."""

    __slots__ = ("_connection", "_readers")

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    def __enter__(self) -> apsw.Connection:
        try:
            connection = self._connection = self._readers.take()
        except apsw.Error as error:
            raise error_of(error, self._readers.path) from error
        return connection

    def __exit__(
        self,
        type_: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._readers.give_back(self._connection)
        if error is None:
            return
        if isinstance(error, UnicodeDecodeError):
            raise undecodable(error, self._readers.path) from error
        if isinstance(error, apsw.Error):
            raise error_of(error, self._readers.path) from error
