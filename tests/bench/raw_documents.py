"""A session store as it is written by hand: one row per session, its document as JSON."""

from __future__ import annotations

from typing import Any

import apsw
import psycopg

CREATE = """
CREATE TABLE {name} (
    tenant text NOT NULL, session_id text NOT NULL, status text NOT NULL, changed_us bigint NOT NULL,
    document {json} NOT NULL, PRIMARY KEY (tenant, session_id)
)
"""
UPSERT = """
INSERT INTO {name} VALUES (?, ?, ?, ?, ?)
ON CONFLICT (tenant, session_id) DO UPDATE
SET status = excluded.status, changed_us = excluded.changed_us, document = excluded.document
"""
SELECT = "SELECT * FROM {name} WHERE tenant = ? AND session_id = ?"
NAME = "raw_documents"


class RawDocuments:
    """The table, durable as the ledger is, reached through one connection of its own."""

    def __init__(self, url: str) -> None:
        self._postgres = url.startswith("postgresql:")
        self._connection: Any
        if self._postgres:
            self._connection = psycopg.connect(url, autocommit=True)
        else:
            self._connection = apsw.Connection(url.removeprefix("sqlite:///"))
            for setting in ("synchronous = FULL", "mmap_size = 0"):
                self._connection.execute(f"PRAGMA {setting}")
        json = "jsonb" if self._postgres else "text"
        self._connection.execute(CREATE.format(name=NAME, json=json))

    def save(self, session_id: str, status: str, changed_us: int, document: str) -> None:
        """Insert or replace a row; committed when this returns."""
        self._execute(UPSERT, (session_id[:8], session_id, status, changed_us, document))

    def get(self, session_id: str) -> Any:
        """Return a row as the driver does."""
        return self._execute(SELECT, (session_id[:8], session_id)).fetchone()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _execute(self, statement: str, parameters: tuple[Any, ...]) -> Any:
        statement = statement.format(name=NAME)
        if not self._postgres:
            return self._connection.execute(statement, parameters)
        return self._connection.execute(
            statement.replace("?", "%s"), parameters, prepare=True, binary=True
        )
