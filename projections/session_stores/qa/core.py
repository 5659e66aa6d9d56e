"""How a question-and-answer store writes to one session of a user. Plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ledger import (
    Appended,
    IncarnationConflict,
    InvalidEvent,
    NewEvent,
    SequenceConflict,
)
from ledger.events import SESSION_DELETED, SESSION_FORKED, Event
from ledger.plans import Plan

from ...engine.projection import payload
from ...folds.sessions import Session
from ..snapshot.errors import SessionBusy
from .clearing import cleared
from .facts import OURS, SIGNED
from .ids import NAMES, Place
from .reading import QAReading
from .refused_facts import given, refused
from .standing import Standing

#: So often a plan begins anew because others wrote to the session; in each round one of them won.
ROUNDS_MAX = 1_000
EXPIRED = "expired"
BEGINNINGS = ("session.created", SESSION_FORKED)


class QACore(QAReading):
    """The sessions of a tenant.

    Who writes to a session that has expired begins it anew. What others told in it stays theirs.
    """

    def fact(self, type_: str, payload: Mapping[str, Any]) -> NewEvent:
        """Return a fact of this moment."""
        return NewEvent(
            payload,
            type_,
            occurred_at=None if self.clock is None else self.clock(),
            metadata={} if type_.startswith(OURS) else SIGNED,
        )

    def check(self, place: Place, fact: NewEvent) -> None:
        """Refuse a fact that no session may have, before anything is read for it."""
        try:
            self.ledger.door.draft(self.tenant, place.ledger_id, fact)
        except InvalidEvent as error:
            raise given(fact, error) from error

    def append(
        self, ledger_id: str, facts: Sequence[NewEvent], *, tenant: str, **conditions: int
    ) -> Plan[list[Appended]]:
        """Append facts; what is refused of them has the name under which it was given."""
        try:
            appended: list[Appended] = yield self.ledger.append(
                ledger_id, facts, tenant=tenant, **conditions
            )
        except InvalidEvent as error:
            raise refused(self.ledger.door, (tenant, ledger_id), facts, error) from error
        return appended

    def write(
        self, place: Place, facts: Sequence[NewEvent], dataset_id: str | None = None
    ) -> Plan[list[Appended]]:
        """Append facts to a session, which begins with them if it is not there."""
        session = Standing(self, place.ledger_id)
        for _ in range(ROUNDS_MAX):
            # Asked anew each time: of all who begin a session at once, one does and all others find
            # it begun. Did they go on as beginners, each append would refuse all the rest.
            life = (yield from self._life(place, dataset_id)) if facts else None
            if life is not None:
                # Deleted in between, the session is to say whose it is before these facts.
                with suppress(IncarnationConflict):
                    return (
                        yield from self.append(
                            place.ledger_id, facts, tenant=self.tenant, incarnation=life
                        )
                    )
            head: int = yield self.ledger.head(place.ledger_id, tenant=self.tenant)
            stored = yield from self.append_at(session, place, head, facts, dataset_id)
            if stored is not None:
                return stored
        raise SessionBusy(place.ledger_id, ROUNDS_MAX)

    def write_behind(
        self,
        place: Place,
        row: tuple[str, str],
        facts_of: Callable[[Any], Sequence[NewEvent]],
    ) -> Plan[list[Appended]]:
        """Do as `write` with the facts that a row asks for, anew where others were faster.

        `row` is a projection and an id. The view is None if it is not there.
        """
        session = Standing(self, place.ledger_id)
        for _ in range(ROUNDS_MAX):
            head, view = yield from self.at_head(place, *row)
            stored = yield from self.append_behind(session, place, head, facts_of(view))
            if stored is not None:
                return stored
        raise SessionBusy(place.ledger_id, ROUNDS_MAX)

    def append_behind(
        self,
        session: Standing,
        place: Place,
        head: int,
        facts: Sequence[NewEvent],
        dataset_id: str | None = None,
    ) -> Plan[list[Appended] | None]:
        """Do as `append_at`, without asking a view where the session has begun."""
        if (yield from self._life(place, dataset_id)) is None:
            return (yield from self.append_at(session, place, head, facts, dataset_id))
        try:
            return (
                yield from self.append(place.ledger_id, facts, tenant=self.tenant, expected=head)
            )
        except SequenceConflict:
            return None

    def _life(self, place: Place, dataset_id: str | None) -> Plan[int | None]:
        """Return the incarnation of a session that has begun and says whose it is, or None."""
        # Asked of the log: bringing a view up to date for each write would cost more than the write.
        first: list[Event] = yield self.ledger.read(place.ledger_id, tenant=self.tenant, limit=1)
        if not first:
            return None
        [begun] = first
        # A deletion is the last event that is not shown, and what a life is called by.
        life = begun.sequence - 1
        if begun.type not in BEGINNINGS:
            found: list[Event] = yield self.ledger.read(
                place.ledger_id, tenant=self.tenant, types=BEGINNINGS, limit=1
            )
            if not found:
                return None
            [begun] = found
        # Who began it may not have said whose it is: a fork never does, nor does another store.
        is_owned = place.user_id is None or payload(begun).get("owner_id") is not None
        if not is_owned or dataset_id is not None:
            row = yield from self.session_row(place)
            if row is None or not (is_owned or row.owner_id):
                return None
            if dataset_id is not None and row.dataset_id is None:
                return None
        return life if (yield from self.is_there(place)) else None

    def append_at(
        self,
        session: Standing,
        place: Place,
        head: int,
        facts: Sequence[NewEvent],
        dataset_id: str | None = None,
    ) -> Plan[list[Appended] | None]:
        """Append facts behind a head, with what begins the session; None if others were faster.

        Who then tries again does so with the same `session`, of which only what is new is read.
        """
        row = yield from self.session_row(place)
        opening: list[NewEvent] = []
        if row is not None and not (yield from self.is_there(place)):
            opening = yield from cleared(self, session, EXPIRED)
            if any(one.type == SESSION_DELETED for one in opening):
                row = None
            elif not opening and not facts:
                # Nothing of ours is in it; that it goes on has to be said all the same.
                opening = [self.fact("session.amended", {})]
        opening += self._opening(place, row, dataset_id)
        if not opening and not facts:
            return []
        try:
            appended = yield from self.append(
                place.ledger_id, [*opening, *facts], tenant=self.tenant, expected=head
            )
        except SequenceConflict:
            return None
        return appended[len(opening) :]

    def _opening(self, place: Place, row: Session | None, dataset_id: str | None) -> list[NewEvent]:
        """Return what has to be said of a session before anything else: whose it is."""
        dataset = {} if dataset_id is None else {"dataset_id": dataset_id}
        if row is None or (row.created_sequence is None and row.forked_from is None):
            said: dict[str, Any] = {"status": "active"} | dataset
            if place.user_id is not None:
                said["owner_id"] = place.user_id
            if place.is_long:
                names = {"session_id": place.session_id, "user_id": place.user_id}
                said["metadata"] = {NAMES: names}
            return [self.fact("session.created", said)]
        missing = dataset if row.dataset_id is None else {}
        if place.user_id is not None and row.owner_id is None:
            missing = missing | {"owner_id": place.user_id}
        return [self.fact("session.rekeyed", missing)] if missing else []

    def change(
        self, place: Place, decide: Callable[[], Plan[Sequence[NewEvent] | None]]
    ) -> Plan[bool]:
        """Append what is decided on by what is stored, and decide anew where others were faster.

        False if that is None, because what is to change is not there; nothing is nothing to do.
        """

        def here() -> Plan[Sequence[NewEvent] | None]:
            return (yield from decide()) if (yield from self.is_there(place)) else None

        return (yield from self.decide(place.ledger_id, here))

    def change_row(
        self,
        place: Place,
        projection: str,
        own_id: str,
        decide: Callable[[Any], Sequence[NewEvent]],
    ) -> Plan[bool]:
        """Do as `change` where one row of the session, under an id, is decided on."""
        if not (yield from self.is_there(place)):
            return False
        found = True
        facts: Sequence[NewEvent] = ()

        def facts_of(view: Any) -> Sequence[NewEvent]:
            nonlocal found, facts
            found = view is not None
            facts = decide(view) if found else ()
            return facts

        key = self.tenant, place.ledger_id, own_id
        try:
            yield self.views.append_decided(projection, key, facts_of)
        except SequenceConflict as error:
            raise SessionBusy(place.ledger_id, ROUNDS_MAX) from error
        except InvalidEvent as error:
            raise refused(self.ledger.door, key[:2], facts, error) from error
        return found

    def decide(
        self, ledger_id: str, decide: Callable[[], Plan[Sequence[NewEvent] | None]]
    ) -> Plan[bool]:
        """Do as `change`, whether or not the session has expired."""
        for _ in range(ROUNDS_MAX):
            head: int = yield self.ledger.head(ledger_id, tenant=self.tenant)
            facts = yield from decide()
            if facts is None:
                return False
            if not facts:
                return True
            try:
                yield from self.append(ledger_id, facts, tenant=self.tenant, expected=head)
            except SequenceConflict:
                continue
            return True
        raise SessionBusy(ledger_id, ROUNDS_MAX)
