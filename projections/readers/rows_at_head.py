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

from ledger import Appended, CallError, InvalidArgument, NewEvent, SequenceConflict
from ledger.events import Event
from ledger.plans import Plan
from ledger.refusals import shown
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
from ..engine.folding import fold, fold_event
from ..engine.tables import Key, Row, Table
from ..engine.work import Page, Work, decode_page, page_of, work_of
from ..errors import VersionDropped, ViewsBehind
from .arguments import answered
from .consistency import Consistency
from .kept_rows import KeptRow, KeptRows

Settle = Callable[[Sequence[Table], int | None, Consistency], Plan[list[Table]]]
#: Folds what is left of a row; None if the table is not the one to read, which settling tells.
Fold = Callable[[Table, int, Key], Plan[list[Any] | None]]
#: Appends events to a session, as the ledger does.
Append = Callable[..., Any]
#: What is to be appended to the session of a view, None if there is none.
Decide = Callable[[Any], Sequence[NewEvent]]
#: A version may be switched, or its events be appended faster than folded; not again and again.
_ATTEMPTS_MAX = 100
#: So often others may be faster than who decides.
DECISIONS_MAX = 10_000
#: So long a row is decided on without asking whether its version is still the one that is read.
UNASKED_S = 1.0
#: So long a row is kept that nobody asks for.
UNREAD_S = 60.0
now_s = time.monotonic


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
        self._refused: dict[Table, float] = {}

    @outlives_drops
    def row(self, table: Table, bucket: int, key: Key, *, settled: bool) -> Plan[AtHead]:
        """Return the view under a key; `settled` if the tables are to be brought up to date."""
        if settled:
            [table] = yield from self._settle([table], bucket, "strong")
        elif (at_head := (yield from self._from_kept(table, bucket, key))) is not None:
            return at_head
        start_s, events_max = time.monotonic(), AHEAD_EVENTS_MAX
        for _ in range(_ATTEMPTS_MAX):
            asked_s = now_s()
            found: Ahead | None = yield self._views.ahead(table, bucket, key, events_max)
            row = None if found is None else self._folded(table, key, found)
            if found is not None and row is not None:
                if found.records:
                    self._keep(table, key, found, row, asked_s)
                return _at_head(table, row[0], found.head)
            # A row is folded in less round trips, which is what most saves of a store wait for.
            if (yield from self._fold_row(table, bucket, key)) is None:
                [table] = yield from self._settle([table], bucket, "strong")
            events_max = AHEAD_LATE_EVENTS_MAX
        place = 0 if found is None else found.position + 1
        raise ViewsBehind(table.projection.name, bucket, place, time.monotonic() - start_s)

    def decided(
        self, table: Table, bucket: int, key: Key, decide: Decide, append: Append, *, settled: bool
    ) -> Plan[list[Appended]]:
        """Append what is decided on the row behind all events of its session.

        What is decided on a row that is kept counts if it is appended: that there is nothing to do,
        or that something is wrong, only the row that is there now may say.
        """
        attempt = 0
        while True:
            attempt += 1
            found = None if settled or attempt > 1 else self._confirmed(table, key)
            events = () if found is None else _decided_on_kept(decide, found.view)
            is_kept = bool(events)
            if found is None or not events:
                found = yield from self.row(table, bucket, key, settled=settled)
                events = decide(found.view)
                if not events:
                    return []
            if not isinstance(answered(events, "decide"), list | tuple):
                raise InvalidArgument("decide", f"it returns a list of events, not {shown(events)}")
            try:
                appended: list[Appended] = yield append(
                    key[1], events, tenant=key[0], expected=found.head
                )
            except SequenceConflict:
                if attempt == DECISIONS_MAX:
                    raise
            except CallError:
                # The row that is there now may ask for other events, or for none.
                if not is_kept:
                    raise
            else:
                self._went_on(table, key, found.head, appended)
                return appended

    def _confirmed(self, table: Table, key: Key) -> AtHead | None:
        kept = self._kept.found(table, key)
        if kept is None or now_s() > kept.confirmed_s + UNASKED_S:
            return None
        return _at_head(table, kept.row, kept.sequence)

    def _went_on(self, table: Table, key: Key, head: int, appended: Sequence[Appended]) -> None:
        """Fold what was appended behind a row that is kept into it, or keep it no longer."""
        kept = self._kept.found(table, key)
        if kept is None or kept.sequence != head:
            return
        self._kept.forget(table, key)
        # A repeat has the numbers that it was stored with.
        if not all(one.stored for one in appended):
            return
        try:
            events = [one.event for one in appended]
        except Exception:  # an upcaster's: it is stored, and who reads it is told
            return
        last = events[-1]
        row = _row_of(table, key, page_of(events), kept.position, kept.row)
        # Who reads the table is not to be left with more than this.
        if row is not None and last.position <= kept.position + KEPT_EVENTS_MAX:
            place = (last.sequence, last.event_hash, kept.position, kept.confirmed_s)
            self._kept.keep(table, key, KeptRow(row[0], *place))

    def _from_kept(self, table: Table, bucket: int, key: Key) -> Plan[AtHead | None]:
        """Return the view by what is behind the row that is kept; None if that does not tell it."""
        kept = self._kept.found(table, key)
        if kept is None or now_s() > kept.confirmed_s + UNREAD_S:
            return None
        place, asked_s = RowPlace(key[0], key[1], kept.sequence, kept.position), now_s()
        try:
            found: Behind | None = yield self._views.behind(table, bucket, place, AHEAD_EVENTS_MAX)
        except VersionDropped:
            self._kept.forget(table, key)
            raise
        row = None if found is None else self._folded_on(table, key, kept, found, asked_s)
        if found is None or row is None:
            self._kept.forget(table, key)
            self._refused[table] = asked_s
            return None
        return _at_head(table, row[0], found.records[-1].sequence)

    def _folded_on(
        self, table: Table, key: Key, kept: KeptRow, found: Behind, asked_s: float
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
            self._keep(table, key, ahead, row, asked_s)
        elif row is not None:
            self._kept.keep(table, key, msgspec.structs.replace(kept, confirmed_s=asked_s))
        return row

    def _keep(
        self,
        table: Table,
        key: Key,
        found: Ahead,
        row: tuple[Row | None],
        asked_s: float,
    ) -> None:
        # A fold without source may be another one the next time; and what is refused each time, as
        # in a table that says less of what made it, would be a question for nothing each time.
        refused_s = self._refused.get(table)
        if table.fold_digest and (refused_s is None or asked_s > refused_s + UNASKED_S):
            last = found.records[-1]
            kept = KeptRow(row[0], last.sequence, last.event_hash, found.position, asked_s)
            self._kept.keep(table, key, kept)

    def _folded(self, table: Table, key: Key, found: Ahead) -> tuple[Row | None] | None:
        """Return the row, None in its place if there is none; None if it is not to be had here."""
        if not found.records:
            return (found.row,)
        page = decode_page(found.records, [table], self._upcasts)
        return _row_of(table, key, page, found.position, found.row)


def _decided_on_kept(decide: Decide, view: Any) -> Sequence[NewEvent]:
    try:
        return decide(view)
    except Exception:  # which the row that is there now is asked about next
        return ()


def _at_head(table: Table, row: Row | None, head: int) -> AtHead:
    view = None if row is None else table.decode(row)
    # What keeps nothing but the anomalies of what is not there is no view.
    return AtHead(None if getattr(view, "missing_since", None) is not None else view, head)


def _row_of(
    table: Table, key: Key, page: Page, position: int, row: Row | None
) -> tuple[Row | None] | None:
    """Return what a page makes of a row of `position`, in the same way."""
    if page.is_plain and len(page.events) == 1 and isinstance(page.events[0], Event):
        # Mostly the one that was appended last.
        made = fold_event(table, key, row, page.events[0])
        if made is not None:
            return made
    work = _of_key(work_of(table, page), key)
    if work is None:
        return None
    change, failure = fold(work, position, {} if row is None else {key: row})
    if failure is not None:
        return None
    if change.gone or change.cleared:
        row = None
    return (change.rows[0] if change.rows else row,)


def _of_key(work: Work, key: Key) -> Work | None:
    """Return what there is to do for one row, and for deletions of its session.

    None if there are other rows to do it with: an event goes into all of its rows, or into none.
    """
    if any(len(keys) > 1 for keys in work.touching if key in keys):
        return None
    return work.of_row(key, work.touching.get((key,), ()), work.deletions)
