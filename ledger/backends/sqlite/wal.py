"""The -wal file of the connection that writes: moved into the main file, and made longer, in time.

A flush of a file that has grown waits for the file system's own journal too. So what is to be
written next is zeros already: of a new file's appends, which took 410 µs until the -wal file had
its full length, one took 270. SQLite takes zeros for what remains of older transactions: a frame
counts with the salts of the header only (https://www.sqlite.org/fileformat2.html#walformat).
"""

from __future__ import annotations

import os
from contextlib import suppress

import apsw

#: After so many pages the -wal file goes into the other one, which waits for the disk twice. With
#: SQLite's own 1,000 every second page of folded events waited, a twentieth of its time; more than
#: 4,062 would make readers look through a second part of the -wal file's index.
WAL_PAGES_MAX = 4_000
#: What the -wal file shrinks to after a checkpoint; one big import would leave it big for ever.
WAL_BYTES_KEPT_MAX = 67_108_864
#: It is made as long again as it is, between these: 1 MiB takes 1 ms, a twentieth of what it saves.
_AHEAD_MIN, _AHEAD_MAX = 64, 256
#: An append writes 5 to 11 pages. For more at once, zeros cost as much as they save.
_COMMIT_MAX = 16
_FRAME_HEADER_BYTES = 24


class Wal:
    """What one connection has in the -wal file, of which SQLite tells at each commit."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._file = connection.filename_wal
        self._frame_bytes = connection.pragma("page_size") + _FRAME_HEADER_BYTES
        self._pages = self._before = self._room = 0
        connection.set_wal_hook(self._note)  # instead of SQLite's own checkpoints

    def _note(self, connection: apsw.Connection, database: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def settle(self, connection: apsw.Connection, durable: bool) -> None:
        """Behind a commit, checkpoint if it is time, else make room for the next; raises nothing."""
        written = self._pages - self._before
        self._before = self._pages
        if written < 0:
            self._room = 0  # begun again, and perhaps cut: look
        if self._pages >= WAL_PAGES_MAX:
            # What is committed stays so; the next commit tries again.
            with suppress(apsw.Error):
                connection.wal_checkpoint()
        elif durable and written <= _COMMIT_MAX and self._pages + _COMMIT_MAX > self._room:
            # Where the disk is full the next append says so, if it needs more than there is.
            with suppress(OSError):
                self._lengthen()

    def _lengthen(self) -> None:
        """Append zeros: what another process writes meanwhile comes before them or over them."""
        self._room = self._pages + min(max(self._pages, _AHEAD_MIN), _AHEAD_MAX)
        file = os.open(self._file, os.O_WRONLY | os.O_APPEND)
        try:
            length = os.fstat(file).st_size
            missing = self._room * self._frame_bytes - length
            if missing > 0:
                os.write(file, bytes(missing))
            else:
                self._room = length // self._frame_bytes
        finally:
            os.close(file)
