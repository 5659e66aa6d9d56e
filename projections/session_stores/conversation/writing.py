"""How a conversation is saved: as the facts that turn what is stored into it. Plans."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import msgspec

from ledger import (
    Append,
    Appended,
    EventIdReused,
    InvalidArgument,
    InvalidEvent,
    NewEvent,
    SequenceConflict,
)
from ledger.codec import check_json, decode_json
from ledger.events import JSON_CONTENT_TYPE, Event
from ledger.plans import Plan
from ledger.visible_text import shown

from ...folds.sessions import Session as SessionRow
from ...readers.arguments import instance, several
from ..refused_facts import first_refused, unplaced
from ..snapshot.errors import SessionBusy, SessionChanged
from ..store_parts import changed_by, check_change
from ..unfit import UNFIT
from .bases import Base
from .changes import CHANGES, is_change
from .drafts import AnyFact, Steps, Told
from .facts import facts_of_save
from .fields import HISTORY, SCENARIOS, is_conversation, same
from .free_values import check_given, check_said
from .models import STEP_HISTORY_MAX, Session, SessionStatus, base_of, keep
from .reading import ROUNDS_MAX, ConversationReading, Id, as_read, id_text, remainder_of
from .refused_facts import refused_save
from .remainders import Shown, Visit
from .rows import Rows

# A channel's identity is claimed in a session of a tenant of its own, whose only use is that of two
# who begin the first session of one at the same moment the second is refused, and finds the first's.
CLAIMS = "\x1fchannels"
CLAIMED = "channel.claimed"
#: So many new steps a save tells at most, the last ones.
STEPS_TOLD_MAX = 5_000
_FIELDS = frozenset(Session.model_fields)
_IDENTITY = ("tenant_id", "session_id", "version")


class Wanted(msgspec.Struct, frozen=True):
    """A session that is to be saved: tenant and id, and copies as a model and as JSON has it.

    `history` are the steps that it was given with, of which it is shown with the last ones;
    `is_moved` says that its last activity is another one than when it was read or saved.
    """

    key: tuple[str, str]
    session: Session
    shown: Shown
    history: list[Visit]
    is_moved: bool


class Planned(msgspec.Struct, frozen=True):
    """What a save appends, and the version that the session then has, with its rows if known."""

    append: Append
    version: int
    base: Base | None

    def is_told(self, answers: Sequence[Appended]) -> bool:
        """Whether the new facts are the first behind the head, and not all told by somebody else."""
        places = range((self.append.expected or 0) + 1, self.version + 1)
        return all(one.sequence == place for one, place in zip(answers, places, strict=False))


class ConversationWriting(ConversationReading):
    """The writing half of a store."""

    def save(self, session: Session, events: Sequence[AnyFact]) -> Plan[None]:
        """Store a session, with events that happened on the way there."""
        events = several(events, "events", "facts")
        base = base_of(session)
        wanted = self._checked(session, base)
        given = [self._admitted(wanted.key, *numbered) for numbered in enumerate(events)]
        # Which of the events are stored already only the ledger knows.
        known = None if given else self._changed(wanted, base)
        head, reused = 0, ""
        for attempt in range(ROUNDS_MAX):
            planned = None if attempt else known
            # Where nothing has changed, no append tells whether the session is what it was.
            if planned is None or not planned.append.events:
                planned = yield from self._planned(wanted, given, head)
            if planned.append.events:
                try:
                    answers: list[list[Appended]] = yield self.ledger.append_many([planned.append])
                except InvalidEvent as error:
                    self._refuse(wanted, planned.append, error)
                except SequenceConflict as conflict:
                    head = conflict.actual
                    continue
                except EventIdReused as error:
                    if error.event_id == reused:
                        raise
                    reused = error.event_id  # somebody told it since it was looked up, at his time
                    continue
                if not planned.is_told(answers[0]):
                    continue
            return keep(session, planned.version, planned.base)
        raise SessionBusy(wanted.key[1], ROUNDS_MAX)

    def update(
        self, session_id: Id, change: Callable[[Session], Session | None], tenant_id: Id | None
    ) -> Plan[Session | None]:
        """Read, change and save, and begin anew where somebody else was faster."""
        check_change(change)
        key, tenant = id_text(session_id, "session_id"), self.tenant_of(tenant_id)
        for _ in range(ROUNDS_MAX):
            stored = None if tenant is None else (yield from self.stored(tenant, key))
            if stored is None:
                return None
            identity = _identity(stored)
            changed = changed_by(change, stored)
            changed = stored if changed is None else instance(changed, "change", Session)
            if _identity(changed) != identity:
                raise InvalidArgument("change", "returned another session than it was given")
            try:
                yield from self.save(changed, ())
            except SequenceConflict:
                continue
            return changed
        raise SessionBusy(key, ROUNDS_MAX)

    def get_or_create(self, session: Session, reuse: Collection[SessionStatus]) -> Plan[Session]:
        """Return the session of a channel identity, or save this one as its first."""
        wanted = self._checked(session, base_of(session))
        if session.version:
            raise InvalidArgument("session", "was saved already: expected one to begin with")
        tenant, session_id = wanted.key
        channel = wanted.session.channel, wanted.session.user_channel_id
        claim, claims = f"{channel[0].value}:{channel[1]}", f"{tenant}{CLAIMS}"
        taken, head = NewEvent({"session_id": session_id}, CLAIMED), 0
        for attempt in range(ROUNDS_MAX):
            claimed: int = yield self.ledger.head(claim, tenant=claims)
            found = yield from self.get_by_channel(tenant, *channel, reuse)
            if found is not None:
                return found
            planned = None if attempt else self._changed(wanted, None)
            if planned is None:
                planned = yield from self._planned(wanted, (), head)
            claiming = Append(claim, [taken], tenant=claims, expected=claimed)
            try:
                yield self.ledger.append_many([planned.append, claiming])
            except InvalidEvent as error:
                self._refuse(wanted, planned.append, error)
            except SequenceConflict as conflict:
                if (conflict.tenant, conflict.session_id) == wanted.key:
                    head = conflict.actual
                continue
            keep(session, planned.version, planned.base)
            return session
        raise SessionBusy(session_id, ROUNDS_MAX)

    def delete(self, session_id: Id, tenant_id: Id | None, reason: str | None) -> Plan[bool]:
        """Hide a session from every reader."""
        key, tenant = id_text(session_id, "session_id"), self.tenant_of(tenant_id)
        if tenant is None:
            return False
        row: SessionRow | None = yield self.views.session(key, tenant=tenant)
        if not is_conversation(row):
            return False
        deleted: bool = yield self.ledger.delete(key, tenant=tenant, reason=reason)
        return deleted

    def _admitted(self, key: tuple[str, str], number: int, given: AnyFact) -> Told:
        """Return a fact as it will be read; InvalidEvent before any fold looks at a wrong one."""
        new = given if isinstance(given, NewEvent) else NewEvent(given)
        try:
            one = self.ledger.door.draft(*key, new)
        except InvalidEvent as error:
            raise InvalidEvent(error.field, error.reason, f"events[{number}]") from error
        data: Any = one.payload
        if one.content_type == JSON_CONTENT_TYPE:
            data, _ = self.ledger.upcasts.newest(
                one.type, one.schema_version, decode_json(one.payload)
            )
        return Told(new, one.type, data, new is given)

    def _refuse(self, wanted: Wanted, append: Append, error: InvalidEvent) -> NoReturn:
        """Raise a refusal of what the session says by the name that it has there."""
        session = append.tenant, append.session_id
        refused = first_refused(self.ledger.door, session, append.events)
        if refused is None:
            raise unplaced(error) from error
        said = {**wanted.shown.json, HISTORY: wanted.history}
        raise refused_save(*refused, said) from error

    def _checked(self, session: Session, base: Base | None) -> Wanted:
        known = {} if base is None else base.shown.json
        try:
            plain: dict[str, Any] = session.model_dump(mode="json", warnings="error")
            if missing := _FIELDS - plain.keys():
                raise InvalidArgument("session", f"its {', '.join(sorted(missing))} was deleted")
            check_said(session, plain)
            new = _news(plain, known) if known else plain
            copy = _validated(session, new) if known else Session.model_validate(plain)
        except InvalidArgument:
            raise
        except UNFIT as error:
            check_given(session)
            raise InvalidArgument("session", shown(str(error))) from error
        try:
            check_json(new, "session")
        except InvalidEvent as error:
            raise InvalidEvent(shown(error.field), shown(error.reason)) from error
        ids = [one["scenario_id"] for one in plain[SCENARIOS]]
        if len(set(ids)) < len(ids):
            raise InvalidArgument("session", "is in one scenario twice: expected each once")
        tenant = self.tenant_of(plain["tenant_id"])
        if tenant is None:
            raise InvalidArgument("session", "is of another tenant than this store")
        # What is as it was is that itself, of which later looks see at once that it is the same.
        said = {**known, **new}
        history: list[Visit] = said[HISTORY]
        if len(history) > STEP_HISTORY_MAX:
            said[HISTORY] = history[-STEP_HISTORY_MAX:]
        is_moved = "last_activity_at" in new
        return Wanted((tenant, plain["session_id"]), copy, Shown(said), history, is_moved)

    def _changed(self, wanted: Wanted, base: Base | None) -> Planned | None:
        """Return what makes the session that was read the wanted one; None if nobody knows it.

        Nothing is read. That the session is still what it was is for the append to find out, which
        is refused if anybody wrote since.
        """
        version = wanted.session.version
        if not version:
            return self._told(wanted, Rows(), 0)  # as a session is that nobody began
        if base is None or not base.is_of(self.ledger.ledger_id, wanted.key, version):
            return None
        return self._told(wanted, base.rows, version, said=base.shown)

    def _told(
        self,
        wanted: Wanted,
        rows: Rows,
        head: int,
        told: Sequence[Told] = (),
        repeated: Sequence[NewEvent] = (),
        said: Shown | None = None,
    ) -> Planned:
        """Return what is to be appended to a session with these rows."""
        row, given = rows.session, wanted.session.last_activity_at
        # When the caller says that something happened, else now.
        is_later = row is None or given > row.last_activity_at
        now = given if is_later else self.clock()
        touched = is_later and wanted.is_moved
        kept = remainder_of(rows)
        # Where what a save tells does not fit into one append, it tells the steps that it is shown with.
        for steps_max in (STEPS_TOLD_MAX, STEP_HISTORY_MAX):
            steps = Steps(wanted.history, steps_max)
            draft = facts_of_save(
                wanted.key, rows, kept, wanted.shown, steps, told, head, now, said, touched=touched
            )
            if len(draft.facts) + len(repeated) <= self.ledger.door.limits.batch_events_max:
                break
        # What is stored already gets no number; the ledger looks whether it is the same.
        append = Append(
            wanted.key[1], [*draft.facts, *repeated], tenant=wanted.key[0], expected=head
        )
        # What a caller hands in may be stored in other words, and what is upcast is read in others.
        is_known = not told and not any(
            self.ledger.upcasts.has(str(fact.type)) for fact in draft.facts
        )
        version = head + len(draft.facts)
        if not is_known:
            return Planned(append, version, None)
        said = Shown({**wanted.shown.json, "version": version})
        return Planned(append, version, self.base(wanted.key, as_read(draft.rows), said))

    def _planned(
        self, wanted: Wanted, events: Iterable[Told], refused_at: int = 0
    ) -> Plan[Planned]:
        """Return what makes the stored session the wanted one, for where the session is now."""
        tenant, session_id = wanted.key
        rows = yield from self.rows(tenant, session_id)
        head = 0
        if rows.session is None:
            # Looked at again, because somebody may have begun the session before its head was read.
            head = yield self.ledger.head(session_id, tenant=tenant)
            rows = yield from self.rows(tenant, session_id)
        row = rows.session
        if row is not None:
            # The view may have left the last facts out; what was read is behind them.
            head = max(row.last_sequence, refused_at)
        yield from self._check_seen(wanted.session, row)
        told, repeated = yield from self._known_apart(wanted.key, events)
        return self._told(wanted, rows, head, told, repeated)

    def _check_seen(self, wanted: Session, row: SessionRow | None) -> Plan[None]:
        """Raise SessionChanged unless a session was read behind all that saving it overwrites."""
        seen, key = wanted.version, str(wanted.session_id)
        if row is None or not is_conversation(row):
            # What others began becomes a conversation by its first save.
            if seen:
                raise SessionChanged(str(wanted.tenant_id), key, seen, 0)
            return
        last = row.last_sequence
        if row.first_sequence <= seen <= last:
            last = 0 if seen == last else (yield from self._changed_after(row, seen))
            if last == 0:
                return
        raise SessionChanged(row.tenant, key, seen, last)

    def _changed_after(self, row: SessionRow, seen: int) -> Plan[int]:
        """Return the sequence of the last change behind another; 0 if there is none."""
        events: list[Event] = yield self.ledger.read(
            row.session_id, tenant=row.tenant, after=seen, types=CHANGES
        )
        return max((one.sequence for one in events if is_change(one)), default=0)

    def _known_apart(
        self, key: tuple[str, str], events: Iterable[Told]
    ) -> Plan[tuple[list[Told], list[NewEvent]]]:
        """Return the events that are not stored yet, and those that are, as of a repeated call."""
        new: list[Told] = []
        repeated: list[NewEvent] = []
        ids: set[str] = set()
        for told in events:
            event_id, known = told.new.event_id, None
            if told.named:
                known = yield self.ledger.get(key[1], event_id, tenant=key[0], deleted=True)
            if known is None and event_id not in ids:
                new.append(told)
            else:
                repeated.append(told.new)
            ids.add(event_id)
        return new, repeated


def _identity(session: Session) -> tuple[Any, ...]:
    return tuple([session.__dict__.get(name) for name in _IDENTITY])


def _news(plain: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a session as JSON says that was not known of it, and known to be valid."""
    new = {}
    for name, value in plain.items():
        before = known.get(name)
        # Equality first, for what JSON lacks is equal to nothing, and its text is another one's.
        if value is not before and (value != before or not same(value, before)):
            new[name] = value
    return new


def _validated(session: Session, new: Mapping[str, Any]) -> Session:
    """Return a copy of a session that was valid but for what is new in it, as JSON has that."""
    copy = session.model_copy()
    for name, value in new.items():
        setattr(copy, name, value)  # which validates it
    return copy
