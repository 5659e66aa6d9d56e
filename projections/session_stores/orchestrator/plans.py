"""What the calls of an orchestrator's session store change, as plans over a ledger and its views."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from typing import Any

import msgspec

from ledger import (
    Append,
    Appended,
    AsyncLedger,
    Event,
    EventIdReused,
    Head,
    IncarnationConflict,
    InvalidEvent,
    Ledger,
    NewEvent,
    SequenceConflict,
)
from ledger.plans import Plan
from ledger.refusals import shown

from ...folds.runs import Run
from ...folds.sessions import Session
from ...readers.rows_at_head import AtHead
from ...views import Views
from ...views_async import AsyncViews
from ..store_parts import changed_by, check_change
from . import runs, sessions
from .errors import StoreRefused, StoreUnavailable
from .events import from_ledger, to_ledger
from .facts import asked_at_the_door
from .records import (
    EventRecord,
    ExecutionResult,
    RunRecord,
    SessionRecord,
    check_events,
    check_result,
    check_run,
    check_session,
    invalid,
)
from .refused_facts import refused
from .saved import SavedRecords

#: A save is decided anew so often while others write to its session.
SAVE_TRIES_MAX = 10_000

Decision = Callable[[], Plan[list[NewEvent]]]
BySession = Mapping[str, Sequence[EventRecord]]


class OrchestratorPlans(SavedRecords):
    """What the store's faces change and read, for both of them."""

    def __init__(
        self,
        ledger: Ledger | AsyncLedger,
        views: Views | AsyncViews,
        tenant: str,
        *,
        enforce_transitions: bool,
    ) -> None:
        super().__init__(ledger, views, tenant)
        self._enforced = enforce_transitions

    def save_session(self, session: SessionRecord) -> Plan[None]:
        """Append what differs."""
        record = check_session(session)

        def decide(before: Session | None) -> list[NewEvent]:
            facts = sessions.session_facts(before, record, enforced=self._enforced)
            return facts + sessions.touch(before, record, facts)

        def decide_on_its_beginning() -> Plan[list[NewEvent]]:
            before, facts = yield from self._session_facts(record)
            return facts + sessions.touch(before, record, facts)

        try:
            yield from self.append_on("sessions", (record.id,), decide)
        except StoreRefused:
            if record.status != "pending":
                raise
            # Who began it is asked only here: that is a read more, and seldom of any use.
            yield from self.append_decided(record.id, decide_on_its_beginning)

    def update_session(
        self, session_id: str, change: Callable[[SessionRecord], SessionRecord]
    ) -> Plan[SessionRecord]:
        """Change what the session is when the change is stored."""
        check_change(change)

        def decide(before: Session | None) -> list[NewEvent]:
            # A copy: what is changed inside it is compared with what it was.
            stored = sessions.saved_record(before, session_id)
            record = check_session(changed_by(change, deepcopy(stored)))
            if record.id != session_id:
                raise invalid(
                    f"expected session {shown(session_id)} changed, got {shown(record.id)}"
                )
            if before is not None and record.updated_at == before.updated_at:
                record = msgspec.structs.replace(record, updated_at=None)
            facts = sessions.session_facts(before, record, enforced=self._enforced)
            return facts + sessions.touch(before, record, facts)

        yield from self.append_on("sessions", (session_id,), decide)
        after = yield from self._at_head("sessions", (session_id,))
        return sessions.saved_record(after.view, session_id)

    def delete_session(self, session_id: str) -> Plan[None]:
        """Hide a session."""
        yield self.ledger.delete(session_id, tenant=self.tenant)

    def save_run(self, run: RunRecord) -> Plan[None]:
        """Append what differs."""
        record = check_run(run)
        yield from self.append_on(
            "runs",
            (record.session_id, record.id),
            lambda before: runs.run_facts(before, record, enforced=self._enforced),
        )

    def update_run(self, run_id: str, change: Callable[[RunRecord], RunRecord]) -> Plan[RunRecord]:
        """Change what the run is when the change is stored."""
        check_change(change)
        session_id = (yield from self.run(run_id)).session_id

        def decide(before: Run | None) -> list[NewEvent]:
            record = check_run(changed_by(change, deepcopy(runs.saved_record(before, run_id))))
            if (record.session_id, record.id) != (session_id, run_id):
                raise invalid(f"expected run {shown(run_id)} changed, got {shown(record.id)}")
            return runs.run_facts(before, record, enforced=self._enforced)

        yield from self.append_on("runs", (session_id, run_id), decide)
        after = yield from self._at_head("runs", (session_id, run_id))
        return runs.saved_record(after.view, run_id)

    def append_events(self, events: Sequence[EventRecord]) -> Plan[list[EventRecord]]:
        """Append events of any sessions in one call of the ledger."""
        checked = check_events(events)
        by_session: dict[str, list[EventRecord]] = {}
        for event in checked:
            by_session.setdefault(event.session_id, []).append(event)
        if not checked:
            return []
        answers = yield from self._append_to_each(by_session)
        in_order = {
            session_id: iter(answer) for session_id, answer in zip(by_session, answers, strict=True)
        }
        stored = [from_ledger(next(in_order[event.session_id]).event) for event in checked]
        return [event for event in stored if event is not None]

    def flush(self, result: ExecutionResult) -> Plan[None]:
        """Append all that differs, and the events, as one."""
        whole = check_result(result)
        session, run, events = whole.session, whole.run, whole.events

        def decide() -> Plan[list[NewEvent]]:
            before, of_session = yield from self._session_facts(session)
            run_before = (yield from self._at_head("runs", (session.id, run.id))).view
            of_run = runs.run_facts(run_before, run, enforced=self._enforced)
            # Work that comes after an end would be marked as not fitting.
            begins = [fact for fact in (*of_session, *of_run) if not _ends(fact)]
            ends = [fact for fact in (*of_run, *of_session) if _ends(fact)]
            drafts = yield from self._drafts(session.id, events)
            facts = [*begins, *drafts, *ends]
            # Of a repeated flush nothing is left but events, which are stored already.
            return facts + sessions.touch(before, session, facts if begins or ends else [])

        yield from self.append_decided(session.id, decide)

    def append_decided(self, session_id: str, decide: Decision) -> Plan[None]:
        """Append what is decided about the session as it is; whoever was faster is taken in."""
        for _ in range(SAVE_TRIES_MAX):
            head: int = yield self.ledger.head(session_id, tenant=self.tenant)
            facts = yield from decide()
            if not facts:
                return
            try:
                yield self.ledger.append(session_id, facts, tenant=self.tenant, expected=head)
            except InvalidEvent as error:
                of = self.tenant, session_id
                raise refused(self.ledger.door, of, facts, error) from error
            except SequenceConflict:
                continue
            return
        raise unsettled(session_id)

    def append_on(
        self, name: str, key: tuple[str, ...], decide: Callable[[Any], list[NewEvent]]
    ) -> Plan[None]:
        """Do as `append_decided` where one row of the session, under a key, is decided on."""
        facts: list[NewEvent] = []

        def noted(row: Any) -> list[NewEvent]:
            facts[:] = decide(row)
            return facts

        try:
            yield self.views.append_decided(name, (self.tenant, *key), noted)
        except InvalidEvent as error:
            raise refused(self.ledger.door, (self.tenant, key[0]), facts, error) from error
        except SequenceConflict as error:
            raise unsettled(key[0]) from error

    def _session_facts(self, record: SessionRecord) -> Plan[tuple[Session | None, list[NewEvent]]]:
        """Return a session and what happened to it if it is to be as a record says."""
        before: Session | None = (yield from self._at_head("sessions", (record.id,))).view
        if self._enforced and before is not None and sessions.may_keep_status(before, record):
            begun = yield from self._beginning(before)
            record = sessions.with_kept_status(before, begun, record)
        return before, sessions.session_facts(before, record, enforced=self._enforced)

    def _beginning(self, session: Session) -> Plan[Event | None]:
        at = session.created_sequence
        if at is None:
            return None
        found: list[Event] = yield self.ledger.read(
            session.session_id, tenant=self.tenant, after=at - 1, before=at + 1
        )
        return found[0] if found else None

    def _at_head(self, name: str, key: tuple[str, ...]) -> Plan[AtHead]:
        found: AtHead = yield self.views.row_at_head(name, (self.tenant, *key))
        return found

    def _append_to_each(self, by_session: BySession) -> Plan[list[list[Appended]]]:
        """Append to sessions, each in the incarnation that its events' ids are of.

        One is taken for never deleted, as nearly all are, until something speaks against it: to ask
        first would be a round trip more for each event. Of several all or none is to be stored.
        """
        certain = not asked_at_the_door(self.ledger.door.catalogue)
        assumed = len(by_session) == 1
        lives = dict.fromkeys(by_session, 0) if assumed else (yield from self._lives(by_session))
        for _ in range(SAVE_TRIES_MAX):
            appends = self._appends(by_session, lives, certain=certain)
            answers: list[list[Appended]] | None = None
            try:
                answers = yield self.ledger.append_many(appends)
            except InvalidEvent as error:
                if certain:
                    raise self._refused(appends, error) from error
                certain = True
                continue
            except IncarnationConflict as conflict:
                lives, assumed = {**lives, conflict.session_id: conflict.actual}, False
                continue
            except EventIdReused:
                if not assumed:
                    raise
            if answers is not None and (not assumed or any(one.stored for one in answers[0])):
                return answers
            # It has these ids already, which may be from before it was deleted.
            asked, assumed = (yield from self._lives(by_session)), False
            if answers is not None and asked == lives:
                return answers
            lives = asked
        raise StoreUnavailable("timeout", "The sessions did not stand still.")

    def _lives(self, session_ids: Collection[str]) -> Plan[dict[str, int]]:
        """Return the incarnation of each of these sessions."""
        heads: dict[str, Head] = yield self.ledger.heads(session_ids, tenant=self.tenant)
        return {session_id: head.incarnation for session_id, head in heads.items()}

    def _appends(
        self, by_session: BySession, lives: Mapping[str, int], *, certain: bool
    ) -> list[Append]:
        return [
            Append(
                session_id,
                [to_ledger(event, lives[session_id], certain=certain) for event in events],
                tenant=self.tenant,
                incarnation=lives[session_id],
            )
            for session_id, events in by_session.items()
        ]

    def _refused(self, appends: Sequence[Append], error: InvalidEvent) -> InvalidEvent:
        named = error
        for one in appends:
            named = refused(self.ledger.door, (one.tenant, one.session_id), one.events, error)
            if named.reason != error.reason:  # it tells of which event
                break
        return named

    def _drafts(self, session_id: str, events: Sequence[EventRecord]) -> Plan[list[NewEvent]]:
        if not events:
            return []
        life = (yield from self._lives([session_id]))[session_id]
        return [to_ledger(event, life, certain=True) for event in events]


def unsettled(session_id: str) -> StoreUnavailable:
    """Return the refusal to go on with a session that others change all the time."""
    return StoreUnavailable("timeout", f"Session {session_id!r} did not stand still.")


def _ends(fact: NewEvent) -> bool:
    return fact.type in runs.ENDINGS or sessions.is_ending(fact)
