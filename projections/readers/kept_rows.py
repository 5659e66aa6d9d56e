"""Rows that were folded on in memory, each with the event behind which it was that.

None of them is an answer: whoever asks for a row is told it behind all events of its session that
the log has at that moment, and what is kept only says how far the folding had come, as a checkpoint
does. The event's hash, of which that of each event before it is a part, says that the log is still
the one the row was folded from, and the checkpoint that the version and its fold are. A fold that
was changed and changed back within the minute in which nobody asked is not noticed.
"""

from __future__ import annotations

import threading

import msgspec

from ..engine.tables import Key, Row, Table

#: All together take at most what these two give when multiplied.
ROWS_MAX = 256
ROW_SIZE_MAX = 65_536


class KeptRow(msgspec.Struct, frozen=True):
    """A row, None if there is none, behind the event of a session's `sequence`.

    It was folded on from the table's row as it was at a checkpoint's `position`. The database last
    confirmed it at `confirmed_s`, by the clock that never goes back.
    """

    row: Row | None
    sequence: int
    event_hash: bytes
    position: int
    confirmed_s: float


class KeptRows:
    """The rows that were asked for last. Safe to share between threads."""

    def __init__(self) -> None:
        self._rows: dict[tuple[Table, Key], KeptRow] = {}
        self._lock = threading.Lock()

    def found(self, table: Table, key: Key) -> KeptRow | None:
        """Return a row that is kept."""
        return self._rows.get((table, key))

    def keep(self, table: Table, key: Key, kept: KeptRow) -> None:
        """Keep a row in place of the one there was, if it is not too large."""
        with self._lock:
            self._rows.pop((table, key), None)
            if _size_of(kept.row) > ROW_SIZE_MAX:
                return
            self._rows[table, key] = kept
            if len(self._rows) > ROWS_MAX:
                del self._rows[next(iter(self._rows))]

    def forget(self, table: Table, key: Key) -> None:
        """Keep a row no longer."""
        with self._lock:
            self._rows.pop((table, key), None)


def _size_of(row: Row | None) -> int:
    """Return how much text a row has: its events do not tell what a fold made of them."""
    return sum([len(value) for value in row or () if type(value) is str])
