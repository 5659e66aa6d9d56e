"""Views in PostgreSQL, for tasks of one event loop; see backend."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection, AsyncCursor
from psycopg.errors import UndefinedTable
from psycopg.pq import TransactionStatus

from ledger.backends.postgres import AsyncPostgresBackend
from ledger.plans import Plan, arun

from ...engine.folding import Change
from ...engine.stops import Failure, Skip
from ...engine.tables import Identity, Key, Row, Table
from ...errors import VersionDropped
from ..base import (
    Ahead,
    Backlog,
    Behind,
    Checkpoint,
    Instant,
    Instants,
    Overview,
    Place,
    RowPlace,
    Standing,
)
from ..marks import Mark, MarksQuery
from ..row_queries import RowQuery, key_query
from ..session_rows import SessionRows
from ..side_by_side import in_tasks, in_turn_async
from ..totals import Totals, TotalsQuery
from .backend import STALE, failure, may_repeat
from .calls import BEGIN, Call, Results, Send
from .storing import Storing

T = TypeVar("T")


class AsyncPostgresViews:
    """Tables in the ledger's schema, reached through the ledger's connections."""

    def __init__(self, log: AsyncPostgresBackend) -> None:
        self._log = log
        self._storing = Storing(log.schema, log.info, log.lock_timeout_s)
        # As in the sync twin.
        self._one_takes_several = threading.Lock()

    async def prepare(self, tables: Sequence[Table]) -> None:
        await self._run(lambda send: self._storing.prepare(send, tables))

    async def checkpoints(self, bucket: int) -> Mapping[Identity, Checkpoint]:
        return await self._run(lambda send: self._storing.checkpoints(send, bucket))

    async def backlog(
        self, bucket: int, wanted: Sequence[Identity], limit: int, row: Place | None = None
    ) -> Backlog:
        return await self._at_once(
            lambda send: self._storing.backlog(send, bucket, wanted, limit, row)
        )

    async def standings(self, names: Sequence[str]) -> list[Standing]:
        return await self._run(lambda send: self._storing.standings(send, names))

    async def mark_built(self, identity: Identity) -> None:
        await self._run(lambda send: self._storing.mark_built(send, identity))

    async def accept(self, table: Table) -> None:
        await self._run(lambda send: self._storing.accept(send, table))

    async def switch(self, identity: Identity) -> bool:
        return await self._run(lambda send: self._storing.switch(send, identity))

    async def drop(self, identity: Identity) -> bool:
        return await self._run(lambda send: self._storing.drop(send, identity))

    async def load(
        self, bucket: int, wanted: Sequence[tuple[Table, Sequence[Key]]]
    ) -> list[dict[Key, Row]]:
        return await self._run(
            lambda send: self._storing.load(send, bucket, wanted), [table for table, _ in wanted]
        )

    async def store(self, bucket: int, changes: Sequence[Change], *, durable: bool = True) -> bool:
        return await self._run(
            lambda send: self._storing.store(send, bucket, changes, durable=durable)
        )

    async def store_and_load(
        self, bucket: int, changes: Sequence[Change], row: Place
    ) -> Row | None:
        return await self._run(
            lambda send: self._storing.store_and_load(send, bucket, changes, row), [row[0]]
        )

    async def select(self, query: RowQuery) -> list[Row]:
        return await self._run(lambda send: self._storing.select(send, query), [query.table])

    async def read(self, query: RowQuery) -> list[Any]:
        return await self._run(lambda send: self._storing.read(send, query), [query.table])

    async def current(self, query: RowQuery) -> list[Any] | None:
        return await self._at_once(lambda send: self._storing.current(send, query))

    async def current_row(self, table: Table, bucket: int, key: Key) -> list[Any] | None:
        return await self.current(key_query(table, bucket, key))

    async def ahead(self, table: Table, bucket: int, key: Key, events_max: int) -> Ahead | None:
        return await self._at_once(
            lambda send: self._storing.ahead(send, table, bucket, key, events_max)
        )

    async def behind(
        self, table: Table, bucket: int, place: RowPlace, events_max: int
    ) -> Behind | None:
        return await self._at_once(
            lambda send: self._storing.behind(send, table, bucket, place, events_max)
        )

    async def count(self, query: RowQuery) -> int:
        return await self._run(lambda send: self._storing.count(send, query), [query.table])

    async def marks(self, wanted: MarksQuery) -> list[Mark]:
        return await self._run(lambda send: self._storing.marks(send, wanted), wanted.tables)

    async def totals(self, wanted: TotalsQuery) -> list[Totals]:
        return await self._run(lambda send: self._storing.totals(send, wanted), [wanted.rows.table])

    async def together(
        self, bucket: int, session: Key, wanted: SessionRows
    ) -> list[list[Any]] | None:
        return await self._at_once(
            lambda send: self._storing.together(send, bucket, session, wanted)
        )

    async def snapshot(self, bucket: int, queries: Sequence[RowQuery]) -> Instant:
        return await self._run(
            lambda send: self._storing.snapshot(send, bucket, queries),
            [query.table for query in queries],
        )

    async def snapshot_of_each(
        self, queries: Sequence[RowQuery], sessions: Sequence[tuple[int, str]]
    ) -> Instants:
        return await self._run(
            lambda send: self._storing.snapshot_of_each(send, queries, sessions),
            [query.table for query in queries],
        )

    async def note_failure(self, failure: Failure) -> None:
        await self._run(lambda send: self._storing.note_failure(send, failure))

    async def skip(self, skip: Skip) -> bool:
        return await self._run(lambda send: self._storing.skip(send, skip))

    async def overview(self) -> Overview:
        return await self._run(lambda send: self._storing.overview(send))

    async def side_by_side(self, plans: Sequence[Plan[None]], stop: Callable[[], None]) -> None:
        if not self._one_takes_several.acquire(blocking=False):
            await in_turn_async(plans)
            return
        try:
            await in_tasks(plans[: self._log.pool_size], stop)
        finally:
            self._one_takes_several.release()

    async def _at_once(self, plan: Callable[[Send], Plan[T]]) -> T:
        """Run a plan of one reading statement where the log is read: no connection is borrowed."""

        async def send(calls: Iterable[Call]) -> Results:
            return [(await self._log.select(call.statement, call.parameters), 0) for call in calls]

        try:
            return await arun(plan(send))
        except psycopg.Error as error:
            raise failure(error) from error

    async def _run(self, plan: Callable[[Send], Plan[T]], tables: Sequence[Table] = ()) -> T:
        """Run a plan on a connection; `tables` are those that it reads."""
        attempt = 1
        while True:
            try:
                async with self._log.connection() as connection:

                    def send(
                        calls: Iterable[Call], connection: AsyncConnection[Any] = connection
                    ) -> Any:
                        return _send(connection, calls)

                    try:
                        return await arun(plan(send))
                    except STALE:
                        await _forget(connection)
                        raise
            except psycopg.Error as error:
                if isinstance(error, UndefinedTable) and tables:
                    for one in await self._run(lambda send: self._storing.missing(send, tables)):
                        raise VersionDropped(*one.identity) from error
                if not may_repeat(error, attempt):
                    raise failure(error) from error
                attempt += 1


async def _forget(connection: AsyncConnection[Any]) -> None:
    if connection.pgconn.transaction_status == TransactionStatus.IDLE:
        await _execute(connection, BEGIN)
    await connection.rollback()


async def _send(connection: AsyncConnection[Any], calls: Iterable[Call]) -> Results:
    if isinstance(calls, Sequence) and len(calls) == 1:
        cursors = [await _execute(connection, calls[0])]
    else:
        async with connection.pipeline():
            cursors = [await _execute(connection, call) for call in calls]
    return [
        (await cursor.fetchall() if cursor.rownumber is not None else [], cursor.rowcount)
        for cursor in cursors
    ]


async def _execute(connection: AsyncConnection[Any], call: Call) -> AsyncCursor[Any]:
    return await connection.execute(
        call.statement, call.parameters, prepare=call.prepare, binary=True
    )
