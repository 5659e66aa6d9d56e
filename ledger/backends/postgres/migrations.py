"""Creating and upgrading a ledger's tables: numbered, forward only, one process at a time."""

from __future__ import annotations

import uuid

from psycopg import AsyncConnection, AsyncCursor, Connection, Cursor
from psycopg.errors import UndefinedColumn, UndefinedTable
