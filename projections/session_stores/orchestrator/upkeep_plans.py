"""The upkeep of an orchestrator's sessions by a policy, as plans over the store's.

The log is append-only, so nothing here removes a row: sessions are archived or deleted by facts,
events that are pruned are hidden by one, and numbers are never reused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ledger import Event, InvalidArgument, LedgerError, NewEvent, VerifyReport
from ledger.events import SESSION_DELETED
from ledger.plans import Plan
from ledger.refusals import shown

from ...folds.artifacts import Artifact
from ...folds.sessions import Session
from ...readers.arguments import moment
from .plans import OrchestratorPlans
from .pruning_plans import pruned
from .reading import one_or_several
from .records import EVENT_TYPES, SESSION_STATUSES, converted, invalid
from .sessions import is_saved, record_status

BATCH_SIZE_MAX = 10_000
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
Days = Annotated[int, Meta(ge=1)]

#: Takes a named step; what it raises is reported.
Step = Callable[[str, Plan[int]], Plan[int]]


class RetentionPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept for how long; None is for ever.

    Sessions are marked as deleted, ended or not, `max_completed_session_age_days` after the newest
    time that anything in them tells and `max_session_age_days` after their beginning, but for those
    of an exempt status. Marked ones are deleted `hard_delete_after_days` after the mark, whoever
    marked them, whatever their status and whoever uses them since: save one without its `deleted_at`
    to keep it. Sessions with an exempt tag are neither marked nor deleted, and `execute` prunes no
    events of theirs.
    `batch_size` sessions are read at a time.
    """

    max_session_age_days: Days | None = None
    max_completed_session_age_days: Days | None = 90
    max_events_per_session: Days | None = None
    hard_delete_after_days: Days | None = 30
    exempt_statuses: Sequence[str] = ("active", "paused")
    exempt_tags: Sequence[str] = ("pinned",)
    prune_event_types_first: Sequence[str] = ("message_streamed", "token_usage_updated")
    batch_size: Annotated[int, Meta(ge=1, le=BATCH_SIZE_MAX)] = 100


class MaintenanceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `execute` did; a step that failed is in `errors`, the others were done all the same."""

    sessions_soft_deleted: int
    sessions_hard_deleted: int
    events_pruned: int
    artifacts_cleaned: int
    orphaned_sequences_cleaned: int
    duration_ms: float
    errors: list[str]


class MaintenancePlans:
    """What the faces of the maintenance port do, for both of them."""

    def __init__(self, store: OrchestratorPlans, now: Callable[[], datetime]) -> None:
        if not callable(now):
            raise InvalidArgument("now", f"expected a function, got {shown(now)}")
        self._store = store
        self._now = now

    def execute(self, policy: RetentionPolicy) -> Plan[MaintenanceReport]:
        """Take all steps; what a step raises is reported, and the next is taken all the same."""
        check_policy(policy)
        began = time.monotonic()
        errors: list[str] = []

        def step(name: str, plan: Plan[int]) -> Plan[int]:
            try:
                return (yield from plan)
            except LedgerError as error:  # the report names it
                if isinstance(error, InvalidArgument) and error.argument == "now":
                    raise  # which is no fault of a step: the clock is a wrong one
                errors.append(f"{name}: {error}")
                return 0

        soft = yield from step("soft delete", self.soft_delete(policy))
        hard = yield from step("hard delete", self.hard_delete(policy))
        pruned = yield from step("prune", self._prune_all(policy, step))
        cleaned = yield from step("artifacts", self.clean_artifacts())
        return MaintenanceReport(
            sessions_soft_deleted=soft,
            sessions_hard_deleted=hard,
            events_pruned=pruned,
            artifacts_cleaned=cleaned,
            orphaned_sequences_cleaned=0,  # there is no counter beside the log
            duration_ms=(time.monotonic() - began) * 1_000,
            errors=errors,
        )

    def soft_delete(self, policy: RetentionPolicy) -> Plan[int]:
        """Archive expired sessions."""
        check_policy(policy)
        if policy.max_session_age_days is None and policy.max_completed_session_age_days is None:
            return 0
        now = self._moment()

        def archive(row: Session) -> Plan[int]:
            if record_status(row) in policy.exempt_statuses or _is_left_alone(row, policy):
                return 0
            longest, unused = policy.max_session_age_days, policy.max_completed_session_age_days
            is_old = longest is not None and row.created_at < _ago(now, longest)
            if not is_old and (unused is None or (yield from self._was_told(row, now, unused))):
                return 0
            return (yield from self._mark(row, "session.archived"))

        return (yield from self._each(policy, archive, archived=False))

    def hard_delete(self, policy: RetentionPolicy) -> Plan[int]:
        """Delete sessions that were archived long enough ago."""
        check_policy(policy)
        if policy.hard_delete_after_days is None:
            return 0
        before = _ago(self._moment(), policy.hard_delete_after_days)

        def delete(row: Session) -> Plan[int]:
            if row.archived_at is None or row.archived_at >= before:
                return 0
            if _is_left_alone(row, policy):
                return 0
            return (yield from self._mark(row, SESSION_DELETED))

        return (yield from self._each(policy, delete))

    def _prune_all(self, policy: RetentionPolicy, step: Step) -> Plan[int]:
        most = policy.max_events_per_session
        if most is None:
            return 0

        def prune(row: Session) -> Plan[int]:
            # Facts that are no events are counted too, so this leaves none out.
            if row.event_count <= most or _is_left_alone(row, policy):
                return 0
            return (yield from step(f"prune {row.session_id}", self.prune(row.session_id, policy)))

        return (yield from self._each(policy, prune))

    def _each(
        self, policy: RetentionPolicy, act: Callable[[Session], Plan[int]], **filters: Any
    ) -> Plan[int]:
        """Act on all saved sessions, some at a time, and return the sum."""
        done, cursor = 0, None
        while True:
            page = yield from self._store.session_page(cursor, policy.batch_size, filters)
            for row in filter(is_saved, page.items):
                done += yield from act(row)
            cursor = page.cursor
            if cursor is None:
                return done

    def prune(self, session_id: str, policy: RetentionPolicy) -> Plan[int]:
        """Hide the oldest events beyond the policy's number."""
        check_policy(policy)
        if policy.max_events_per_session is None:
            return 0
        bounds = policy.max_events_per_session, frozenset(policy.prune_event_types_first)
        return (yield from pruned(self._store, session_id, *bounds, self._moment))

    def clean_artifacts(self) -> Plan[int]:
        """Delete the artifacts of sessions that nobody saved."""
        cleaned = 0
        for session_id, last in (yield from self._unsaved()).items():
            cleaned += yield from self._clean(session_id, last)
        return cleaned

    def _clean(self, session_id: str, last: int) -> Plan[int]:
        tenant, cleaned = self._store.tenant, 0

        def decide() -> Plan[list[NewEvent]]:
            nonlocal cleaned
            row: Session | None = yield self._store.views.session(session_id, tenant=tenant)
            found: list[Artifact] = yield self._store.views.artifacts(session_id, tenant=tenant)
            if row is None or row.last_sequence != last:
                found = []  # somebody saved it, used it or cleaned it since it was read
            cleaned = len(found)
            return [
                NewEvent({"artifact_id": one.artifact_id, "reason": "orphaned"}, "artifact.deleted")
                for one in found
            ]

        yield from self._store.append_decided(session_id, decide)
        return cleaned

    def health(self) -> Plan[list[str]]:
        """Return what is not as it should be."""
        unsaved = yield from self._unsaved()
        problems = [f"Events without session: {session_id}" for session_id in unsaved]
        if unsaved:
            yield from self._store.each_run(
                lambda found: problems.extend(
                    f"Run without session: {run.id}" for run in found if run.session_id in unsaved
                )
            )
        report: VerifyReport = yield self._store.ledger.verify()
        # What is found of a bucket as a whole is of no session and of no tenant.
        return problems + [
            str(finding)
            for finding in report.findings
            if not finding.session_id or finding.tenant == self._store.tenant
        ]

    def _unsaved(self) -> Plan[dict[str, int]]:
        """Return the sessions of which there are events or runs alone, the first first.

        Each with the sequence of its last fact.
        """
        found: dict[str, int] = {}
        yield from self._store.each_session(
            lambda rows: found.update((row.session_id, row.last_sequence) for row in rows),
            saved=False,
        )
        return found

    def _moment(self) -> datetime:
        """Return what the clock tells, if that is a moment."""
        told = moment(self._now(), "now")
        if told is None:
            raise InvalidArgument("now", "expected a datetime with a time zone, got None")
        if told < _FIRST:
            raise InvalidArgument("now", "before 1970")
        return told

    def _was_told(self, row: Session, now: datetime, days: int) -> Plan[bool]:
        """Whether anything of a session tells of a time in so many days."""
        since = _ago(now, days)
        if row.updated_at >= since:
            return True
        # What came last may tell of long ago, and what came before it of today.
        found: list[Event] = yield self._store.ledger.read(
            row.session_id,
            tenant=self._store.tenant,
            since=since,
            # What the view has not got: new, so that `_mark` does nothing, or left out of it.
            before=row.last_sequence + 1,
            limit=1,
            newest_first=True,
        )
        return bool(found)

    def _mark(self, row: Session, type: str) -> Plan[int]:
        """Append a fact about a session, unless somebody used it since it was read."""
        fact = NewEvent({"reason": "expired"}, type, occurred_at=self._moment())
        facts: list[NewEvent] = []

        def decide(found: Session | None) -> list[NewEvent]:
            nonlocal facts
            # What its view leaves out, because an operator skipped it, was no use of it.
            is_unused = found is not None and found.last_sequence == row.last_sequence
            facts = [fact] if is_unused else []
            return facts

        yield from self._store.append_on("sessions", (row.session_id,), decide)
        return len(facts)


def check_policy(policy: RetentionPolicy) -> None:
    """Refuse a policy whose numbers are not positive, or that names what there is not."""
    if not isinstance(policy, RetentionPolicy):
        raise invalid(f"expected a RetentionPolicy, got {shown(policy)}")
    converted(msgspec.structs.asdict(policy), RetentionPolicy)
    one_or_several(policy.exempt_statuses, "exempt_statuses", SESSION_STATUSES)
    one_or_several(policy.prune_event_types_first, "prune_event_types_first", EVENT_TYPES)


def _is_left_alone(session: Session, policy: RetentionPolicy) -> bool:
    return not set(session.tags).isdisjoint(policy.exempt_tags)


def _ago(now: datetime, days: int) -> datetime:
    try:
        return now - timedelta(days=days)
    except OverflowError:  # before all times that there are
        return datetime.min.replace(tzinfo=UTC)
