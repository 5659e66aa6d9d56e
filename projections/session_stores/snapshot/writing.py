"""How an agent session is saved: as the facts that turn what is stored into it. Plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ledger import (
    Append,
    Appended,
    InvalidArgument,
    NewEvent,
    SequenceConflict,
)
from ledger.events import Event, Fact
from ledger.plans import Plan

from ...engine.projection import payload
from ...folds.approvals import REQUESTED, Approval
from ...folds.sessions import ALLOWED_ACTIONS_MAX, Session
from ..side_tenants import side_tenant
from .agent_sessions import AgentSession, SessionId, checked
from .errors import ExternalIdTaken, SessionBusy
from .facts import (
    TOOL_TYPES,
    Facts,
    allowed_fact,
    has_seen,
    identity,
    open_call,
    said_by,
    snapshot_fact,
    type_of,
)
from .message_changes import Window, changes
from .reading import SnapshotReading
from .records import MESSAGE_TYPES, ROUNDS_MAX, SessionKey, Stored
from .runtime_events import ENDS_CALL, RuntimeEvent, kind_of, new_event

AnyEvent = RuntimeEvent | NewEvent | Fact
#: The end of a tool call is looked for among so many of the last facts about tools.
TOOL_FACTS_MAX = 1_000
# External ids are claimed in sessions of a tenant of their own, whose only use is that of two who
# claim one at the same moment the second is refused. Whose it is stands in the sessions view.
CLAIMS = "\x1fexternal-ids"
CLAIMED = "external_id.claimed"


class SnapshotWriting(SnapshotReading):
    """The writing half of a store."""

    def save(self, session: AgentSession, events: Sequence[AnyEvent]) -> Plan[AgentSession]:
        """Store a session, with events that happened on the way there, all or nothing."""
        session = checked(session)
        if session.id is None:
            raise InvalidArgument("session", "has no id: give it one, SessionId.new() makes them")
        if len(session.always_allowed_actions) > ALLOWED_ACTIONS_MAX:
            raise InvalidArgument(
                "session", f"allows more than {ALLOWED_ACTIONS_MAX} actions always"
            )
        tenant = self.tenant
        for _ in range(ROUNDS_MAX):
            session_id, head, stored = yield from self._before(session.id)
            if not has_seen(session, stored):
                actual = 0 if stored is None else stored.changed
                raise SequenceConflict(tenant, session_id, session.version, actual)
            id_ = SessionId(session_id, session.id.external_id)
            claims = yield from self._claims(id_, stored)
            facts, allowed = yield from self._facts(session, id_, stored, head)
            told = yield from self._told(session_id, events)
            saved = snapshot_fact(session, stored, facts, head)
            if saved is None and not told and stored is not None:
                return stored.session
            everything = [*facts.facts, *told, *([] if saved is None else [saved])]
            mine = Append(session_id, everything, tenant=tenant, expected=head)
            try:
                answers: list[list[Appended]] = yield self.ledger.append_many([mine, *claims])
            except SequenceConflict:
                continue
            version = max(head, *(one.sequence for one in answers[0]))  # some may be repeated
            if any((type_of(one) or "").startswith("approval.") for one in told):
                allowed = yield from self._allowed_at(session_id, version)
            external_id = session.id.external_id
            if external_id is None and stored is not None:
                external_id = stored.row.external_id
            return msgspec.structs.replace(
                session,
                id=SessionId(session_id, external_id),
                always_allowed_actions=allowed,
                version=version,
            )
        raise SessionBusy(session_id, ROUNDS_MAX)

    def _before(self, id_: SessionId) -> Plan[tuple[str, int, Stored | None]]:
        """Return under which id a session is to be saved, its head, and what is stored there."""
        ids, _ = self._names(id_)
        for session_id in ids[:-1]:
            stored = yield from self.stored(session_id)
            if stored is not None:
                return session_id, stored.row.last_sequence, stored
        session_id = ids[-1]
        stored = yield from self.stored(session_id)
        if stored is not None:
            return session_id, stored.row.last_sequence, stored
        head: int = yield self.ledger.head(session_id, tenant=self.tenant)
        if head:
            # Deleted long ago, or made between the two questions: asked again it is of that head.
            stored = yield from self.stored(session_id)
            head = head if stored is None else stored.row.last_sequence
        return session_id, head, stored

    def update(
        self, key: SessionKey, change: Callable[[AgentSession], AgentSession]
    ) -> Plan[AgentSession | None]:
        """Load, change and save, and begin anew where somebody else was faster."""
        for _ in range(ROUNDS_MAX):
            stored = yield from self._known(key)
            if stored is None:
                return None
            changed = change(stored.session)
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
        session_id = yield from self.resolve(key)
        for _ in range(ROUNDS_MAX):
            # Whose end it is is decided by what is stored, so that must not change meanwhile.
            expected: int | None = None
            if _needs_call(event, call_id):
                expected = yield self.ledger.head(session_id, tenant=self.tenant)
            told = yield from self._new_event(session_id, event, call_id, event_id)
            if run_id is not None:
                told = msgspec.structs.replace(told, run_id=run_id)
            try:
                appended: Appended = yield self.ledger.append(
                    session_id, told, tenant=self.tenant, expected=expected
                )
            except SequenceConflict:
                continue
            return appended.sequence
        raise SessionBusy(session_id, ROUNDS_MAX)

    def delete(self, key: SessionKey, reason: str | None) -> Plan[bool]:
        """Hide a session from every reader."""
        session_id = yield from self.resolve(key)
        deleted: bool = yield self.ledger.delete(session_id, tenant=self.tenant, reason=reason)
        return deleted

    def _claims(self, id_: SessionId, stored: Stored | None) -> Plan[list[Append]]:
        """Return what must be appended too, so that nobody else gets the external id."""
        external_id = id_.external_id
        if external_id is None or (stored is not None and stored.row.external_id == external_id):
            return []
        tenant = side_tenant(self.tenant, CLAIMS)
        head: int = yield self.ledger.head(external_id, tenant=tenant)
        holder = yield from self.holder(external_id)
        if holder is not None and holder != id_.id:
            raise ExternalIdTaken(external_id, holder)
        claim = NewEvent({"session_id": id_.id}, CLAIMED)
        return [Append(external_id, [claim], tenant=tenant, expected=head)]

    def _facts(
        self, session: AgentSession, id_: SessionId, stored: Stored | None, head: int
    ) -> Plan[tuple[Facts, frozenset[str]]]:
        row = None if stored is None else stored.row
        facts = identity(id_, row)
        before, window = ([], Window()) if stored is None else (stored.messages, stored.window)
        said = changes(before, session.chat_messages, window, head + len(facts) + 1)
        approvals, allowed = yield from self._approvals(session, row)
        return Facts([*facts, *said.facts, *approvals], said.window), allowed

    def _approvals(
        self, session: AgentSession, row: Session | None
    ) -> Plan[tuple[list[NewEvent], frozenset[str]]]:
        """Return what the session allowed and revoked since it was loaded, and what holds then.

        Against what it was loaded with, because others may allow actions meanwhile.
        """
        current = frozenset(() if row is None else row.always_allowed_actions)
        wanted = session.always_allowed_actions
        if wanted == current or row is None:
            base = current
        else:
            base = yield from self._allowed_at(row.session_id, session.version)
        added, revoked = wanted - base - current, (base - wanted) & current
        asked: dict[str | None, Approval] = {}
        if added and row is not None:
            approvals: list[Approval] = yield self.views.approvals(
                row.session_id, tenant=self.tenant, status=REQUESTED
            )
            asked = {one.action_key: one for one in approvals}
        facts = [allowed_fact(key, asked.get(key)) for key in sorted(added)]
        facts += [NewEvent({"action_key": key}, "approval.revoked") for key in sorted(revoked)]
        return facts, (current | added) - revoked

    def _allowed_at(self, session_id: str, version: int) -> Plan[frozenset[str]]:
        if not version:
            return frozenset()
        row: Session | None = yield self.views.session(
            session_id, tenant=self.tenant, as_of=version
        )
        return frozenset(() if row is None else row.always_allowed_actions)

    def _told(self, session_id: str, events: Sequence[AnyEvent]) -> Plan[list[NewEvent]]:
        told: list[NewEvent] = []
        for event in events:
            one = yield from self._new_event(session_id, event, None, None, told)
            if type_of(one) in MESSAGE_TYPES:
                raise InvalidArgument("events", "expected no messages: the session has them")
            told.append(one)
        return told

    def _new_event(
        self,
        session_id: str,
        event: AnyEvent,
        call_id: str | None,
        event_id: str | None,
        before: Sequence[NewEvent] = (),
    ) -> Plan[NewEvent]:
        if isinstance(event, Mapping):
            if _needs_call(event, call_id):
                call_id = yield from self._call(session_id, event, event_id, before)
            return new_event(event, call_id, event_id)
        told = event if isinstance(event, NewEvent) else NewEvent(event)
        return told if event_id is None else msgspec.structs.replace(told, event_id=event_id)

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
        read: list[Event] = yield self.ledger.read(
            session_id,
            tenant=self.tenant,
            types=TOOL_TYPES,
            newest_first=True,
            limit=TOOL_FACTS_MAX,
        )
        facts: list[tuple[str | None, Any]]
        facts = [(one.type, payload(one)) for one in reversed(read)]
        facts += [(type_of(one), said_by(one)) for one in before]
        return open_call(facts, event.get("tool_name"))


def _needs_call(event: AnyEvent, call_id: str | None) -> bool:
    return call_id is None and isinstance(event, Mapping) and kind_of(event) == ENDS_CALL
