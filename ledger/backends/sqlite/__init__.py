"""The SQLite backend; importing it imports apsw, so `ledger` does it only when asked for."""

from __future__ import annotations

import os

from ...processes import check_not_inherited, refuse_in_children
from ..base import OpenOptions
from .backend import SqliteBackend
from .files import check_others
from .location import path_of
from .readers import make_own

__all__ = ["SqliteBackend", "make_own", "open_sqlite"]


def open_sqlite(location: str | os.PathLike[str], options: OpenOptions) -> SqliteBackend:
    """Open the ledger in a file, given by its path; make it if there is none."""
    path = path_of(location)
    check_not_inherited(path)
    check_others(path)
    return refuse_in_children(SqliteBackend(path, options), path)
