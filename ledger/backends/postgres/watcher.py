"""Listens for other processes' hints in a thread of its own."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable

from psycopg import Connection
from psycopg.rows import TupleRow

from ...wakeups import Wakeups
from .goodbyes import GOODBYE_S
from .hints import BACKOFF_MIN_S, FAILURES, next_backoff, pass_on
from .notifier import Notifier
from .statements import Statements


class Watcher:
    """Passes hints on to Wakeups; after a break it connects again and wakes everybody."""

    def __init__(
        self,
        connect: Callable[[], Connection[TupleRow]],
        statements: Statements,
        wakeups: Wakeups,
        buckets: int,
        notifier: Notifier,
    ) -> None:
        self._connect = connect
        self._statements = statements
        self._wakeups = wakeups
        self._buckets = buckets
        self._notifier = notifier
        self._tried = threading.Event()
        self._closing = threading.Event()
        # Closing must interrupt a wait for the server: the end of this pair does.
        self._bell, self._ring = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="ledger-watcher", daemon=True)

    def start(self) -> None:
        """Return when the server listens, or the first attempt failed: polling goes on then."""
        try:
            self._thread.start()
        except Exception:  # not a Ctrl-C, which may have come when it ran already
            self._ring.close()
            self._bell.close()
            raise
        self._tried.wait()

    def cancel(self) -> None:
        """Have the thread end, with its connection, without waiting for it."""
        self._closing.set()
        # Its end, not a byte: the thread may have seen `_closing` first and have hung up already.
        self._ring.close()

    def close(self) -> None:
        """End the thread and its connection."""
        self.cancel()
        self._thread.join(GOODBYE_S)

    def _run(self) -> None:
        backoff_s = BACKOFF_MIN_S
        while not self._closing.is_set():
            try:
                with self._connect() as connection:
                    connection.execute(self._statements.listen)
                    # What was sent while nobody listened is lost: let everybody look.
                    self._wakeups.signal()
                    self._tried.set()
                    backoff_s = BACKOFF_MIN_S
                    self._listen(connection)
            except FAILURES:
                self._tried.set()
                self._wakeups.signal()
                self._closing.wait(backoff_s)
                backoff_s = next_backoff(backoff_s)
        self._bell.close()

    def _listen(self, connection: Connection[TupleRow]) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(connection.pgconn.socket, selectors.EVENT_READ)
            selector.register(self._bell, selectors.EVENT_READ)
            while not self._closing.is_set():
                # First look, then wait: libpq may have read hints along with something else.
                pass_on(connection.pgconn, self._wakeups, self._buckets, self._notifier.pid)
                selector.select()
