"""Subscriptions: the ledger's own way of following, which loses no wake-up and outlives restarts."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from ledger.backends.base import Backend
from ledger.cursor import Cursor
from ledger.following import FeedSource, next_page
from ledger.plans import run
from ledger.records import Record
from ledger.wakeups import Where

from .api import ApplicationRecorder, Notification, Subscription
from .errors import translated
from .events import is_stored_event, notification, type_of

if TYPE_CHECKING:
    from .recording import LedgerApplicationRecorder

#: How long a stop goes unnoticed by a subscription that waits.
STOP_S = 0.05


class LedgerSubscription(Subscription[ApplicationRecorder]):
    """An endless iterator of notifications; it belongs to one thread, `stop` may come from any.

    A ledger that ends before `gt`, because it was restored from an older state, raises
    DatabaseError: waiting would leave out what is recorded until it has come there again.
    """

    def __init__(
        self, recorder: LedgerApplicationRecorder, gt: int | None, topics: Sequence[str]
    ) -> None:
        super().__init__(recorder, gt, topics)
        interruptible = _Interruptible(recorder.ledger.backend, self._is_stopped)
        self._backend = cast(Backend, interruptible)  # it is one, but only at run time
        self._source = FeedSource(
            Cursor((max(0, gt or 0),)), tuple(map(type_of, topics)) or None, recorder.tenant
        )
        self._page: deque[Record] = deque()

    def __next__(self) -> Notification:
        while not self._is_stopped():
            if not self._page:
                self._source.finished_page()
                page = next_page(self._backend, self._source, time.sleep, self._is_stopped)
                with translated():
                    self._page.extend(run(page))
                if not self._page:
                    break
            record = self._page.popleft()
            if is_stored_event(record):
                return notification(record)
        raise StopIteration

    def _is_stopped(self) -> bool:
        return self._has_been_stopped


class _Interruptible:
    """A backend whose waiting ends soon after a stop; in all else the one that it was given."""

    def __init__(self, backend: Backend, is_stopped: Callable[[], bool]) -> None:
        self._backend = backend
        self._is_stopped = is_stopped

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def wait(self, where: Where, token: int, timeout_s: float) -> bool:
        until = time.monotonic() + timeout_s
        while not self._is_stopped() and (left_s := until - time.monotonic()) > 0:
            if self._backend.wait(where, token, min(STOP_S, left_s)):
                return True
        return False
