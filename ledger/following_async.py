"""Following for tasks; see following."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Self

from .backends.base import AsyncBackend
from .events import Event
from .following import Source, cursor_of, next_page, sequence_of
from .plans import arun
from .records import Record, event_of_record
from .upcasts import Upcasts


class AsyncFollower:
    """An endless iterator of events; it belongs to one task, `close` may come from any.

    It reads up to 1,000 events ahead, and hands them out also if their session is deleted meanwhile
    or the ledger closed. Of a session that is followed, what was deleted before it was read is left
    out without a word, and what comes after the deletion follows.
    """

    def __init__(
        self, backend: AsyncBackend, source: Source, ledger_id: str, upcasts: Upcasts
    ) -> None:
        self._backend = backend
        self._ledger_id = ledger_id
        self._upcasts = upcasts
        self._source = source
        self._page: deque[Record] = deque()
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if not self._page and not self._closed:
            self._source.finished_page()
            page = next_page(self._backend, self._source, asyncio.sleep, lambda: self._closed)
            self._page.extend(await arun(page))
        if self._closed or not self._page:
            raise StopAsyncIteration
        # Decoded before it counts as passed: an upcaster may raise, and must not cost an event.
        event = event_of_record(self._page[0], self._upcasts)
        self._source.passed(self._page.popleft())
        return event

    @property
    def cursor(self) -> str:
        """The cursor behind the last event handed out; a session has none."""
        return cursor_of(self._source, self._ledger_id)

    @property
    def sequence(self) -> int:
        """The sequence of the session's last event handed out, or `after`; the log has none."""
        return sequence_of(self._source)

    async def close(self) -> None:
        """End the iteration: within a second, or when a call to a silent server is given up.

        That takes about `lock_timeout_s` and twice `connect_timeout_s`, half a minute by default.
        """
        self._closed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()
