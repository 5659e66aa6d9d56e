"""Views in the ledger's SQLite file; the only place in this package that knows apsw."""

from __future__ import annotations

from .backend import SqliteViews

__all__ = ["SqliteViews"]
