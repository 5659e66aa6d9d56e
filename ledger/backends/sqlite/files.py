"""Whether the files that are open still are the ones that have their names.

SQLite keeps writing to what it opened, and says nothing when that was moved, replaced or removed.
Then appends succeed, and nobody will ever read them: after one look into the file by the same
process with Python's own sqlite3, which is another library, ninety-nine events that had been
acknowledged were gone. POSIX drops all locks of a process on a file when that process closes it
anywhere, so the other library takes itself for the last one that had the file open, and removes
its -wal file (https://www.sqlite.org/howtocorrupt.html, 2.2.1). To refuse such a look would take a
hook that Python calls for every `id()`: `copy.deepcopy` would take twice as long everywhere.
"""

from __future__ import annotations

import os
from typing import Never
from weakref import WeakValueDictionary

import apsw

from ...errors import StorageFailed
from ...processes import file_identity
from .statx import identity

#: By their ids: a set of them cannot be gone through while other threads open files.
_all = WeakValueDictionary[int, "OpenFiles"]()


def check_others(path: str) -> None:
    """Raise StorageFailed if a ledger that this process has open has lost this file.

    SQLite shares in a process what it knows of a file, and so would the one that is opened now.
    """
    for reference in _all.valuerefs():
        files = reference()
        if files is None:
            continue
        if os.path.exists(path) and file_identity(path) == files.main:
            try:
                files.check()
            except StorageFailed:
                if id(files) in _all:  # else it was closed meanwhile
                    raise


class OpenFiles:
    """A file and its -wal file, as a connection that stays open has them; shared by all others."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._path, self._wal_path = connection.filename, connection.filename_wal
        #: Whether a check has failed: there is no way back for what is open.
        self.lost = False
        try:
            self.main, self.wal = file_identity(self._path), file_identity(self._wal_path)
        except OSError:
            self.refuse()
        _all[id(self)] = self

    def close(self) -> None:
        """Forget them: nothing is open any more, or is closed next."""
        _all.pop(id(self), None)

    def check(self) -> None:
        """Raise StorageFailed if one of them has another file's name, or none.

        Takes 12 µs behind a flush.
        """
        try:
            kept = identity(self._path) == self.main and identity(self._wal_path) == self.wal
        except OSError:
            self.refuse()
        if self.lost or not kept:
            self.refuse()

    def refuse(self) -> Never:
        """Say that they are lost."""
        self.lost = True
        raise StorageFailed(
            f"{self._path} or its -wal file was moved, replaced or removed while it was open here;"
            " what this ledger stored last may not be in it. Was it opened by another SQLite library"
            " in this process, as Python's sqlite3 or DuckDB are? Close this ledger, open it again,"
            " and append again with the same event ids."
        )
