"""How an agent session is saved: as the facts that turn what is stored into it. Plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ledger import (
    Append,
    Appended,
    IncarnationConflict,
    InvalidArgument,
    InvalidEvent,
    NewEvent,
    SequenceConflict,
)
from ledger.events import Event, Fact
from ledger.plans import Plan

from ...engine.projection import payload
from ...folds.approvals import REQUESTED, Approval
from ...folds.sessions import ALLOWED_ACTIONS_MAX, Session
from ...readers.arguments import instance, several
from ..side_tenants import side_tenant
from ..store_parts import changed_by, check_change
from .agent_sessions import AgentSession, SessionId, base_of, carrying, checked
from .bases import Base
from .errors import ExternalIdTaken, SessionBusy, SessionChanged
from .event_ids import id_in_life, incarnation_of, under
from .external_ids import check_told, kept_as
from .facts import (
    allowed_fact,
    has_seen,
    identity,
    snapshot_fact,
    type_of,
)
from .message_changes import Window, changes
from .reading import SnapshotReading
from .records import MESSAGE_TYPES, ROUNDS_MAX, SessionKey, Stored
from .refused_facts import refused_event, refused_save
from .runtime_events import ENDS_CALL, RuntimeEvent, kind_of, new_event
from .tool_calls import oldest_open_call

AnyEvent = RuntimeEvent | NewEvent | Fact
# External ids are claimed in sessions of a tenant of their own, whose only use is that of two who
# claim one at the same moment the second is refused. Whose it is stands in the sessions view.
CLAIMS = "\x1fexternal-ids"
CLAIMED = "external_id.claimed"


#: Events of these kinds, told by a caller, may change what a saved session knows of itself; those of
#: whole messages are refused.
KNOWN = ("session.", "approval.", "snapshot.")


class Before(msgspec.Struct, frozen=True):
    """Where a save begins: the session's id and head, and what is stored, if anything is.

    `current` is the session as it is now, if it was read and not only known.
    """

    session_id: str
    head: int
    base: Base | None = None
    current: AgentSession | None = None


class Saving(msgspec.Struct, frozen=True):
    """What a save appends, those facts among it that the caller told, and what is stored `after` it."""

    facts: list[NewEvent]
    told: list[NewEvent]
    claims: list[Append]
    after: Base


class SnapshotWriting(SnapshotReading):
    """The writing half of a store."""

    def save(self, session: AgentSession, events: Sequence[AnyEvent]) -> Plan[AgentSession]:
        """Store a session, with events that happened on the way there, all or nothing."""
        told: Any = events
        if isinstance(told, Iterable) and not isinstance(told, Sequence | Mapping):
            told = list(told)
        events = several(told, "events", "events")
        given, session = session, checked(session)
        if session.id is None:
            raise InvalidArgument("session", "has no id: give it one, SessionId.new() makes them")
        base, head = self._carried(given, session), 0
        for _ in range(ROUNDS_MAX):
            if base is None:
                before = yield from self._before(session, session.id)
                # The view may have left the last facts out; what was read is behind them.
                before = msgspec.structs.replace(before, head=max(before.head, head))
            else:
                before = Before(base.session_id, base.version, base)
            saving = yield from self._saving(session, session.id, before, events)
            base = None
            if not saving.facts and before.current is not None:
                return before.current
            if not saving.facts:
                continue  # no append tells whether anybody wrote since: it is to be read
            mine = Append(before.session_id, saving.facts, tenant=self.tenant, expected=before.head)
            try:
                answers: list[list[Appended]] = yield self.ledger.append_many(
                    [mine, *saving.claims]
                )
            except (InvalidEvent, InvalidArgument) as error:
                told = list(zip(saving.told, events, strict=True))
                of = mine.tenant, mine.session_id
                door, said = self.ledger.door, saving.after.messages
                raise refused_save(door, of, saving.facts, said, told, error) from error
            except SequenceConflict as conflict:
                if (conflict.tenant, conflict.session_id) == (mine.tenant, mine.session_id):
                    head = conflict.actual
                continue
            behind = {one.sequence for one in answers[0] if one.sequence > before.head}
            version = max(behind, default=before.head)
            if not behind and before.current is not None:
                return before.current
            if not behind or len(behind) < version - before.head:
                continue  # all was told before, which is answered whoever wrote since
            return (yield from self._saved(session, saving, version))
        raise SessionBusy(before.session_id, ROUNDS_MAX)

    def _carried(self, given: AgentSession, session: AgentSession) -> Base | None:
        """Return what is stored as far as the given session knows, of which this is a copy.

        That it is still stored is for the append to find out, which is refused if anybody wrote.
        """
        base = base_of(given)
        known = base is not None and base.is_of(self.ledger.ledger_id, self.tenant, session)
        return base if known else None

    def _before(self, session: AgentSession, id_: SessionId) -> Plan[Before]:
        """Return what is stored under the id under which a session is to be saved.

        Raises SessionChanged unless it was loaded behind everything that saving it overwrites.
        """
        session_id, head, stored = yield from self._found(id_)
        if not has_seen(session, stored):
            actual = 0 if stored is None else stored.changed
            raise SessionChanged(self.tenant, session_id, session.version, actual)
        if stored is None:
            return Before(session_id, head)
        return Before(session_id, head, stored.base, stored.session)

    def _found(self, id_: SessionId) -> Plan[tuple[str, int, Stored | None]]:
        """Return under which id a session is to be saved, its head, and what is stored there."""
        ids, _ = self._names(id_)
        for session_id in ids:
            stored = yield from self.to_change(session_id)
            if stored is not None:
                return session_id, stored.base.version, stored
        head: int = yield self.ledger.head(session_id, tenant=self.tenant)
        if head:
            # Deleted long ago, or made between the two questions: asked again it is of that head.
            stored = yield from self.to_change(session_id)
            head = head if stored is None else stored.base.version
        return session_id, head, stored

    def _saving(
        self, session: AgentSession, id_: SessionId, before: Before, events: Sequence[AnyEvent]
    ) -> Plan[Saving]:
        """Return what is to be appended, and what is stored then."""
        base, head = before.base, before.head
        external_id = kept_as(id_.external_id, None if base is None else base.external_id)
        own_id = SessionId(before.session_id, external_id)
        claims = yield from self._claims(own_id, base)
        facts = identity(own_id, base)
        messages, window = ((), Window()) if base is None else (base.messages, base.window)
        said = changes(messages, session.chat_messages, window, head + len(facts) + 1)
        approvals, allowed = yield from self._approvals(session, base)
        facts += [*said.facts, *approvals]
        if external_id is None and base is not None:
            external_id = base.external_id
        told = yield from self._told(before.session_id, external_id, events)
        saved = snapshot_fact(session, base, said.window, facts, head)
        after = Base(
            ledger_id=self.ledger.ledger_id,
            tenant=self.tenant,
            session_id=before.session_id,
            version=head,
            created=True,
            external_id=external_id,
            allowed=allowed,
            messages=said.messages,
            window=said.window,
            run_state=session.run_state,
            total_tool_calls=session.total_tool_calls,
        )
        return Saving([*facts, *told, *([] if saved is None else [saved])], told, claims, after)

    def _saved(self, session: AgentSession, saving: Saving, version: int) -> Plan[AgentSession]:
        """Return a session as it is stored now."""
        base = msgspec.structs.replace(saving.after, version=version)
        if any((type_of(one) or "").startswith("approval.") for one in saving.told):
            allowed = yield from self._allowed_at(base.session_id, version)
            base = msgspec.structs.replace(base, allowed=allowed)
        stored = msgspec.structs.replace(
            session,
            id=SessionId(base.session_id, base.external_id),
            always_allowed_actions=base.allowed,
            version=version,
        )
        return carrying(stored, base if self._is_known(saving) else None)

    def _is_known(self, saving: Saving) -> bool:
        """Whether what was appended is read as it was said, and told nothing about what is known."""
        told = [type_of(one) or "" for one in saving.told]
        return not any(one.startswith(KNOWN) for one in told) and not any(
            self.ledger.upcasts.has(type_of(one) or "") for one in saving.facts
        )

    def update(
        self, key: SessionKey, change: Callable[[AgentSession], AgentSession]
    ) -> Plan[AgentSession | None]:
        """Load, change and save, and begin anew where somebody else was faster."""
        check_change(change)
        for _ in range(ROUNDS_MAX):
            stored = yield from self._known(key)
            if stored is None:
                return None
            changed = instance(changed_by(change, stored.session), "change", AgentSession)
            if (changed.id, changed.version) != (stored.session.id, stored.session.version):
                raise InvalidArgument("change", "returned another session than it was given")
            try:
                return (yield from self.save(changed, ()))
            except SequenceConflict:
                continue
        raise SessionBusy(self._names(key)[0][-1], ROUNDS_MAX)

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
        named = event_id is not None or isinstance(event, NewEvent)
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
            except SequenceConflict:
                continue
            except IncarnationConflict:
                # Deleted meanwhile; or its first fact is not in the view, which then tells nothing.
                again = yield from self.resolved(key)
                resolved = (session_id, None) if again == resolved else again
                continue
            return appended.sequence
        raise SessionBusy(session_id, ROUNDS_MAX)

    def delete(self, key: SessionKey, reason: str | None) -> Plan[bool]:
        """Hide a session from every reader."""
        session_id = yield from self.resolve(key)
        deleted: bool = yield self.ledger.delete(session_id, tenant=self.tenant, reason=reason)
        return deleted

    def _claims(self, id_: SessionId, base: Base | None) -> Plan[list[Append]]:
        """Return what must be appended too, so that nobody else gets the external id."""
        external_id = id_.external_id
        if external_id is None or (base is not None and base.external_id == external_id):
            return []
        tenant = side_tenant(self.tenant, CLAIMS)
        head: int = yield self.ledger.head(external_id, tenant=tenant)
        holder = yield from self.holder(external_id)
        if holder is not None and holder != id_.id:
            raise ExternalIdTaken(external_id, holder)
        claim = NewEvent({"session_id": id_.id}, CLAIMED)
        return [Append(external_id, [claim], tenant=tenant, expected=head)]

    def _approvals(
        self, session: AgentSession, base: Base | None
    ) -> Plan[tuple[list[NewEvent], frozenset[str]]]:
        """Return what the session allowed and revoked since it was loaded, and what holds then.

        Against what it was loaded with, because others may allow actions meanwhile.
        """
        current = frozenset[str]() if base is None else base.allowed
        wanted = session.always_allowed_actions
        if wanted == current or base is None or base.version == session.version:
            loaded = current
        else:
            loaded = yield from self._allowed_at(base.session_id, session.version)
        added, revoked = wanted - loaded - current, (loaded - wanted) & current
        asked: dict[str | None, Approval] = {}
        if added and base is not None:
            approvals: list[Approval] = yield self.views.approvals(
                base.session_id, tenant=self.tenant, status=REQUESTED
            )
            asked = {one.action_key: one for one in approvals}
        facts = [allowed_fact(key, asked.get(key)) for key in sorted(added)]
        facts += [NewEvent({"action_key": key}, "approval.revoked") for key in sorted(revoked)]
        allowed = (current | added) - revoked
        if len(allowed) > ALLOWED_ACTIONS_MAX:
            raise InvalidArgument(
                "session", f"allows more than {ALLOWED_ACTIONS_MAX} actions always"
            )
        return facts, allowed

    def _allowed_at(self, session_id: str, version: int) -> Plan[frozenset[str]]:
        if not version:
            return frozenset()
        row: Session | None = yield self.views.session(
            session_id, tenant=self.tenant, as_of=version
        )
        return frozenset(() if row is None else row.always_allowed_actions)

    def _told(
        self, session_id: str, external_id: str | None, events: Sequence[AnyEvent]
    ) -> Plan[list[NewEvent]]:
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
            told.append(one)
        return told

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
