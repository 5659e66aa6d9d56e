"""Any sync storage of views for tasks: calls run in threads, so the loop never waits for a disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

from ledger.backends.threaded import ThreadedBackend
from ledger.plans import Plan

from ..engine.folding import Change
from ..engine.stops import Failure, Skip
from ..engine.tables import Identity, Key, Row, Table
from .base import (
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
    ViewBackend,
)
from .marks import Mark, MarksQuery
from .row_queries import RowQuery
from .session_rows import SessionRows
from .side_by_side import in_turn_async
from .totals import Totals, TotalsQuery

P = ParamSpec("P")
T = TypeVar("T")


class ThreadedViews:
    """The AsyncViewBackend of a sync one, whose calls run where its log's do.

    A task that is cancelled gives up waiting, nothing else: what it stores is stored whole.
    """

    def __init__(self, views: ViewBackend, log: ThreadedBackend) -> None:
        self._views = views
        self._log = log

    async def prepare(self, tables: Sequence[Table]) -> None:
        await self._run(self._views.prepare, tables)

    async def checkpoints(self, bucket: int) -> Mapping[Identity, Checkpoint]:
        return await self._run(self._views.checkpoints, bucket)

    async def backlog(
        self, bucket: int, wanted: Sequence[Identity], limit: int, row: Place | None = None
    ) -> Backlog:
        return await self._run(self._views.backlog, bucket, wanted, limit, row)

    async def standings(self, names: Sequence[str]) -> list[Standing]:
        return await self._run(self._views.standings, names)

    async def mark_built(self, identity: Identity) -> None:
        await self._run(self._views.mark_built, identity)

    async def accept(self, table: Table) -> None:
        await self._run(self._views.accept, table)

    async def switch(self, identity: Identity) -> bool:
        return await self._run(self._views.switch, identity)

    async def drop(self, identity: Identity) -> bool:
        return await self._run(self._views.drop, identity)

    async def load(
        self, bucket: int, wanted: Sequence[tuple[Table, Sequence[Key]]]
    ) -> list[dict[Key, Row]]:
        return await self._run(self._views.load, bucket, wanted)

    async def store(self, bucket: int, changes: Sequence[Change], *, durable: bool = True) -> bool:
        return await self._run(self._views.store, bucket, changes, durable=durable)

    async def store_and_load(
        self, bucket: int, changes: Sequence[Change], row: Place
    ) -> Row | None:
        return await self._run(self._views.store_and_load, bucket, changes, row)

    async def select(self, query: RowQuery) -> list[Row]:
        return await self._run(self._views.select, query)

    async def read(self, query: RowQuery) -> list[Any]:
        return await self._run(self._views.read, query)

    async def current(self, query: RowQuery) -> list[Any] | None:
        return await self._run(self._views.current, query)

    async def current_row(self, table: Table, bucket: int, key: Key) -> list[Any] | None:
        return await self._run(self._views.current_row, table, bucket, key)

    async def ahead(self, table: Table, bucket: int, key: Key, events_max: int) -> Ahead | None:
        return await self._run(self._views.ahead, table, bucket, key, events_max)

    async def behind(
        self, table: Table, bucket: int, place: RowPlace, events_max: int
    ) -> Behind | None:
        return await self._run(self._views.behind, table, bucket, place, events_max)

    async def count(self, query: RowQuery) -> int:
        return await self._run(self._views.count, query)

    async def totals(self, wanted: TotalsQuery) -> list[Totals]:
        return await self._run(self._views.totals, wanted)

    async def marks(self, wanted: MarksQuery) -> list[Mark]:
        return await self._run(self._views.marks, wanted)

    async def together(
        self, bucket: int, session: Key, wanted: SessionRows
    ) -> list[list[Any]] | None:
        return await self._run(self._views.together, bucket, session, wanted)

    async def snapshot(self, bucket: int, queries: Sequence[RowQuery]) -> Instant:
        return await self._run(self._views.snapshot, bucket, queries)

    async def snapshot_of_each(
        self, queries: Sequence[RowQuery], sessions: Sequence[tuple[int, str]]
    ) -> Instants:
        return await self._run(self._views.snapshot_of_each, queries, sessions)

    async def note_failure(self, failure: Failure) -> None:
        await self._run(self._views.note_failure, failure)

    async def skip(self, skip: Skip) -> bool:
        return await self._run(self._views.skip, skip)

    async def overview(self) -> Overview:
        return await self._run(self._views.overview)

    async def side_by_side(self, plans: Sequence[Plan[None]], stop: Callable[[], None]) -> None:
        await in_turn_async(plans)

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        # Looked up each time: in a forked child it is another one, which refuses.
        return await self._log.run_beside(call, *args, **kwargs)
