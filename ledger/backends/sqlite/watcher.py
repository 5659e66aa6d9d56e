"""Noticing what other processes commit: one thread that looks at the file's version."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import apsw

from ...errors import StorageFailed
from ...records import Record, SessionPlace, places_of
from ...wakeups import Wakeups
from ..queries import load_queries
from .files import OpenFiles

#: A wake-up costs about 0.1 ms of CPU, whatever it does: 30 ms keep an idle process under 0.5 %.
POLL_S = 0.03
#: Of more new events in a bucket it is not looked which sessions they are of.
NAMED_EVENTS_MAX = 1_000
_SQL = load_queries(__package__, "queries.sql")
_POSITIONS, _APPENDED_TO = _SQL["positions"], _SQL["appended_to"]


class Watcher:
    """Signals the sessions that grew; starts when the first waiter takes a token.

    `PRAGMA data_version` reads a counter in memory that all processes share. Only when it moved
    are positions read, so that commits of views in the same file wake nobody, and then what was
    appended to, so that who waits for another session is not woken either.
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

    def signal(self, rows: Sequence[Record]) -> None:
        """Wake for this process's own commit, of which the thread need not wake again."""
        if not self._started:
            return  # no token is out, and whoever takes one from now on finds what is committed
        ends = {row.bucket: row.position for row in rows}  # in order, so the last of each bucket
        firsts = {row.bucket: row.position for row in reversed(rows)}
        with self._lock:
            for bucket, first in firsts.items():
                # Else another process was in between, and whom that wakes the thread will find.
                if self._positions[bucket] == first - 1:
                    self._positions[bucket] = ends[bucket]
        self._wakeups.signal(places_of(rows))

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
                grown = self._advance(_positions(connection))
                version = seen
                sessions = {one for range_ in grown for one in _appended_to(connection, *range_)}
            except (apsw.Error, StorageFailed, UnicodeDecodeError):
                # Waiters look for themselves: their read meets the same trouble and reports it.
                self._wakeups.signal()
                continue
            if sessions:
                self._wakeups.signal(sessions)
        connection.close()
        # For another one: a Ctrl-C amid the start leaves a thread that nobody knows to run.
        self._running.release()

    def _advance(self, positions: Sequence[int]) -> list[tuple[int, int, int]]:
        """Note where buckets end and return (bucket, after, upto) of those that grew."""
        with self._lock:
            known = self._positions
            grown = [
                (one, known[one], end) for one, end in enumerate(positions) if end > known[one]
            ]
            for bucket, _, end in grown:
                known[bucket] = end
        return grown


def _version(connection: apsw.Connection) -> int:
    version: int = connection.execute("PRAGMA data_version").get
    return version


def _appended_to(
    connection: apsw.Connection, bucket: int, after: int, upto: int
) -> list[SessionPlace | int]:
    """Return the sessions that a part of a bucket's events is of, or the bucket if it is large."""
    if upto - after > NAMED_EVENTS_MAX:
        return [bucket]
    rows = connection.execute(_APPENDED_TO, (bucket, after, upto))
    return [(bucket, tenant, session_id) for tenant, session_id in rows]


def _positions(connection: apsw.Connection) -> list[int]:
    return [position for (position,) in connection.execute(_POSITIONS)]
