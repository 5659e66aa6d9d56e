"""Sends hints to other processes from a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

from psycopg import Connection
from psycopg.rows import TupleRow

from .goodbyes import GOODBYE_S
from .hints import BACKOFF_MIN_S, FAILURES, HINT_INTERVAL_S, next_backoff, payload_of
from .statements import Statements


class Notifier:
    """Collects bucket numbers and notifies; failures are silent and tried again, for hints may be late."""

    def __init__(self, connect: Callable[[], Connection[TupleRow]], statements: Statements) -> None:
        self._connect = connect
        self._statements = statements
        self._lock = threading.Lock()
        self._pending: set[int] = set()
        self._awake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: Connection[TupleRow] | None = None
        #: the server's process that sends, for a listener who wants to ignore it
        self.pid: int | None = None

    def hint(self, buckets: Iterable[int]) -> None:
        """Have others told soon; returns at once."""
        with self._lock:
            self._pending.update(buckets)
            if self._thread is None and not self._closing.is_set():
                thread = threading.Thread(target=self._run, name="ledger-notifier", daemon=True)
                # None may be to be had, which the next hint tries again: others look by themselves
                # some time, and what they are told about is stored.
                with suppress(RuntimeError):
                    thread.start()
                    self._thread = thread
        if not self._awake.is_set():
            self._awake.set()

    def cancel(self) -> None:
        """Have the thread send what is left and end, without waiting for it."""
        self._closing.set()
        self._awake.set()

    def close(self) -> None:
        """Send what is left, then end."""
        self.cancel()
        if self._thread is not None:
            self._thread.join(GOODBYE_S)

    def _run(self) -> None:
        backoff_s = BACKOFF_MIN_S
        while not self._closing.is_set():
            self._awake.wait()
            self._awake.clear()
            if self._send():
                backoff_s = BACKOFF_MIN_S
                self._closing.wait(HINT_INTERVAL_S)
            else:
                self._closing.wait(backoff_s)
                backoff_s = next_backoff(backoff_s)
        self._send()
        self._disconnect()

    def _send(self) -> bool:
        with self._lock:
            buckets, self._pending = self._pending, set()
        if not buckets:
            return True
        try:
            if self._connection is None:
                self._connection = self._connect()
                self.pid = self._connection.info.backend_pid
                self._connection.execute(self._statements.notifier_settings)
            self._connection.execute(
                self._statements.notify,
                {"channel": self._statements.channel, "payload": payload_of(buckets)},
                prepare=True,
            )
        except FAILURES:
            self._disconnect()
            self.hint(buckets)
            return False
        return True

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self.pid = None
