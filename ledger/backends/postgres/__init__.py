"""The log in PostgreSQL 15 or newer; only this package knows psycopg."""

from .backend import PostgresBackend, open_postgres
from .backend_async import AsyncPostgresBackend, open_postgres_async

__all__ = ["AsyncPostgresBackend", "PostgresBackend", "open_postgres", "open_postgres_async"]
