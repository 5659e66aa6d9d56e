"""A recorder of events together with what they were made from.

How far an upstream application was processed is itself a fact of the log: one session for each,
under a tenant beside that of the events, appended with them in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger import Append, Ledger, NewEvent, SequenceConflict
from ledger.backends.base import SessionQuery
from ledger.codec import decode_json
from ledger.records import Record

from .api import IntegrityError, ProcessRecorder, StoredEvent, Tracking
from .errors import translated
from .recording import BUCKET, LedgerApplicationRecorder

TRACKED = "eventsourcing.tracked"


class LedgerProcessRecorder(LedgerApplicationRecorder, ProcessRecorder):
    """Events of an application that processes others' events, each of those exactly once."""

    def __init__(self, ledger: Ledger, tenant: str = "") -> None:
        super().__init__(ledger, tenant)
        self._tracking_tenant = f"{tenant}/tracking"

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Store events and `tracking`, if given, whole or not at all.

        IntegrityError if a version is not its aggregate's next one, or if the upstream notification
        or a later one was processed before.
        """
        tracking: Tracking | None = kwargs.get("tracking")
        with translated():
            if tracking is None:
                return self._insert(stored_events)
            return self._process(stored_events, tracking)

    def insert_tracking(self, tracking: Tracking) -> None:
        """Record that a notification was processed, without events."""
        self.insert_events((), tracking=tracking)

    def max_tracking_id(self, application_name: str) -> int | None:
        """Return the last notification of an application that was processed."""
        with translated():
            return _notification_id(self._last(application_name))

    def _process(self, stored_events: Sequence[StoredEvent], tracking: Tracking) -> list[int]:
        event = NewEvent({"notification_id": tracking.notification_id}, TRACKED)
        while True:
            last = self._last(tracking.application_name)
            reached = _notification_id(last)
            if reached is not None and reached >= tracking.notification_id:
                raise IntegrityError(f"{tracking} was processed, up to {reached}.")
            append = Append(
                tracking.application_name,
                [event],
                self._tracking_tenant,
                expected=0 if last is None else last.sequence,
            )
            try:
                return self._insert(stored_events, [append])
            except SequenceConflict:
                continue  # somebody else processed something: it may have been this

    def _last(self, application_name: str) -> Record | None:
        query = SessionQuery(
            bucket=BUCKET,
            tenant=self._tracking_tenant,
            session_id=application_name,
            limit=1,
            newest_first=True,
            deleted=True,
        )
        return next(iter(self.ledger.backend.read(query)), None)


def _notification_id(record: Record | None) -> int | None:
    # A deletion at the end starts it all over.
    if record is None or record.type != TRACKED:
        return None
    notification_id: int = decode_json(record.payload)["notification_id"]
    return notification_id
