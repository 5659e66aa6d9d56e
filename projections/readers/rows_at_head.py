"""A row behind all events of its session, for who decides on it what to append. Plans.

A store that decides and appends reads what its own last append changed. To fold that into the
tables first is several round trips, so the few events that are missing are folded in memory, by the
same fold, and left to be stored by whoever reads when there are more of them.
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
    Ahead,
    AsyncViewBackend,
    ViewBackend,
)
from ..engine.dropping import outlives_drops
from ..engine.folding import Work, decode_page, fold, work_of
from ..engine.tables import Key, Table
from ..errors import ViewsBehind
from .consistency import Consistency

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

    @outlives_drops
    def row(self, table: Table, bucket: int, key: Key, *, settled: bool) -> Plan[AtHead]:
        """Return the view under a key; `settled` if the tables are to be brought up to date."""
        if settled:
            [table] = yield from self._settle([table], bucket, "strong")
        start_s, events_max = time.monotonic(), AHEAD_EVENTS_MAX
        for _ in range(_ATTEMPTS_MAX):
            found: Ahead | None = yield self._views.ahead(table, bucket, key, events_max)
            views = None if found is None else self._folded(table, key, found)
            if found is not None and views is not None:
                return AtHead(views[0] if views else None, found.head)
            # A row is folded in less round trips, which is what most saves of a store wait for.
            if (yield from self._fold_row(table, bucket, key)) is None:
                [table] = yield from self._settle([table], bucket, "strong")
            events_max = AHEAD_LATE_EVENTS_MAX
        place = 0 if found is None else found.position + 1
        raise ViewsBehind(table.projection.name, bucket, place, time.monotonic() - start_s)

    def _folded(self, table: Table, key: Key, found: Ahead) -> list[Any] | None:
        """Return the view, [] if there is none; None if it cannot be folded here alone."""
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
        view = None if row is None else table.decode(row)
        # What keeps nothing but the anomalies of what is not there is no view.
        return [] if getattr(view, "missing_since", None) is not None or view is None else [view]


def _of_key(work: Work, key: Key) -> Work | None:
    """Return what there is to do for one row, and for deletions of its session.

    None if there are other rows to do it with: an event goes into all of its rows, or into none.
    """
    steps = [step for step in work.steps if step.event is None or key in step.keys]
    if any(len(step.keys) > 1 for step in steps):
        return None
    return msgspec.structs.replace(work, steps=steps, keys=(key,))
