"""Views in the ledger's PostgreSQL schema; the only place in this package that knows psycopg."""

from __future__ import annotations

from .backend import PostgresViews
from .backend_async import AsyncPostgresViews

__all__ = ["AsyncPostgresViews", "PostgresViews"]
