"""The log in PostgreSQL 14 or newer; the only place in this package that knows psycopg."""

from .backend import PostgresBackend, open_postgres

__all__ = ["PostgresBackend", "open_postgres"]
