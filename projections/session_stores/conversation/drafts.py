"""The facts of a save while they are gathered: each is folded at once, so that the next one fits. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from ledger import NewEvent
from ledger.events import Fact

from .fields import Leaves, same
from .remainders import NOTHING, Remainder, Shown, Visit, remainder, shown, shown_after
from .rows import REMAINDER, Rows, event_at

#: A turn, or a lost place, that was only counted is one fact each, up to so many in a save.
COUNTED_MAX = 1_000

AnyFact = NewEvent | Fact


class Told(msgspec.Struct, frozen=True):
    """A fact that the caller hands in, as the ledger lets it in: what its event will say.

    `named` says that the caller chose its id, too.
    """

    new: NewEvent
    type: str
    data: Any
    named: bool


class Steps(msgspec.Struct, frozen=True):
    """All steps that a session is given with; at most so many new ones are told, the last."""

    given: list[Visit]
    told_max: int


class Draft:
    """What is to be appended behind `head`, and what the views will say then."""

    def __init__(
        self,
        key: tuple[str, str],
        rows: Rows,
        before: Remainder,
        wanted: Shown,
        steps: Steps,
        head: int,
        now: datetime,
        said: Shown | None,
    ) -> None:
        self.facts: list[NewEvent] = []
        self.rows = rows
        self.now = now
        self.hidden: list[int] = []
        self.steps = steps
        self._key = key
        self._head = head
        self._before = before
        self._wanted = wanted
        self._shown = shown(rows, before) if said is None else said
        self._shown_of = rows
        self._differing: frozenset[str] | None = None
        self._steps_before = len(self._shown.history)

    @property
    def shown(self) -> Shown:
        """The session as it would be read."""
        if self._shown_of is not self.rows:
            self._shown = shown_after(self._shown, self._shown_of, self.rows, self._before)
            self._shown_of = self.rows
        return self._shown

    @property
    def differing(self) -> frozenset[str]:
        """The fields in which the session would be read as another one than is wanted."""
        if self._differing is None:
            self._differing = self.shown.differing(self._wanted)
        return self._differing

    @property
    def leaves(self) -> Leaves:
        """What the session would say; a path that is missing says nothing."""
        return self.shown.leaves

    @property
    def sequence(self) -> int:
        """The sequence of the last fact."""
        return self._head + len(self.facts)

    def say(self, type: str, payload: Mapping[str, Any], at: datetime | None = None) -> None:
        """Add a fact of the catalogue; without a time it is of the moment of the save."""
        self._add(NewEvent(payload, type, occurred_at=at or self.now), type, dict(payload))

    def tell(self, told: Told) -> None:
        """Add a fact that the caller hands in."""
        at = told.new.occurred_at or self.now
        self._add(msgspec.structs.replace(told.new, occurred_at=at), told.type, told.data)

    def _add(self, new: NewEvent, type_: str, data: Any) -> None:
        self.facts.append(new)
        at = new.occurred_at or self.now
        event = event_at(self._key, self.sequence, new.event_id, type_, at, data)
        self.rows = self.rows.after(event)
        self._differing = None

    def keep(self) -> None:
        """Add what no fact says, if what is kept already does not say it."""
        if not self.hidden and not self.differing and (not self.facts or self._before == NOTHING):
            # Where others went on from what is kept it would now be said in other words. To tell
            # nothing but that would be a change to all who read before; and to find out by what
            # follows that nothing is to be kept takes five times as long.
            return
        rest = remainder(
            self.rows,
            self._wanted,
            self._before,
            steps_before=self._steps_before,
            hidden=self.hidden,
        )
        if same(rest, self._before):
            return
        said = {"name": REMAINDER, "state": msgspec.to_builtins(rest)}
        self.say(
            "snapshot.saved", said | ({"through_sequence": self.sequence} if self.sequence else {})
        )

    def finish(self, *, touched: bool) -> None:
        """Let the last activity be the moment of the save, whenever its facts happened.

        Of a session that was `touched` it is, too, if there is nothing else to say.
        """
        row = self.rows.session
        if (
            (self.facts or touched)
            and row is not None
            and row.ended_at is None
            and row.last_activity_at != self.now
        ):
            self.say("session.amended", {})
