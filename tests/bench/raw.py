"""The databases without the ledger: the connections and tables that a baseline writes to.

Same server or file system, same settings, same columns and indexes, and the statements a good
developer would write by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import psycopg

from tests.bench.workload import START_US, Rows

Row = tuple[Any, ...]
COLUMNS = 22
_HOLDERS = ", ".join(["%s"] * COLUMNS)
POSTGRES_INSERT = f"INSERT INTO raw_events VALUES ({_HOLDERS})"
SQLITE_INSERT = f"INSERT INTO events VALUES ({', '.join('?' * COLUMNS)})"
# The parts of events in SQLite's catalogue that loading goes faster without.
_EXTRAS = "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name = 'events' AND type {} 'table'"
_COLUMN_TYPES = """
    SELECT format_type(atttypid, NULL) FROM pg_attribute
    WHERE attrelid = 'ledger.events'::regclass AND attnum > 0 ORDER BY attnum
"""


@contextmanager
def postgres(url: str) -> Iterator[psycopg.Connection]:
    """Open a connection to a ledger's database, with an empty `raw_events` beside the ledger."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS raw_events (LIKE ledger.events INCLUDING ALL)"
        )
        yield connection


def unnest_insert(connection: psycopg.Connection) -> str:
    """Return the statement that inserts columns given as arrays."""
    types = [name for (name,) in connection.execute(_COLUMN_TYPES)]
    arrays = ", ".join(f"%s::{name}[]" for name in types)
    return f"INSERT INTO raw_events SELECT * FROM unnest({arrays})"


@contextmanager
def sqlite(ledger_path: Path) -> Iterator[apsw.Connection]:
    """Open a file beside a ledger's, with the same empty table and indexes, without triggers."""
    connection = apsw.Connection(str(ledger_path.with_name("raw.db")))
    for setting in ("journal_mode = WAL", "synchronous = FULL", "mmap_size = 0"):
        connection.execute(f"PRAGMA {setting}")
    ledger = apsw.Connection(str(ledger_path))
    for _, _, statement in _catalogue(ledger, "="):
        connection.execute(statement)
    for kind, _, statement in _catalogue(ledger, "<>"):
        if kind == "index":
            connection.execute(statement)
    ledger.close()
    yield connection
    connection.close()


def fill(url: str, rows: Rows, count: int) -> None:
    """Put rows into a ledger that is open nowhere, see those for each database."""
    if url.startswith("sqlite:"):
        fill_sqlite(Path(url.removeprefix("sqlite:///")), rows, count)
    else:
        fill_postgres(url, rows, count)


def fill_postgres(url: str, rows: Rows, count: int) -> None:
    """Put rows into a ledger that is open nowhere, and leave nothing to be cleaned up later."""
    with psycopg.connect(url, autocommit=True) as connection:
        types = [name for (name,) in connection.execute(_COLUMN_TYPES)]
        with connection.transaction(), connection.cursor() as cursor:
            with cursor.copy("COPY ledger.events FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(types)
                for row in rows.take(count):
                    copy.write_row(row)
            cursor.executemany(
                "UPDATE ledger.buckets SET position = %s, recorded_us = %s WHERE bucket = %s",
                [(end, rows_time(rows), bucket) for bucket, end in enumerate(rows.ends)],
            )
        connection.execute("VACUUM (ANALYZE) ledger.events, ledger.buckets")
        connection.execute("CHECKPOINT")


def fill_sqlite(path: Path, rows: Rows, count: int) -> None:
    """Put rows into a ledger that is open nowhere; indexes are built at the end, as VACUUM does."""
    connection = apsw.Connection(str(path))
    extras = _catalogue(connection, "<>")
    with connection:
        for kind, name, _ in extras:
            connection.execute(f"DROP {kind} {name}")
        connection.executemany(SQLITE_INSERT, rows.take(count))
        for _, _, statement in extras:
            connection.execute(statement)
        connection.executemany(
            "UPDATE buckets SET position = ?, recorded_us = ? WHERE bucket = ?",
            [(end, rows_time(rows), bucket) for bucket, end in enumerate(rows.ends)],
        )
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def rows_time(rows: Rows) -> int:
    """Return a clock that no row is ahead of."""
    return START_US + max(rows.ends) + 1


def _catalogue(connection: apsw.Connection, operator: str) -> list[tuple[str, str, str]]:
    return list(connection.execute(_EXTRAS.format(operator)))
