"""What a session has for who takes of it away: read once, then only what others add meanwhile. Plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ledger.events import Event
from ledger.plans import Plan

from ...engine.projection import Projection, payload
from ...folds.consumers import CONSUMERS, Consumer
from ...folds.context import CONTEXT, ContextEntry
from ...folds.feedback import FEEDBACK, Feedback
from ...folds.graph_context import GRAPH_CONTEXT, GraphContext
from ...folds.qa import QA, QAEntry
from ...folds.traces import TRACES, Span
from .facts import MARKED, REDACTED, is_ours

if TYPE_CHECKING:
    from .core import QACore

#: The views that have what this store keeps.
_VIEWS: tuple[Projection, ...] = (QA, TRACES, CONTEXT, FEEDBACK, GRAPH_CONTEXT, CONSUMERS)
_SESSIONS = "sessions"


class Kept(msgspec.Struct, frozen=True):
    """Everything of a session that this store keeps."""

    entries: list[QAEntry]
    steps: list[Span]
    guidance: list[ContextEntry]
    feedback: list[Feedback]
    unlisted: list[GraphContext | Consumer]


class Told(msgspec.Struct, frozen=True):
    """Who told what in a session: whether we did, whether others, and which consumers we marked."""

    upto: int = 0
    ours: bool = False
    others: bool = False
    marked: frozenset[str] = frozenset()

    def behind(self, events: Sequence[Event]) -> Told:
        """Return the same once these were told, too; those that it knows already count once."""
        new = [one for one in events if one.sequence > self.upto]
        if not new:
            return self
        ours = [one for one in new if is_ours(one)]
        marked = {str(payload(one)["consumer"]) for one in ours if one.type == MARKED}
        others = any(not is_ours(one) and one.type != REDACTED for one in new)
        return Told(
            new[-1].sequence, self.ours or bool(ours), self.others or others, self.marked | marked
        )


class Rows(msgspec.Struct, frozen=True):
    """The rows of a session's views behind an event, by view and key."""

    upto: int
    by_view: dict[str, dict[tuple[str, ...], Any]]

    def behind(self, events: Sequence[Event]) -> Rows:
        """Return the rows behind these events, made by the views' own folds; in place."""
        new = [one for one in events if one.sequence > self.upto]
        for event in new:
            for view in _VIEWS:
                if view.types is None or event.type in view.types:
                    _fold(view, self.by_view[view.name], event)
        return Rows(new[-1].sequence, self.by_view) if new else self


def _fold(view: Projection, rows: dict[tuple[str, ...], Any], event: Event) -> None:
    for key in view.keys(event):
        row = view.apply(rows.get(key), event)
        if row is None:
            rows.pop(key, None)
        else:
            rows[key] = row


class Standing:
    """A session as it stands, for one call that decides on all of it what to append.

    Each question is answered by all that was told before it was asked. Were everything read anew
    each time that others were faster, of a long session beside one busy writer nothing would ever go.
    """

    def __init__(self, core: QACore, ledger_id: str) -> None:
        self._core = core
        self._ledger_id = ledger_id
        self._told: Told | None = None
        self._rows: Rows | None = None

    def told(self) -> Plan[Told]:
        """Say who told what in the session. Reads all of its events, once."""
        yield from self._go_on()
        if self._told is None:
            events: list[Event] = yield self._core.ledger.read(
                self._ledger_id, tenant=self._core.tenant
            )
            if not events:
                return Told()
            self._told = Told().behind(events)
        return self._told

    def kept(self) -> Plan[Kept]:
        """Return everything of the session that this store keeps. Reads all of its rows, once."""
        yield from self._go_on()
        if self._rows is None:
            found: dict[str, list[Any]] = yield self._core.views.together(
                self._ledger_id,
                (*(view.name for view in _VIEWS), _SESSIONS),
                tenant=self._core.tenant,
            )
            if not found[_SESSIONS]:
                return Kept([], [], [], [], [])
            # Its session's row knows behind which event all of them are.
            self._rows = Rows(
                found[_SESSIONS][0].last_sequence,
                {view.name: _by_key(view, found[view.name]) for view in _VIEWS},
            )
        return _kept(self._rows)

    def _go_on(self) -> Plan[None]:
        """Take in what was told since, or forget all of a session that was deleted since."""
        known = [one.upto for one in (self._told, self._rows) if one is not None]
        if not known:
            return
        first = min(known)
        events: list[Event] = yield self._core.ledger.read(
            self._ledger_id, tenant=self._core.tenant, after=first - 1
        )
        if not events or events[0].sequence != first:
            self._told = self._rows = None
            return
        if self._told is not None:
            self._told = self._told.behind(events)
        if self._rows is not None:
            try:
                self._rows = self._rows.behind(events)
            except Exception:
                # A view that cannot fold an event says so itself, to who reads it.
                self._rows = None


def _by_key(view: Projection, rows: Sequence[Any]) -> dict[tuple[str, ...], Any]:
    return {tuple(getattr(row, name) for name in view.key): row for row in rows}


def _kept(rows: Rows) -> Kept:
    found = {name: list(some.values()) for name, some in rows.by_view.items()}
    return Kept(
        [one for one in found[QA.name] if one.missing_since is None],
        [one for one in found[TRACES.name] if one.source == "step"],
        [one for one in found[CONTEXT.name] if one.missing_since is None],
        [one for one in found[FEEDBACK.name] if one.judged_run_id is None],
        [*found[GRAPH_CONTEXT.name], *found[CONSUMERS.name]],
    )
