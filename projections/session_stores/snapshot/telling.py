"""How an agent session is told single events, beside what its saves change. Plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ledger import (
    Appended,
    AsyncLedger,
    EventIdReused,
    IncarnationConflict,
    InvalidArgument,
    InvalidEvent,
    Ledger,
    NewEvent,
    SequenceConflict,
)
from ledger.events import Event, Fact
from ledger.plans import Plan

from ...engine.projection import payload
from ...views import Views
from ...views_async import AsyncViews
from ..store_parts import Clock, checked_clock
from .errors import SessionBusy
from .event_ids import id_in_life, incarnation_of, under
from .external_ids import check_told
from .facts import type_of
from .reading import SnapshotReading
from .records import MESSAGE_TYPES, ROUNDS_MAX, SessionKey
from .refused_facts import refused_event
from .runtime_events import ENDS_CALL, RuntimeEvent, kind_of, new_event
from .tool_calls import oldest_open_call

AnyEvent = RuntimeEvent | NewEvent | Fact


class SnapshotTelling(SnapshotReading):
    """What a store is told of a session event by event, at the time that its clock tells, if it has one."""

    def __init__(
        self,
        ledger: Ledger | AsyncLedger,
        views: Views | AsyncViews,
        tenant: str,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(ledger, views, tenant)
        self.clock: Clock | None = None if clock is None else checked_clock(clock)

    def append_event(
        self,
        key: SessionKey,
        event: AnyEvent,
        *,
        run_id: str | None,
        event_id: str | None,
        call_id: str | None,
    ) -> Plan[int]:
        """Append one event and return its sequence."""
        resolved = yield from self.resolved(key)
        named, reused = event_id is not None or isinstance(event, NewEvent), ""
        for _ in range(ROUNDS_MAX):
            session_id, incarnation = resolved
            if named and incarnation is None:
                incarnation = yield from incarnation_of(self.ledger, self.tenant, session_id)
            # Whose end it is is decided by what is stored, so that must not change meanwhile.
            expected: int | None = None
            if _needs_call(event, call_id):
                expected = yield self.ledger.head(session_id, tenant=self.tenant)
            told = yield from self._new_event(session_id, incarnation, event, call_id, event_id)
            check_told(self.ledger.door, (self.tenant, session_id), told, None, "event")
            if run_id is not None:
                told = msgspec.structs.replace(told, run_id=run_id)
            told = yield from self._timed(session_id, told, self.clock, named=named)
            try:
                appended: Appended = yield self.ledger.append(
                    session_id,
                    told,
                    tenant=self.tenant,
                    expected=expected,
                    incarnation=incarnation,
                )
            except InvalidEvent as error:
                raise refused_event(event, error) from error
            except EventIdReused as error:
                reused = self.told_meanwhile(error, reused)
                continue
            except SequenceConflict:
                continue
            except IncarnationConflict:
                # Deleted meanwhile; or its first fact is not in the view, which then tells nothing.
                again = yield from self.resolved(key)
                resolved = (session_id, None) if again == resolved else again
                continue
            return appended.sequence
        raise SessionBusy(session_id, ROUNDS_MAX)

    def told_facts(
        self,
        session_id: str,
        external_id: str | None,
        events: Sequence[AnyEvent],
        clock: Clock | None,
    ) -> Plan[list[NewEvent]]:
        """Return the events to append that a caller tells with a save, at the time of its clock."""
        told: list[NewEvent] = []
        incarnation: int | None = None
        session = self.tenant, session_id
        for event in events:
            if incarnation is None and isinstance(event, NewEvent):
                incarnation = yield from incarnation_of(self.ledger, self.tenant, session_id)
            one = yield from self._new_event(session_id, incarnation, event, None, None, told)
            if type_of(one) in MESSAGE_TYPES:
                raise InvalidArgument("events", "expected no messages: the session has them")
            check_told(self.ledger.door, session, one, external_id, "events")
            named = isinstance(event, NewEvent)
            told.append((yield from self._timed(session_id, one, clock, named=named)))
        return told

    def told_meanwhile(self, error: EventIdReused, before: str) -> str:
        """Return the id that somebody told since it was looked up, at his time; else raise the error."""
        if self.clock is None or error.event_id == before:
            raise error
        return error.event_id

    def _timed(
        self, session_id: str, told: NewEvent, clock: Clock | None, *, named: bool
    ) -> Plan[NewEvent]:
        """Return an event with the time of a clock, if there is one; repeated it has its first one."""
        if clock is None or told.occurred_at is not None:
            return told
        known: Event | None = None
        if named:
            known = yield self.ledger.get(session_id, told.event_id, tenant=self.tenant)
        at = clock() if known is None else known.occurred_at
        return msgspec.structs.replace(told, occurred_at=at)

    def _new_event(
        self,
        session_id: str,
        incarnation: int | None,
        event: AnyEvent,
        call_id: str | None,
        event_id: str | None,
        before: Sequence[NewEvent] = (),
    ) -> Plan[NewEvent]:
        """Return the event to append; if the caller names it, the incarnation must be known."""
        if event_id is None and isinstance(event, NewEvent):
            event_id = event.event_id
        stored_id = event_id
        if event_id is not None:
            of = self.tenant, session_id
            stored_id = yield from id_in_life(self.ledger, of, incarnation or 0, event_id)
        if isinstance(event, Mapping):
            if _needs_call(event, call_id):
                call_id = yield from self._call(session_id, event, stored_id, before)
            told = new_event(event, call_id, event_id)
        else:
            told = event if isinstance(event, NewEvent) else NewEvent(event)
            if event_id is not None:
                told = msgspec.structs.replace(told, event_id=event_id)
        if stored_id in (None, told.event_id):
            return told
        self.ledger.door.draft(self.tenant, session_id, told)  # which refuses what was given
        return under(told, stored_id)

    def _call(
        self,
        session_id: str,
        event: RuntimeEvent,
        event_id: str | None,
        before: Sequence[NewEvent],
    ) -> Plan[str | None]:
        """Return the call that an event ends: the oldest open one of its tool."""
        if event_id is not None:
            known: Event | None = yield self.ledger.get(session_id, event_id, tenant=self.tenant)
            if known is not None:
                repeated: str | None = payload(known).get("call_id")
                return repeated
        session, tool_name = (self.tenant, session_id), event.get("tool_name")
        return (yield from oldest_open_call(self.ledger, self.views, session, tool_name, before))


def _needs_call(event: AnyEvent, call_id: str | None) -> bool:
    return call_id is None and isinstance(event, Mapping) and kind_of(event) == ENDS_CALL
