"""A session that is pruned while others write to it: what is known of it, and what of that goes. Pure.

What others write behind the events that were read does not change which of these were the oldest.
What it can change is told apart here, so a session is read once, however busy it is, and after that
only what is new in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ledger import Event, NewEvent

from .pruning import OTHER_WORK, SAYING, beyond, call_id, messages_of, pruning
from .reading import Shown, as_shown
from .redactions import REDACTED, Redactions, message_id


class Prunable:
    """The events of one life of a session up to a head; `gone` are those that are to go."""

    def __init__(
        self, head: int, events: Sequence[Event], events_max: int, first_types: frozenset[str]
    ) -> None:
        self.head = head
        self.gone: list[Event] = []
        self._others: list[Event] | None = None
        self._facts: list[NewEvent] | None = None
        self._bounds = events_max, first_types
        self._shown: list[Shown] = []
        self._hidden = Redactions()
        self._take_in(events)
        self._choose()

    @property
    def needs_others(self) -> bool:
        """Whether there are no facts before the OTHER_WORK up to the head has been added."""
        return self._others is None and bool(self._calls)

    def add_others(self, others: Sequence[Event]) -> None:
        """Take in all facts of OTHER_WORK up to the head."""
        self._others = list(others)

    def add(self, later: Sequence[Event]) -> None:
        """Take in all that came behind the head, of whatever type."""
        if not later:
            return
        self.head = later[-1].sequence
        self._take_in(later)
        others = [one for one in later if one.type in OTHER_WORK]
        if self._others is not None and others:
            self._others += others
            self._facts = None
        if any(map(self._bears_on_choice, later)):
            self._choose()

    def facts(self, now: datetime) -> list[NewEvent]:
        """Return the facts after which nobody shows the events that go, of when they were chosen."""
        if self._facts is None:
            self._facts = pruning(self.gone, self._shown, self._others or (), now)
        return self._facts

    def _take_in(self, events: Sequence[Event]) -> None:
        redactions = [one for one in events if one.type == REDACTED]
        for one in redactions:
            self._hidden.add(one)
        if redactions:
            self._shown = [one for one in self._shown if not self._hidden.hide(one[0])]
        self._shown += as_shown(events, self._hidden)

    def _choose(self) -> None:
        self.gone = beyond(self._shown, *self._bounds)
        self._whole = messages_of(self.gone, self._shown)
        self._names = {message_id(one) for one in self.gone} - {None}
        self._calls = set(map(call_id, self.gone)) - {None}
        self._facts = None

    def _bears_on_choice(self, later: Event) -> bool:
        """Whether a fact changes what goes: what is told of other messages never does."""
        if later.type == REDACTED:
            return True
        name = message_id(later)
        # A piece more of a message that stays changes nothing; else one that is streamed while it
        # is pruned would have everything counted again for each piece.
        return name in self._whole or (name in self._names and later.type not in SAYING)
