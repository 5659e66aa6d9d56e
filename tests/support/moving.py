"""What others write between two reads of one call, on every backend and in either style."""

import asyncio
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from tests.support.blocking import Blocking

#: What readers of lists ask a backend of views.
READS = ("read", "current", "select", "snapshot_of_each")


def written_between(
    views: Any, writes: Iterable[Callable[[], Any]], reads: tuple[str, ...] = READS
) -> Any:
    """Return views, behind each of whose reads of rows the next of some writes comes."""
    reader = (views._target if isinstance(views, Blocking) else views)._reader
    reader._views = _Moving(reader._views, iter(writes), reads)
    return views


class _Moving:
    def __init__(self, target: Any, writes: Any, reads: tuple[str, ...]) -> None:
        self._target = target
        self._writes = writes
        self._reads = reads

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)
        if name not in self._reads:
            return method
        return self._async(method) if inspect.iscoroutinefunction(method) else self._sync(method)

    def _sync(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def read(*args: Any) -> Any:
            found = method(*args)
            self._write(found)
            return found

        return read

    def _async(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def read(*args: Any) -> Any:
            found = await method(*args)
            # The ledger of a test waits for this loop.
            await asyncio.to_thread(self._write, found)
            return found

        return read

    def _write(self, found: Any) -> None:
        if found is not None:  # else another read follows that is the one
            next(self._writes, lambda: None)()
