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
#: SQLite's own 1,000 every second page of folded events waited, a twentieth of its time. With more
#: than 4,062 readers would look through a second part of the -wal file's index; and where the disk
#: is full, where no checkpoint makes it short, that part finds no room behind a commit that
#: is flushed already: what was refused was stored, and the file could not be opened any more.
WAL_PAGES_MAX = 4_000
#: What the -wal file shrinks to after a checkpoint; one big import would leave it big for ever.
WAL_BYTES_KEPT_MAX = 67_108_864
#: An append writes 5 pages, and where trees grow up to 14. For more at once, zeros cost as much as
#: they save.
_COMMIT_MAX = 16
#: Nor do the appends of who makes a few and goes get back what 64 pages of zeros cost.
_COMMITS_MIN = 4
#: It is made as long again as it is, between these: 256 pages take 1 ms and save 48 appends 6.
_AHEAD_MIN, _AHEAD_MAX = 64, 256
_ROOM_MAX = WAL_PAGES_MAX + _COMMIT_MAX
_FRAME_HEADER_BYTES = 24


class Wal:
    """The -wal file as one connection knows it, of which SQLite tells at each commit."""

    def __init__(self, connection: apsw.Connection, identity: tuple[int, int]) -> None:
        self._file = connection.filename_wal
        self._identity = identity
        self._frame_bytes = connection.pragma("page_size") + _FRAME_HEADER_BYTES
        self._pages = self._before = self._room = self._asked = 0
        self._own = connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]
        connection.set_wal_hook(self._note)  # instead of SQLite's own checkpoints

    def _note(self, connection: apsw.Connection, database: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def settle(self, connection: apsw.Connection, durable: bool) -> None:
        """Behind a commit, checkpoint if it is time, else make room for the next; raises nothing."""
        # Only its own pages: of four processes that take turns each saw twenty behind its last.
        own = connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]
        written, self._own = own - self._own, own
        if self._pages < self._before:
            self._room = 0  # begun again, and perhaps cut: look
        self._before = self._pages
        if self._pages >= WAL_PAGES_MAX:
            # What is committed stays so; the next commit tries again.
            with suppress(apsw.Error):
                connection.wal_checkpoint()
        elif durable and written <= _COMMIT_MAX and self._pages + _COMMIT_MAX > self._room:
            self._asked += 1
            if self._asked > _COMMITS_MIN:
                # Where the disk is full the next append says so, if it needs more than there is.
                with suppress(OSError, MemoryError):
                    self._lengthen()

    def _lengthen(self) -> None:
        """Append zeros: what another process writes meanwhile comes before them or over them."""
        ahead = min(max(self._pages, _AHEAD_MIN), _AHEAD_MAX)
        self._room = min(self._pages + ahead, _ROOM_MAX)
        file = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            status = os.fstat(file)
            # Nothing is written to what took the name just now; the next commit notices.
            if (status.st_dev, status.st_ino) != self._identity:
                return
            missing = self._room * self._frame_bytes - status.st_size
            if missing > 0:
                os.write(file, bytes(missing))
            else:
                self._room = status.st_size // self._frame_bytes
        finally:
            os.close(file)
