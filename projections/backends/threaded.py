"""Any sync storage of views for tasks: calls run in threads, so the loop never waits for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, TypeVar

from ..folding import Change
from ..tables import Key, Row, Table
from .base import RowQuery, ViewBackend

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

    async def checkpoints(self, bucket: int) -> Mapping[tuple[str, int], int]:
        return await self._run(self._views.checkpoints, bucket)

    async def positions(self, table: Table) -> list[int]:
        return await self._run(self._views.positions, table)

    async def load(
        self, bucket: int, wanted: Sequence[tuple[Table, Sequence[Key]]]
    ) -> list[dict[Key, Row]]:
        return await self._run(self._views.load, bucket, wanted)

    async def store(self, bucket: int, changes: Sequence[Change]) -> bool:
        return await self._run(self._views.store, bucket, changes)

    async def select(self, query: RowQuery) -> list[Row]:
        return await self._run(self._views.select, query)

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._inline:
            return call(*args, **kwargs)
        return await asyncio.to_thread(call, *args, **kwargs)
