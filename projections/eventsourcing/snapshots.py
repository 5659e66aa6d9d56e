"""Snapshots: derived from events, so they live beside the views and not in the log."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from ledger import Ledger, new_event_id

from ..backends import open_views
from ..backends.row_queries import RowQuery
from ..engine.tables import Key, Table
from .api import AggregateRecorder, DataError, IntegrityError, StoredEvent
from .errors import translated
from .events import session_of
from .rows import BUCKET, Changed, change_rows, table_name, view_table

_DIGITS = 19


class Snapshot(msgspec.Struct, frozen=True):
    """A stored snapshot; `deleted` is the deletion of its session that came before it, if any."""

    originator_id: str
    version: str
    topic: str
    state: str
    is_uuid: bool
    deleted: int
    call: str


class LedgerSnapshotRecorder(AggregateRecorder):
    """Versions of aggregates in any order and with gaps, gone when their session is deleted."""

    def __init__(self, ledger: Ledger, tenant: str = "", purpose: str = "snapshots") -> None:
        self.ledger = ledger
        self.tenant = tenant
        self._views = open_views(ledger.backend)
        self._table = view_table(
            table_name("stored", tenant, purpose), Snapshot, ("originator_id", "version")
        )

    def create_tables(self) -> None:
        """Create what is missing."""
        with translated():
            self._views.prepare([self._table])

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Store versions whole or not at all; IntegrityError if one is stored already."""
        if not stored_events:
            return None
        call = new_event_id()
        with translated():
            given = [self._row(event, call) for event in stored_events]
            rows: dict[Key, Snapshot] = {(row.originator_id, row.version): row for row in given}
            if len(rows) < len(stored_events):
                raise IntegrityError("The same version was given twice.")

            def decide(found: Mapping[Table, Mapping[Key, Any]]) -> Changed | None:
                for key, stored in found[self._table].items():
                    if stored.call == call:
                        return None  # stored, but the reply to the commit was lost
                    if stored.deleted == rows[key].deleted:
                        raise IntegrityError(f"Version {int(key[1])} of {key[0]} is stored.")
                return {self._table: rows}

            change_rows(self._views, {self._table: list(rows)}, decide)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return an aggregate's versions, in order."""
        low = -1 if gt is None else max(-1, gt)
        high = 10**_DIGITS - 2 if lte is None else lte
        if high <= low:
            return []
        session = session_of(originator_id)
        # The end where reading starts is the database's; the other one is few rows away.
        bound = high + 1 if desc else low
        query = RowQuery(
            table=self._table,
            bucket=BUCKET,
            equal=(("originator_id", session), ("deleted", self._deleted(session))),
            order=("version",),
            descending=desc,
            after=None if bound < 0 else (_text_of(bound),),
            limit=limit if (gt if desc else lte) is None else None,
        )
        with translated():
            found = [self._table.decode(row) for row in self._views.select(query)]
        return [_stored_event(row) for row in found if low < int(row.version) <= high][:limit]

    def _row(self, event: StoredEvent, call: str) -> Snapshot:
        session = session_of(event.originator_id)
        return Snapshot(
            originator_id=session,
            version=_text_of(event.originator_version),
            topic=event.topic,
            state=b64encode(event.state).decode(),
            is_uuid=isinstance(event.originator_id, UUID),
            deleted=self._deleted(session),
            call=call,
        )

    def _deleted(self, session_id: str) -> int:
        with translated():
            return self.ledger.backend.head(BUCKET, self.tenant, session_id).deleted


def _text_of(version: int) -> str:
    """Return a version as text of fixed width, in which text order is number order."""
    if not 0 <= version < 10**_DIGITS:
        raise DataError(f"{version} is no version.")
    return f"{version:0{_DIGITS}d}"


def _stored_event(row: Snapshot) -> StoredEvent:
    return StoredEvent(
        originator_id=UUID(row.originator_id) if row.is_uuid else row.originator_id,
        originator_version=int(row.version),
        topic=row.topic,
        state=b64decode(row.state),
    )
