"""How a question-and-answer store reads and writes one session of a user. Plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from ledger import (
    Appended,
    AsyncLedger,
    Head,
    IncarnationConflict,
    InvalidArgument,
    InvalidEvent,
    Ledger,
    NewEvent,
    SequenceConflict,
)
from ledger.events import SESSION_DELETED, SESSION_FORKED, Event
from ledger.moments import from_microseconds
from ledger.plans import Plan
from ledger.refusals import shown

from ...engine.projection import payload
from ...folds.sessions import Session
from ...readers.rows_at_head import AtHead
from ...views import Views
from ...views_async import AsyncViews
from ..all_sessions import PAGE_SESSIONS, all_sessions
from ..snapshot.errors import SessionBusy
from ..store_parts import Clock, checked_clock
from .clearing import cleared
from .facts import OURS, SIGNED
from .ids import NAMES, Key, Place, place_of
from .refused_facts import given, refused
from .standing import Standing

#: So often a plan begins anew because others wrote to the session; in each round one of them won.
ROUNDS_MAX = 1_000
EXPIRED = "expired"
BEGINNINGS = ("session.created", SESSION_FORKED)


class QACore:
    """The sessions of a tenant, over the sync or the async faces of ledger and views.

    A session that nobody wrote to for `ttl_s` is absent for every reader here; who writes to it
    then begins it anew. What others told in it stays theirs.
    """

    def __init__(
        self,
        ledger: Ledger | AsyncLedger,
        views: Views | AsyncViews,
        tenant: str,
        ttl_s: float | None,
        clock: Clock | None,
    ) -> None:
        self.ledger = ledger
        self.views = views
        self.tenant = ledger.door.tenant_key(tenant)
        self.ttl = ttl_of(ttl_s, "session_ttl_s")
        self.clock = None if clock is None else checked_clock(clock)

    def now(self) -> datetime:
        """Return the current time by the store's clock."""
        return datetime.now(UTC) if self.clock is None else self.clock()

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

    def place(self, session_id: Key, user_id: Key | None) -> Place:
        """Return the place of a user's session, checked."""
        return place_of(session_id, user_id)

    def row(self, place: Place) -> Plan[Session | None]:
        """Return the row of a session, None if it is not there or has expired."""
        row: Session | None = yield self.views.session(place.ledger_id, tenant=self.tenant)
        return None if row is None or not (yield from self.alive([row])) else row

    def row_at_head(self, place: Place) -> Plan[Session | None]:
        """Return what `row` does, for who writes to the session before and behind it."""
        row = yield from self._session(place)
        return None if row is None or not (yield from self.alive([row])) else row

    def _session(self, place: Place) -> Plan[Session | None]:
        found: AtHead = yield self.views.row_at_head("sessions", (self.tenant, place.ledger_id))
        row: Session | None = found.view
        return row

    def alive(self, rows: Sequence[Session]) -> Plan[list[Session]]:
        """Return the rows of sessions to which somebody wrote lately enough; see `is_visible`."""
        if self.ttl is None or not rows:
            return list(rows)
        if self.clock is not None:
            return [row for row in rows if not self._is_over(row.updated_at)]
        # A row has the time that its last fact tells, not the one at which it was stored.
        ids = [row.session_id for row in rows]
        heads: dict[str, Head] = yield self.ledger.heads(ids, tenant=self.tenant)
        return [
            row
            for row in rows
            if heads[row.session_id].visible
            and not self._is_over(from_microseconds(heads[row.session_id].recorded_us))
        ]

    def _is_over(self, last_write: datetime) -> bool:
        return self.ttl is not None and self.now() - last_write >= self.ttl

    def _written_at(self, event: Event) -> datetime:
        # Without a clock of its own the store goes by the log's, for what others bring in may have
        # happened long ago and be written only now.
        return event.recorded_at if self.clock is None else event.occurred_at

    def is_there(self, place: Place) -> Plan[bool]:
        """Whether what a session has may be shown; without an expiry always, and no question."""
        if self.ttl is None:
            return True
        return (yield from self.is_visible(place))

    def is_visible(self, place: Place) -> Plan[bool]:
        """Whether a session has anything and has not expired: its last event tells, no view."""
        last = yield from self._last(place.ledger_id)
        return last is not None and not self._is_over(self._written_at(last))

    def has_expired(self, ledger_id: str) -> Plan[bool]:
        """Whether a session has something, but nobody wrote to it lately enough."""
        last = None if self.ttl is None else (yield from self._last(ledger_id))
        return last is not None and self._is_over(self._written_at(last))

    def _last(self, ledger_id: str) -> Plan[Event | None]:
        found: list[Event] = yield self.ledger.read(
            ledger_id, tenant=self.tenant, newest_first=True, limit=1
        )
        return found[0] if found else None

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

    def at_head(self, place: Place, projection: str, own_id: str) -> Plan[tuple[int, Any]]:
        """Return the end of a session and a view of that moment, None if it is not there."""
        key = self.tenant, place.ledger_id, own_id
        found: AtHead = yield self.views.row_at_head(projection, key)
        is_shown = found.view is not None and (yield from self.is_there(place))
        return found.head, found.view if is_shown else None

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
            row = yield from self._session(place)
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
        row = yield from self._session(place)
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

    def rows(self, **filters: Any) -> Plan[list[Session]]:
        """Return the rows of all sessions that have not expired, each once, archived ones too."""
        found = yield from self.rows_and_expired(**filters)
        return [row for row, is_alive in found if is_alive]

    def rows_and_expired(self, **filters: Any) -> Plan[list[tuple[Session, bool]]]:
        """Return the rows of all sessions, each once, and of each whether it has not expired."""
        rows = yield from all_sessions(self.views, self.tenant, archived=True, **filters)
        found: list[tuple[Session, bool]] = []
        for start in range(0, len(rows), PAGE_SESSIONS):
            some = rows[start : start + PAGE_SESSIONS]
            alive = {row.session_id for row in (yield from self.alive(some))}
            found += [(row, row.session_id in alive) for row in some]
        return found


def ttl_of(seconds: Any, name: str) -> timedelta | None:
    """Return an expiry; None and 0 are none."""
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        raise InvalidArgument(name, f"expected seconds, 0 or more, got {shown(seconds)}")
    try:
        return timedelta(seconds=seconds) if seconds else None
    except OverflowError as error:
        raise InvalidArgument(name, f"{shown(seconds)} is too long") from error
