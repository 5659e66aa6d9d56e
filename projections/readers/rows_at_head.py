"""A row behind all events of its session, for who decides on it what to append. Plans.

A store that decides and appends reads what its own last append changed. To fold that into the
tables first is several round trips, so the few events that are missing are folded in memory, by the
same fold, and left to be stored by whoever reads when there are more of them.

What was folded so is kept, and the next who asks for the row has the database say what came behind
it: mostly one event, its own last append. That is one short statement and one event to fold, where
the row, and eight events on average, would be read and folded anew, and the tables be written at
every sixteenth: a save of an orchestrator's session takes three quarters of the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ledger.plans import Plan
from ledger.upcasts import Upcasts

from ..backends.base import (
    AHEAD_EVENTS_MAX,
    AHEAD_LATE_EVENTS_MAX,
    KEPT_EVENTS_MAX,
    Ahead,
    AsyncViewBackend,
    Behind,
    RowPlace,
    ViewBackend,
)
from ..engine.dropping import outlives_drops
from ..engine.folding import Work, decode_page, fold, work_of
from ..engine.tables import Key, Row, Table
from ..errors import ViewsBehind
from .consistency import Consistency
from .kept_rows import KeptRow, KeptRows, size_of

Settle = Callable[[Sequence[Table], int | None, Consistency], Plan[list[Table]]]
#: Folds what is left of a row; None if the table is not the one to read, which settling tells.
Fold = Callable[[Table, int, Key], Plan[list[Any] | None]]
#: A version may be switched, or its events be appended faster than folded; not again and again.
_ATTEMPTS_MAX = 100


class AtHead(msgspec.Struct, frozen=True):
    """A view behind all events of its session, None if there is none, and the last one's sequence.

    `head` is 0 for a session without events. An append that expects it is refused if the view may
    have become another one meanwhile.
    """

    view: Any
    head: int


class RowsAtHead:
    """Reads rows at the head of their sessions, for both faces of the views."""

    def __init__(
        self,
        views: ViewBackend | AsyncViewBackend,
        upcasts: Upcasts,
        settle: Settle,
        fold_row: Fold,
    ) -> None:
        self._views = views
        self._upcasts = upcasts
        self._settle = settle
        self._fold_row = fold_row
        self._kept = KeptRows()

    @outlives_drops
    def row(self, table: Table, bucket: int, key: Key, *, settled: bool) -> Plan[AtHead]:
        """Return the view under a key; `settled` if the tables are to be brought up to date."""
        if settled:
            [table] = yield from self._settle([table], bucket, "strong")
        elif (at_head := (yield from self._from_kept(table, bucket, key))) is not None:
            return at_head
        start_s, events_max = time.monotonic(), AHEAD_EVENTS_MAX
        for _ in range(_ATTEMPTS_MAX):
            found: Ahead | None = yield self._views.ahead(table, bucket, key, events_max)
            row = None if found is None else self._folded(table, key, found)
            if found is not None and row is not None:
                if found.records:
                    self._keep(table, key, found, row, size_of(found.row))
                return self._at_head(table, row, found.head)
            # A row is folded in less round trips, which is what most saves of a store wait for.
            if (yield from self._fold_row(table, bucket, key)) is None:
                [table] = yield from self._settle([table], bucket, "strong")
            events_max = AHEAD_LATE_EVENTS_MAX
        place = 0 if found is None else found.position + 1
        raise ViewsBehind(table.projection.name, bucket, place, time.monotonic() - start_s)

    def _from_kept(self, table: Table, bucket: int, key: Key) -> Plan[AtHead | None]:
        """Return the view by what is behind the row that is kept; None if that does not tell it."""
        kept = self._kept.found(table, key)
        if kept is None:
            return None
        place = RowPlace(key[0], key[1], kept.sequence, kept.position)
        found: Behind | None = yield self._views.behind(table, bucket, place, AHEAD_EVENTS_MAX)
        row = None if found is None else self._folded_on(table, key, kept, found)
        if found is None or row is None:
            self._kept.forget(table, key)
            return None
        return self._at_head(table, row, found.records[-1].sequence)

    def _folded_on(
        self, table: Table, key: Key, kept: KeptRow, found: Behind
    ) -> tuple[Row | None] | None:
        known, *records = found.records
        # Of a log that was set back, by a restored backup, the rest would be another session's.
        if (known.sequence, known.event_hash) != (kept.sequence, kept.event_hash):
            return None
        # Who reads the table is not to be left with more than this.
        if found.records[-1].position > found.position + KEPT_EVENTS_MAX:
            return None
        ahead = Ahead(kept.position, found.records[-1].sequence, kept.row, records)
        row = self._folded(table, key, ahead)
        if row is not None and records:
            self._keep(table, key, ahead, row, kept.size)
        return row

    def _keep(
        self, table: Table, key: Key, found: Ahead, row: tuple[Row | None], size: int
    ) -> None:
        # A fold without source may be another one the next time.
        if table.fold_digest:
            last = found.records[-1]
            size += sum([len(record.payload) for record in found.records])
            kept = KeptRow(row[0], last.sequence, last.event_hash, found.position, size)
            self._kept.keep(table, key, kept)

    def _at_head(self, table: Table, row: tuple[Row | None], head: int) -> AtHead:
        view = None if row[0] is None else table.decode(row[0])
        # What keeps nothing but the anomalies of what is not there is no view.
        return AtHead(None if getattr(view, "missing_since", None) is not None else view, head)

    def _folded(self, table: Table, key: Key, found: Ahead) -> tuple[Row | None] | None:
        """Return the row, None in its place if there is none; None if it is not to be had here."""
        row = found.row
        if found.records:
            page = decode_page(found.records, [table], self._upcasts)
            work = _of_key(work_of(table, page), key)
            if work is None:
                return None
            change, failure = fold(work, found.position, {} if row is None else {key: row})
            if failure is not None:
                return None
            if change.gone or change.cleared:
                row = None
            row = change.rows[0] if change.rows else row
        return (row,)


def _of_key(work: Work, key: Key) -> Work | None:
    """Return what there is to do for one row, and for deletions of its session.

    None if there are other rows to do it with: an event goes into all of its rows, or into none.
    """
    steps = [step for step in work.steps if step.event is None or key in step.keys]
    if any(len(step.keys) > 1 for step in steps):
        return None
    return msgspec.structs.replace(work, steps=steps, keys=(key,))
