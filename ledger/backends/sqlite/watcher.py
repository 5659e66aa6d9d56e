"""Noticing what other processes commit: one thread that looks at the file's version."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import apsw

from ...errors import StorageFailed
from ...wakeups import Wakeups
from ..queries import load_queries
from .files import OpenFiles

#: A wake-up costs about 0.1 ms of CPU, whatever it does: 30 ms keep an idle process under 0.5 %.
POLL_S = 0.03
_POSITIONS = load_queries(__package__, "queries.sql")["positions"]


class Watcher:
    """Signals the buckets that grew; starts when the first waiter takes a token.

    `PRAGMA data_version` reads a counter in memory that all processes share. Only when it moved
    are positions read, so that commits of views in the same file wake nobody.
    """

    def __init__(
        self, connect: Callable[[], apsw.Connection], files: OpenFiles, wakeups: Wakeups
    ) -> None:
        self._connect = connect
        self._files = files
        self._wakeups = wakeups
        self._lock = threading.Lock()
        # Held while the thread may run: waiting for it costs half of waiting for an Event.
        self._running = threading.Lock()
        self._running.acquire()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._started = False
        self._positions: list[int] = []

    def start(self) -> None:
        """Watch from now on: a commit after this returns is noticed; again does nothing."""
        with self._lock:
            if self._started or self._closed:
                return
            connection = self._connect()
            try:
                version = _version(connection)
                self._positions = _positions(connection)
                self._thread = threading.Thread(
                    target=self._run, args=(connection, version), name="ledger-watcher", daemon=True
                )
                self._thread.start()
            except Exception:  # not a Ctrl-C, which may have come when it ran already
                self._thread = None
                connection.close(True)
                raise
            self._started = True

    def signal(self, grown: Mapping[int, int]) -> None:
        """Wake for this process's own commit, of which the thread need not wake again."""
        if self._started:
            self._advance(grown)
        self._wakeups.signal(grown)

    def close(self) -> None:
        """End the thread; the last waiters are woken by the caller."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._running.release()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self, connection: apsw.Connection, version: int) -> None:
        while not self._running.acquire(timeout=POLL_S):
            try:
                self._files.check()
                seen = _version(connection)
                if seen == version:
                    continue
                grown = self._advance(dict(enumerate(_positions(connection))))
                version = seen
            except (apsw.Error, StorageFailed):
                # Waiters look for themselves: their read meets the same trouble and reports it.
                self._wakeups.signal()
                continue
            if grown:
                self._wakeups.signal(grown)
        connection.close()

    def _advance(self, positions: Mapping[int, int]) -> list[int]:
        with self._lock:
            known = self._positions
            grown = [bucket for bucket, end in positions.items() if end > known[bucket]]
            for bucket in grown:
                known[bucket] = positions[bucket]
        return grown


def _version(connection: apsw.Connection) -> int:
    version: int = connection.execute("PRAGMA data_version").get
    return version


def _positions(connection: apsw.Connection) -> list[int]:
    return [position for (position,) in connection.execute(_POSITIONS)]
