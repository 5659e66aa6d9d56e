"""The SQLite backend; importing it imports apsw, so `ledger` does it only when asked for."""

from __future__ import annotations

import os

from ..base import OpenOptions
from .backend import SqliteBackend
from .location import path_of

__all__ = ["SqliteBackend", "open_sqlite"]


def open_sqlite(location: str | os.PathLike[str], options: OpenOptions) -> SqliteBackend:
    """Open the ledger in a file, given as a path or as `sqlite:///…`; make it if there is none."""
    return SqliteBackend(path_of(location), options)
