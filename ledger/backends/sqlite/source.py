"""A ledger's file, open for a copy: read as it is at one moment, and left as it is."""

from __future__ import annotations

from typing import Self

import apsw

from ...errors import NotALedger, StorageFailed
from ...processes import allow_in_children, check_not_inherited, refuse_in_children
from .connections import connect
from .errors import translated
from .files import OpenFiles, check_others
from .opening import APPLICATION_ID


class Source:
    """A connection inside a transaction that reads.

    Without it, every commit of another process between two steps would begin a copy anew: beside
    writers it would never end. Nobody waits for who reads a -wal file. The tables are not brought up
    to date: the copy may be meant for the time before that.
    """

    def __init__(self, path: str, timeout_s: float) -> None:
        check_not_inherited(path)
        check_others(path)
        self._files: OpenFiles | None = None
        with translated(path):
            try:
                self.connection = connect(path, timeout_s)
                try:
                    self._begin(path)
                except BaseException:
                    self.connection.close(True)
                    raise
            except apsw.NotADBError as error:
                raise NotALedger(f"{path} is no SQLite database.") from error
        refuse_in_children(self, path)

    def _begin(self, path: str) -> None:
        self.connection.execute("BEGIN")
        # The first that is read begins the moment.
        if self.connection.pragma("application_id") != APPLICATION_ID:
            raise NotALedger(f"{path} is no ledger.")
        # Else a copy that no ledger has opened yet: it has no -wal file.
        if self.connection.pragma("journal_mode") == "wal":
            self._files = OpenFiles(self.connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        try:
            if self._files is not None:
                self._files.check()
        except StorageFailed:
            # Its pages would go over what others have written since.
            self.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            raise
        finally:
            self.connection.close(True)
            if self._files is not None:
                self._files.close()
            allow_in_children(self)
