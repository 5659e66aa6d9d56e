"""Subscriptions: the ledger's own follower, which loses no wake-up and outlives restarts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledger.cursor import Cursor, encode

from .api import ApplicationRecorder, Notification, Subscription
from .errors import translated
from .events import is_stored_event, notification, type_of

if TYPE_CHECKING:
    from .recording import LedgerApplicationRecorder


class LedgerSubscription(Subscription[ApplicationRecorder]):
    """An endless iterator of notifications; it belongs to one thread, `stop` may come from any.

    A stop while it waits is noticed within a second.
    """

    def __init__(
        self, recorder: LedgerApplicationRecorder, gt: int | None, topics: Sequence[str]
    ) -> None:
        super().__init__(recorder, gt, topics)
        ledger = recorder.ledger
        with translated():
            self._follower = ledger.follow(
                cursor=encode(Cursor((max(0, gt or 0),)), ledger.ledger_id),
                types=tuple(map(type_of, topics)) or None,
                tenant=recorder.tenant,
            )

    def stop(self) -> None:
        """End the iteration."""
        super().stop()
        self._follower.close()

    def __next__(self) -> Notification:
        with translated():
            for event in self._follower:
                if is_stored_event(event):
                    return notification(event)
        raise StopIteration
