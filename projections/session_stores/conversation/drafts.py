"""The facts of a save while they are gathered: each is folded at once, so that the next one fits. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from ledger import NewEvent
from ledger.events import Fact

from .fields import Leaves, same
from .remainders import NOTHING, Remainder, Shown, remainder, shown, shown_after
from .rows import REMAINDER, Rows, event_at

#: A turn, or a lost place, that was only counted is one fact each, up to so many in a save.
COUNTED_MAX = 1_000

AnyFact = NewEvent | Fact


class Draft:
    """What is to be appended behind `head`, and what the views will say then."""

    def __init__(
        self,
        key: tuple[str, str],
        rows: Rows,
        before: Remainder,
        wanted: Shown,
        head: int,
        now: datetime,
        said: Shown | None,
    ) -> None:
        self.facts: list[NewEvent] = []
        self.rows = rows
        self.now = now
        self.hidden: list[int] = []
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

    def tell(self, given: AnyFact) -> None:
        """Add a fact that the caller hands in; what names no type is for the ledger to refuse."""
        new = given if isinstance(given, NewEvent) else NewEvent(given)
        data: Any = new.payload
        if isinstance(data, Fact):
            data = data.model_dump(mode="json", exclude_unset=True)
        type_ = new.type or getattr(new.payload, "event_type", None)
        self._add(
            msgspec.structs.replace(new, occurred_at=new.occurred_at or self.now), type_, data
        )

    def _add(self, new: NewEvent, type_: str | None, data: Any) -> None:
        self.facts.append(new)
        if type_ is not None:
            at = new.occurred_at or self.now
            event = event_at(self._key, self.sequence, new.event_id, type_, at, data)
            self.rows = self.rows.after(event)
            self._differing = None

    def keep(self) -> None:
        """Add what no fact says, if that is not what is kept already."""
        if self._before == NOTHING and not self.hidden and not self.differing:
            return  # nothing is to be kept: to find it out by what follows takes five times as long
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

    def finish(self) -> None:
        """Let the last activity be the moment of the save, whenever its facts happened."""
        row = self.rows.session
        if (
            self.facts
            and row is not None
            and row.ended_at is None
            and row.last_activity_at != self.now
        ):
            self.say("session.amended", {})
