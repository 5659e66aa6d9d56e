"""The log in one SQLite file, for any number of threads and processes of one machine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import starmap
from typing import Any

import apsw
import msgspec

from ...errors import LedgerClosed
from ...processes import allow_in_children
from ...records import Head, Outcome, Record, Unit
from ...wakeups import Wakeups, Where
from ..base import FeedQuery, OpenOptions, Place, SessionQuery
from ..queries import load_queries
from .appends import store
from .connections import Writer, connect_again
from .errors import translated
from .files import OpenFiles
from .opening import open_file
from .readers import Readers
from .rows import add_records, escaped_bytes, escaped_record
from .watcher import Watcher
from .within import store_within

_SQL = load_queries(__package__, "queries.sql")
_INTEGER_MAX = 2**63 - 1


class SqliteBackend:
    """One connection that writes, a few that read, a thread that notices other processes.

    Not for a forked child, which is refused this object and the file as well; see processes.
    """

    lanes = 1  # a file has one writer at a time, so a second lane would only wait

    def __init__(self, path: str, options: OpenOptions) -> None:
        connection, self.info = open_file(path, options)
        timeout_s = options.lock_timeout_s
        self.path = path
        self.where = f"sqlite:///{path}"
        self.lock_timeout_s = timeout_s
        self._lock_slice_s = options.lock_slice_s
        self.files = files = OpenFiles(connection)
        self._writer = Writer(connection, path, files, timeout_s)
        self._readers = Readers(path, files, options.pool_size, timeout_s)
        self._wakeups = Wakeups(self.info.buckets)
        self._watcher = Watcher(
            partial(connect_again, path, files, timeout_s), files, self._wakeups
        )
        self._closed = False

    def append(self, units: Sequence[Unit], *, wait: bool) -> list[Outcome]:
        """Store units in one transaction; the lock is waited for in any case, a slice of time."""
        if not units:
            return []
        first = min([unit.first_bucket for unit in units])
        outcomes, rows = self._writer.run(partial(_store, units), first, self._lock_slice_s)
        if rows:
            self._watcher.signal(rows)
        return outcomes

    def append_within(self, unit: Unit, connection: Any) -> Outcome:
        """Store one unit in the open transaction of an apsw.Connection to this file.

        Until that transaction ends, every other append to this file waits for it.
        """
        self._check_open()
        return store_within(unit, connection, self.path, self.info)

    def read(self, query: SessionQuery) -> list[Record]:
        statement = _SQL["read_newest_first" if query.newest_first else "read"]
        if query.of_redactions:
            statement = _SQL["read_redactions"]
        bindings: dict[str, Any] = {
            "bucket": query.bucket,
            "tenant": query.tenant,
            "session_id": query.session_id,
            "after": query.after,
            "before": _INTEGER_MAX if query.before is None else query.before,
            "deleted": query.deleted,
            "run_id": query.run_id,
            "types": _json(query.types),
            "since_us": query.since_us,
            "until_us": query.until_us,
            "limit": query.limit,
        }

        def place(last: Record | None) -> str:
            behind = "The first event" if last is None else f"The event behind {last.sequence}"
            return f"{behind} in a page of session {query.session_id!r}, tenant {query.tenant!r},"

        page: list[Record] = []
        with self._readers.connection() as connection:
            add_records(page, connection.execute(statement, bindings), place)
        return page

    def get(self, bucket: int, tenant: str, session_id: str, event_id: str) -> Record | None:
        def place(_: Record | None) -> str:
            return f"Event {event_id!r} of session {session_id!r}, tenant {tenant!r},"

        found: list[Record] = []
        with self._readers.connection() as connection:
            rows = connection.execute(_SQL["event"], (bucket, tenant, session_id, event_id))
            add_records(found, rows, place)
        return found[0] if found else None

    def head(self, bucket: int, tenant: str, session_id: str) -> Head:
        with self._readers.connection() as connection:
            rows = connection.execute(_SQL["head"], (bucket, tenant, session_id))
            heads = [Head(*row) for row in rows]
        return heads[0] if heads else Head()

    def heads(self, tenant: str, session_ids: Sequence[tuple[int, str]]) -> list[Head]:
        heads = [Head()] * len(session_ids)
        given = msgspec.json.encode(session_ids).decode()
        with self._readers.connection() as connection:
            for place, *row in connection.execute(_SQL["heads"], (tenant, given)):
                heads[place] = Head(*row)
        return heads

    def positions(self) -> list[int]:
        with self._readers.connection() as connection:
            return [position for (position,) in connection.execute(_SQL["positions"])]

    def feed(self, query: FeedQuery) -> list[Record]:
        # No transaction around the ranges: positions are dense at commit, so a range that ends
        # at a head somebody read says the same in every later snapshot.
        page: list[Record] = []
        types = _json(query.types)
        with self._readers.connection() as connection:
            for bucket, after, upto in query.ranges:
                left = query.limit - len(page)
                if not left:
                    break
                bindings = (bucket, after, upto, left, types, query.tenant)
                rows = connection.execute(_SQL["feed"], bindings)
                add_records(page, rows, partial(_behind, bucket, after))
        return page

    def session_ids(
        self, tenant: str, bucket: int, after: str, limit: int, *, deleted: bool
    ) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        with self._readers.connection() as connection:
            for number in range(bucket, self.info.buckets):
                left = limit - len(found)
                if not left:
                    break
                behind = after if number == bucket else ""
                bindings = (number, tenant, behind, left, deleted)
                rows = connection.execute(_SQL["session_ids"], bindings)
                found.extend((number, session_id) for (session_id,) in rows)
        return found

    def scan(self, after: Place, limit: int) -> list[Record]:
        tenant, session_id = escaped_bytes(after.tenant), escaped_bytes(after.session_id)
        place = (after.bucket, tenant, session_id, after.sequence, limit)
        with self._readers.connection() as connection:
            try:
                return list(starmap(Record, connection.execute(_SQL["scan"], place)))
            except UnicodeDecodeError:
                rows = connection.execute(_SQL["scan_bytes"], place)
                return [escaped_record(row) for row in rows]

    def token(self, where: Where) -> int:
        self._check_open()
        with translated(self.path):
            self._watcher.start()
        return self._wakeups.token(where)

    def wait(self, where: Where, token: int, timeout_s: float) -> bool:
        self._check_open()
        return self._wakeups.wait(where, token, timeout_s)

    async def wait_async(self, where: Where, token: int, timeout_s: float) -> bool:
        """Wait in a task; the threaded wrapper prefers this over holding a thread."""
        self._check_open()
        return await self._wakeups.wait_async(where, token, timeout_s)

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[apsw.Connection]:
        """Lend the connection that writes, from BEGIN IMMEDIATE to COMMIT (or ROLLBACK).

        For tables beside the log. `append_within` takes the connection; every append waits. What is
        not `durable` is flushed with the next commit that is; a loss of power before may undo it.
        """
        return self._writer.transaction(durable=durable)

    def reader(self) -> AbstractContextManager[apsw.Connection]:
        """Lend a connection that reads; it has no transaction open unless the borrower begins one.

        Rows are fetched before it goes back: statements still open end with the loan.
        """
        return self._readers.connection()

    def close(self) -> None:
        """Close after the transaction that is open; loans of readers end when they end."""
        self._closed = True
        self._watcher.close()
        self._readers.close()
        self._writer.close()
        self.files.close()
        allow_in_children(self)
        self._wakeups.signal()

    def _check_open(self) -> None:
        if self._closed:
            raise LedgerClosed("The ledger is closed.")


def _store(
    units: Sequence[Unit], connection: apsw.Connection
) -> tuple[list[Outcome], list[Record]]:
    # Closed however it ends: an error that a caller keeps would keep what was being read, and with
    # it the file as it was, on which nobody can write once somebody else has written.
    cursor = connection.cursor()
    try:
        # Ids are looked up when one turns out to be there: few appends are repeats.
        return store(cursor, units, look_up=False)
    except apsw.ConstraintError:
        cursor.execute("ROLLBACK")
        cursor.execute("BEGIN IMMEDIATE")
        return store(cursor, units)
    finally:
        cursor.close(True)


def _behind(bucket: int, after: int, last: Record | None) -> str:
    position = last.position if last is not None and last.bucket == bucket else after
    return f"The event behind position {position} of bucket {bucket}"


def _json(types: tuple[str, ...] | None) -> str | None:
    return None if types is None else msgspec.json.encode(types).decode()
