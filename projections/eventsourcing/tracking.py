"""Views of eventsourcing's projections, stored like ours: each notification exactly once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from ledger import Ledger, new_event_id

from ..backends import open_views
from ..backends.row_queries import RowQuery
from ..engine.tables import Key, Table
from .api import IntegrityError, Tracking, TrackingRecorder
from .errors import translated
from .rows import BUCKET, Changed, Edit, change_rows, table_name, view_table


class Tracked(msgspec.Struct, frozen=True):
    """How far an upstream application was processed, and by which call."""

    application_name: str
    notification_id: int
    call: str


class LedgerTrackingRecorder(TrackingRecorder):
    """Base of a projection's view: rows of `tables`, changed together with the tracking.

    The tables are the class's own, made by `view_table`; every column can be read with SQL.
    """

    tables: ClassVar[tuple[Table, ...]] = ()

    def __init__(self, ledger: Ledger, name: str = "") -> None:
        self.ledger = ledger
        self._views = open_views(ledger.backend)
        # One for each projection: they follow the same application at their own pace.
        self._tracked = view_table(table_name("tracking", name), Tracked, ("application_name",))

    def create_tables(self) -> None:
        """Create what is missing."""
        with translated():
            self._views.prepare([self._tracked, *self.tables])

    def insert_tracking(self, tracking: Tracking) -> None:
        """Record that a notification was processed and changed nothing."""
        self.change(tracking)

    def change(self, tracking: Tracking, *edits: Edit) -> None:
        """Change rows and record the notification that is why, in one transaction.

        `apply` of an edit may be called more than once, when others store at the same time. Raises
        IntegrityError, and changes nothing, if the notification or a later one was recorded.
        """
        call = new_event_id()
        key = (tracking.application_name,)
        wanted: dict[Table, list[Key]] = {self._tracked: [key]}
        for edit in edits:
            wanted.setdefault(edit.table, []).append(edit.key)

        def decide(found: Mapping[Table, Mapping[Key, Any]]) -> Changed | None:
            last: Tracked | None = found[self._tracked].get(key)
            if last is not None and last.call == call:
                return None  # stored, but the reply to the commit was lost
            if last is not None and last.notification_id >= tracking.notification_id:
                raise IntegrityError(f"{tracking} was recorded, up to {last.notification_id}.")
            changed = {table: dict(rows) for table, rows in found.items()}
            for edit in edits:
                rows = changed[edit.table]
                rows[edit.key] = edit.apply(rows.get(edit.key))
            changed[self._tracked] = {
                key: Tracked(tracking.application_name, tracking.notification_id, call)
            }
            return changed

        with translated():
            change_rows(self._views, wanted, decide)

    def max_tracking_id(self, application_name: str) -> int | None:
        """Return the last notification of an application that was recorded."""
        row: Tracked | None = self.row(self._tracked, (application_name,))
        return None if row is None else row.notification_id

    def row(self, table: Table, key: Key) -> Any:
        """Return the view under a key, or None."""
        with translated():
            [rows] = self._views.load(BUCKET, [(table, [key])])
        return table.decode(rows[key]) if key in rows else None

    def rows(
        self, table: Table, *, order: tuple[str, ...] = (), limit: int | None = None, **equal: Any
    ) -> list[Any]:
        """Return the views whose fields have the given values."""
        query = RowQuery(
            table=table, bucket=BUCKET, equal=tuple(equal.items()), order=order, limit=limit
        )
        with translated():
            return [table.decode(row) for row in self._views.select(query)]
