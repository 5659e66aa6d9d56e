"""How an agent session is saved: as the facts that turn what is stored into it. Plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from ledger import (
    Append,
    Appended,
    EventIdReused,
    Head,
    InvalidArgument,
    InvalidEvent,
    NewEvent,
    SequenceConflict,
)
from ledger.plans import Plan

from ...readers.arguments import instance, several
from ..side_tenants import side_tenant
from ..store_parts import changed_by, check_change
from .agent_sessions import AgentSession, SessionId, base_of, carrying, checked
from .allowed_actions import allowed_at, allowed_facts
from .bases import Base
from .errors import ExternalIdTaken, SessionBusy, SessionChanged
from .external_ids import kept_as
from .facts import has_seen, identity, snapshot_fact, type_of
from .message_changes import Window, changes
from .records import ROUNDS_MAX, SessionKey, Stored
from .refused_facts import refused_save
from .telling import AnyEvent, SnapshotTelling

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


class SnapshotWriting(SnapshotTelling):
    """What a store saves, changes and deletes."""

    def save(self, session: AgentSession, events: Sequence[AnyEvent]) -> Plan[AgentSession]:
        """Store a session, with events that happened on the way there, all or nothing."""
        told: Any = events
        if isinstance(told, Iterable) and not isinstance(told, Sequence | Mapping):
            told = list(told)
        events = several(told, "events", "events")
        given, session = session, checked(session)
        if session.id is None:
            raise InvalidArgument("session", "has no id: give it one, SessionId.new() makes them")
        base, head, reused = self._carried(given, session), 0, ""
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
            except EventIdReused as error:
                reused = self.told_meanwhile(error, reused)
                continue
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
        session_id, head, stored = yield from self._found(id_, is_new=session.version == 0)
        if not has_seen(session, stored):
            actual = 0 if stored is None else stored.changed
            raise SessionChanged(self.tenant, session_id, session.version, actual)
        if stored is None:
            return Before(session_id, head)
        return Before(session_id, head, stored.base, stored.session)

    def _found(self, id_: SessionId, *, is_new: bool) -> Plan[tuple[str, int, Stored | None]]:
        """Return under which id a session is to be saved, its head, and what is stored there."""
        ids, _ = self._names(id_)
        heads: dict[str, Head] = {}
        if is_new:
            # The log tells that nothing is there, without bringing a view up to date for it.
            heads = yield self.ledger.heads(ids, tenant=self.tenant)
        for session_id in ids:
            if is_new and not heads[session_id].visible:
                continue
            stored = yield from self.to_change(session_id)
            if stored is not None:
                return session_id, stored.base.version, stored
        # What is made or deleted meanwhile moves the head, which the append expects.
        return session_id, heads[session_id].sequence if is_new else 0, None

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
        approvals, allowed = yield from allowed_facts(self.views, self.tenant, session, base)
        facts += [*said.facts, *approvals]
        if external_id is None and base is not None:
            external_id = base.external_id
        # Looked at once: a save happens at one time, and so is an event that is in it twice one event.
        clock = None if self.clock is None else cache(self.clock)
        told = yield from self.told_facts(before.session_id, external_id, events, clock)
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
        if clock is not None:
            facts = [msgspec.structs.replace(one, occurred_at=clock()) for one in facts]
            saved = saved and msgspec.structs.replace(saved, occurred_at=clock())
        return Saving([*facts, *told, *([] if saved is None else [saved])], told, claims, after)

    def _saved(self, session: AgentSession, saving: Saving, version: int) -> Plan[AgentSession]:
        """Return a session as it is stored now."""
        base = msgspec.structs.replace(saving.after, version=version)
        if any((type_of(one) or "").startswith("approval.") for one in saving.told):
            allowed = yield from allowed_at(self.views, self.tenant, base.session_id, version)
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
