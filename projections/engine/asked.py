"""The row that a reader asks for while its bucket is folded: what is known of it, page by page."""

from __future__ import annotations

from collections.abc import Sequence

from .folding import Change
from .tables import Key, Row, Table
from .work import Work


class Asked:
    """A row as of the table's checkpoint; whoever moves that finds out if it was another one's."""

    def __init__(self, table: Table, key: Key) -> None:
        self.place = (table, key)
        self.row: Row | None = None
        self.is_known = False

    def knows(self, row: Row | None) -> None:
        """Take the row as it is now; None if there is none."""
        self.row = row
        self.is_known = True

    @property
    def present(self) -> list[Row]:
        """The row if there is one that keeps more than the anomalies of what is not there."""
        table, _ = self.place
        if self.row is None:
            return []
        hidden = any(self.row[table.names.index(name)] is not None for name, _ in table.present)
        return [] if hidden else [self.row]

    def loaded(self, works: Sequence[Work]) -> dict[Table, dict[Key, Row]]:
        """Return what a storage would load for the table, if that is this row and no other one."""
        table, key = self.place
        if not self.is_known or not any(w.table is table and [*w.keys] == [key] for w in works):
            return {}
        return {table: {} if self.row is None else {key: self.row}}

    def is_written_by(self, changes: Sequence[Change]) -> bool:
        """Whether it is among the rows that changes write."""
        table, key = self.place
        return any(
            change.table is table and any(table.key_of_row(row) == key for row in change.rows)
            for change in changes
        )

    def may_be_gone_by(self, changes: Sequence[Change]) -> bool:
        """Whether it may be among those that changes remove."""
        return any(one.table is self.place[0] and (one.gone or one.cleared) for one in changes)
