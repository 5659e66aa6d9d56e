"""The PostgreSQL backend for tasks: backend.py with await."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import TupleRow, tuple_row

from ... import plans
from ...errors import AppendTimeout, InvalidArgument
from ...records import Head, Outcome, Record, Unit, places_of
from ...wakeups import Wakeups, Where
from ..base import FeedQuery, LedgerInfo, OpenOptions, Place, SessionQuery
from . import appending, migrations, reading
from .arrays import register_arrays
from .connecting import Target, check_transaction, lock_timeout
from .database_async import AsyncDatabase, Rows
from .errors import translated_within, translating
from .goodbyes import warn_of_unclosed
from .hints import POLL_S
from .notifier_async import AsyncNotifier
from .statements import Statements
from .watcher_async import AsyncWatcher


async def open_postgres_async(url: str, options: OpenOptions) -> AsyncPostgresBackend:
    """Connect, create or upgrade the tables where necessary, and return the backend."""
    migrations.check_options(options)
    target = Target(url, options)
    try:
        connection = await AsyncConnection.connect(**target.parameters)
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        raise target.unreachable(error) from error

    async def execute(statement: bytes, parameters: dict[str, Any] | None) -> list[TupleRow]:
        cursor = await connection.execute(statement, parameters)
        return await cursor.fetchall() if cursor.description else []

    with translating():
        async with connection:
            info = await plans.arun(migrations.opened(execute, options))
    backend = AsyncPostgresBackend(target, options, info)
    try:
        await backend.start()
    except BaseException:
        await backend.close()
        raise
    return backend


class AsyncPostgresBackend:
    """Tables in one schema; every method is one statement on a connection of the pool."""

    def __init__(self, target: Target, options: OpenOptions, info: LedgerInfo) -> None:
        self.info = info
        self.where = f"{target.where}, schema {options.schema}"
        self.lanes = options.lanes
        self.pool_size = options.pool_size
        self.lock_timeout_s = options.lock_timeout_s
        self.schema = options.schema
        self._target = target
        self._options = options
        self._statements = Statements(options.schema, info.ledger_id, distributed=info.distributed)
        self._wakeups = Wakeups(info.buckets)
        self._notifier = AsyncNotifier(target.connect_async, self._statements)
        self._watcher: AsyncWatcher | None = None
        self._database = AsyncDatabase(target, options, self._statements)
        self._closed = False
        self._ended = False
        self._ending: asyncio.Task[None] | None = None  # the event loop alone would not keep it

    def __del__(self) -> None:
        # Also called when the constructor failed, and in any thread.
        if getattr(self, "_closed", True):
            return
        self._notifier.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        warn_of_unclosed(self.info.ledger_id, self)

    async def start(self) -> None:
        """Open the pool, which needs the running event loop."""
        await self._database.open()

    async def append(self, units: Sequence[Unit], *, wait: bool) -> list[Outcome]:
        buckets = appending.touched(units)
        outcomes = await self._append_single(units, wait, buckets)
        if outcomes is None and not wait:
            outcomes = await self._append_few(units, buckets)
        if outcomes is None:
            parameters = (wait, *appending.several(units))
            [row] = await self._database.append(self._statements.append_events, parameters, buckets)
            outcomes = appending.outcomes(units, row, waited=wait)
        self._wakeups.signal(places_of(part for unit in units for part in unit.parts))
        self._notifier.hint(buckets)
        return outcomes

    async def append_within(self, unit: Unit, connection: Any) -> Outcome:
        self._database.check_open()
        check_transaction(connection, AsyncConnection)
        # A cursor class of our own choice: the connection's may bind on the client.
        cursor = AsyncCursor[TupleRow](connection, row_factory=tuple_row)
        register_arrays(cursor)
        timeout = lock_timeout(self._options.lock_timeout_s)
        parameters = (self.info.ledger_id, timeout, *appending.several([unit]))
        try:
            await cursor.execute(self._statements.append_within, parameters, binary=True)
            [row] = await cursor.fetchall()
        except psycopg.Error as error:
            waited = AppendTimeout(appending.touched([unit])[0], self._options.lock_timeout_s)
            raise translated_within(error, waited) from error
        finally:
            await cursor.close()
        if row[0] is None:
            raise InvalidArgument("connection", "it leads to another ledger")
        return appending.outcomes([unit], row, waited=True)[0]

    async def read(self, query: SessionQuery) -> list[Record]:
        return await self._records(*reading.read(self._statements, query))

    async def get(self, bucket: int, tenant: str, session_id: str, event_id: str) -> Record | None:
        parameters = {**reading.session(bucket, tenant, session_id), "event_id": event_id}
        found = await self._records(self._statements.get, parameters)
        return found[0] if found else None

    async def head(self, bucket: int, tenant: str, session_id: str) -> Head:
        parameters = reading.session(bucket, tenant, session_id)
        rows = await self._database.read(self._statements.head, parameters)
        return Head(*rows[0]) if rows else Head()

    async def heads(self, tenant: str, session_ids: Sequence[tuple[int, str]]) -> list[Head]:
        parameters = reading.sessions(tenant, session_ids)
        rows = await self._database.read(self._statements.heads, parameters)
        return [Head(*row) for row in rows]

    async def positions(self) -> list[int]:
        [[positions]] = await self._database.read(self._statements.positions, {})
        return list(positions)

    async def feed(self, query: FeedQuery) -> list[Record]:
        return await self._records(self._statements.feed, reading.feed(query))

    async def session_ids(
        self, tenant: str, bucket: int, after: str, limit: int, *, deleted: bool
    ) -> list[tuple[int, str]]:
        parameters = reading.session_ids(tenant, bucket, after, limit, deleted)
        rows = await self._database.read(self._statements.session_ids, parameters)
        return [(found, session_id) for found, session_id in rows]

    async def scan(self, after: Place, limit: int) -> list[Record]:
        return await self._records(self._statements.scan, reading.scan(after, limit))

    async def token(self, where: Where) -> int:
        self._database.check_open()
        if self._watcher is None or not self._watcher.has_tried:
            await self._watch()
        return self._wakeups.token(where)

    async def wait(self, where: Where, token: int, timeout_s: float) -> bool:
        self._database.check_open()
        if timeout_s <= POLL_S:
            return await self._wakeups.wait_async(where, token, timeout_s)
        # Also without a hint the log may have grown: hints can be lost.
        await self._wakeups.wait_async(where, token, POLL_S)
        return True

    async def select(self, statement: bytes, parameters: Sequence[Any] | dict[str, Any]) -> Rows:
        """Read a few rows of a table beside the ledger's own, which an index must lead to.

        Where the log is read, every statement runs on its index, however small the tables were when
        it was prepared. Errors are the driver's.
        """
        return await self._database.select(statement, parameters)

    def connection(self) -> AbstractAsyncContextManager[AsyncConnection[TupleRow]]:
        """Lend an autocommit connection to the ledger's database, for tables beside its own."""
        return self._database.lent()

    async def close(self) -> None:
        if self._ended:
            return
        if not self._closed:
            self._database.check_loop()  # before anything is closed by half
        self._closed = True
        # One at a time: a second one cancelled what the first had listening, amid its own end.
        if self._ending is None or self._ending.done():
            self._ending = asyncio.create_task(self._end(), name="ledger-closing")
        # Goes on if the wait is cancelled: nothing else would end what is left by then.
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        await self._database.close()
        self._wakeups.signal()
        await self._notifier.close()
        if self._watcher is not None:
            await self._watcher.close()
        self._ended = True

    async def _append_single(
        self, units: Sequence[Unit], wait: bool, buckets: list[int]
    ) -> list[Outcome] | None:
        if wait and self.info.distributed:
            return None  # it would wait on another server, for as long as that one waits
        parameters = appending.single(units)
        if parameters is None:
            return None
        [(packed,)] = await self._database.append(
            self._statements.append_event, (wait, *parameters), buckets
        )
        return None if packed is None else appending.single_outcome(units, packed)

    async def _append_few(self, units: Sequence[Unit], buckets: list[int]) -> list[Outcome] | None:
        if self.info.distributed:
            return None  # Citus stores nothing by a part of a statement; its functions do without
        parameters = appending.few(units)
        if parameters is None:
            return None
        rows = await self._database.append(self._statements.append_few, parameters, buckets)
        return appending.few_outcome(units, rows) if rows else None

    async def _records(self, statement: bytes, parameters: dict[str, Any]) -> list[Record]:
        return [Record(*row) for row in await self._database.read(statement, parameters)]

    async def _watch(self) -> None:
        # Known before it is waited for: whoever waits may be cancelled, and `close` must find it.
        if self._watcher is None:
            self._watcher = AsyncWatcher(
                self._target.connect_async,
                self._statements,
                self._wakeups,
                self.info.buckets,
                self._notifier,
            )
        await self._watcher.start()
