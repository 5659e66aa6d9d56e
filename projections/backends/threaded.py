"""Any sync storage of views for tasks: calls run in threads, so the loop never waits for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, TypeVar

from ..engine.folding import Change
from ..engine.stops import Failure, Skip
from ..engine.tables import Identity, Key, Row, Table
from .base import Checkpoint, Instant, Overview, RowQuery, Standing, ViewBackend

P = ParamSpec("P")
T = TypeVar("T")


class ThreadedViews:
    """The AsyncViewBackend of a sync one; with `inline`, calls run in the loop itself.

    A task that is cancelled gives up waiting, nothing else: what it stores is stored whole.
    """

    def __init__(self, views: ViewBackend, *, inline: bool) -> None:
        self._views = views
        self._inline = inline

    async def prepare(self, tables: Sequence[Table]) -> None:
        await self._run(self._views.prepare, tables)

    async def checkpoints(self, bucket: int) -> Mapping[Identity, Checkpoint]:
        return await self._run(self._views.checkpoints, bucket)

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

    async def select(self, query: RowQuery) -> list[Row]:
        return await self._run(self._views.select, query)

    async def current(self, query: RowQuery) -> list[Row] | None:
        return await self._run(self._views.current, query)

    async def count(self, query: RowQuery) -> int:
        return await self._run(self._views.count, query)

    async def snapshot(self, bucket: int, queries: Sequence[RowQuery]) -> Instant:
        return await self._run(self._views.snapshot, bucket, queries)

    async def note_failure(self, failure: Failure) -> None:
        await self._run(self._views.note_failure, failure)

    async def skip(self, skip: Skip) -> bool:
        return await self._run(self._views.skip, skip)

    async def overview(self) -> Overview:
        return await self._run(self._views.overview)

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._inline:
            return call(*args, **kwargs)
        return await asyncio.to_thread(call, *args, **kwargs)
