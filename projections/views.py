"""The views of a ledger: what its events mean, for threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger import Ledger
from ledger.plans import run

from .backends import open_views
from .engine.projection import Projection
from .engine.projector import BATCH_EVENTS_MAX
from .folds.messages import Message
from .folds.qa import QAEntry
from .folds.runs import Run
from .folds.sessions import Session
from .methods import context as views_context
from .methods import health as views_health
from .methods import history as views_history
from .methods import later as views_later
from .methods import lists as views_lists
from .methods import scenarios as views_scenarios
from .methods import search as views_search
from .methods import sessions as views_sessions
from .methods import together as views_together
from .methods import traces as views_traces
from .methods import turns as views_turns
from .methods import versions as views_versions
from .readers.arguments import instance
from .readers.consistency import Consistency, check_present, strong
from .readers.history_places import Moment
from .readers.listing_queries import Statuses
from .readers.reading import Reader


class Views:
    """What a ledger's events mean, folded from the log into tables beside it.

    Safe to share between threads; any number of processes may open the views of one ledger. The
    tables are made when first needed. Nothing runs in the background: a reader brings what it
    reads up to date, unless it says `consistency="eventual"`. Without `projections` they are the
    built-in ones; for those and others say `projections=[*BUILTIN, MINE]`.

    `as_of` asks for a view as it was: behind a sequence of its session, or at a time by the store's
    clock (`recorded_at`). That answer is folded from the log alone, by today's folds, so it is
    always up to date and `consistency` says nothing about it; nothing of a session that was deleted
    since is in it. A sequence that the session has not reached is refused. Where a session is long,
    the first such question leaves snapshots of the row behind, which make the next ones quick.

    Besides the ledger's own errors, calls raise ProjectionFailed if a fold stopped before what they
    were to read, and TableMismatch if a table was made from another struct or key.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        projections: Sequence[Projection] | None = None,
        batch_events_max: int = BATCH_EVENTS_MAX,
    ) -> None:
        instance(ledger, "ledger", Ledger)
        self._append = ledger.append
        self._reader = Reader(
            ledger.backend,
            open_views(ledger.backend),
            ledger.door,
            ledger.upcasts,
            projections,
            batch_events_max,
        )

    def catch_up(self, bucket: int | None = None) -> None:
        """Bring all views to where the log ends now, in one bucket or in all.

        Many may do this at once: each event is folded into each view exactly once. A fold that
        fails stops its view in its bucket; the others are finished before ProjectionFailed is
        raised.
        """
        run(self._reader.catch_up(bucket))

    def session(
        self,
        session_id: str,
        *,
        tenant: str = "",
        as_of: Moment | None = None,
        consistency: Consistency = "strong",
    ) -> Session | None:
        """Return a session, archived or not; None if it has no visible event."""
        session: Session | None = run(
            self._reader.row("sessions", (tenant, session_id), consistency, as_of)
        )
        return session

    def run(
        self,
        session_id: str,
        run_id: str,
        *,
        tenant: str = "",
        as_of: Moment | None = None,
        consistency: Consistency = "strong",
    ) -> Run | None:
        """Return a run of a session, or None."""
        found: Run | None = run(
            self._reader.row("runs", (tenant, session_id, run_id), consistency, as_of)
        )
        return found

    def runs(
        self,
        session_id: str,
        *,
        tenant: str = "",
        status: Statuses | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        consistency: Consistency = "strong",
    ) -> list[Run]:
        """Return a session's runs in the order in which they were first heard of.

        `limit` keeps the oldest, or the newest with `newest_first`; None is all. Of several statuses
        a run has one.
        """
        return run(
            self._reader.listed(
                "runs",
                (tenant, session_id),
                consistency,
                limit=limit,
                newest_first=newest_first,
                status=status,
            )
        )

    def active_run(
        self, session_id: str, *, tenant: str = "", consistency: Consistency = "strong"
    ) -> Run | None:
        """Return the session's running run, the newest if there are several, or None."""
        active: Run | None = run(self._reader.active_run((tenant, session_id), consistency))
        return active

    def qa(
        self,
        session_id: str,
        *,
        tenant: str = "",
        last_n: int | None = None,
        consistency: Consistency = "strong",
    ) -> list[QAEntry]:
        """Return a session's answered questions, or the last of them, always oldest first."""
        return run(self._reader.last("qa", (tenant, session_id), consistency, last_n))

    def qa_entry(
        self,
        session_id: str,
        qa_id: str,
        *,
        tenant: str = "",
        as_of: Moment | None = None,
        consistency: Consistency = "strong",
    ) -> QAEntry | None:
        """Return one answered question of a session, or None."""
        entry: QAEntry | None = run(
            self._reader.row("qa", (tenant, session_id, qa_id), consistency, as_of)
        )
        return entry

    def messages(
        self,
        session_id: str,
        *,
        tenant: str = "",
        run_id: str | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        consistency: Consistency = "strong",
    ) -> list[Message]:
        """Return the messages of a session or run in the order of the conversation.

        `limit` keeps the oldest, or the newest with `newest_first`; None is all.
        """
        return run(
            self._reader.listed(
                "messages",
                (tenant, session_id),
                consistency,
                limit=limit,
                newest_first=newest_first,
                run_id=run_id,
            )
        )

    def row(
        self,
        projection: str,
        key: tuple[str, ...],
        *,
        as_of: Moment | None = None,
        deleted: bool = False,
        consistency: Consistency = "strong",
    ) -> Any:
        """Return a projection's view under its whole key, tenant and session first, or None.

        With `as_of` and `deleted` also one of a session that was deleted since. A view whose key is
        of no session has a part of its rows in each bucket: InvalidArgument if there are several.
        """
        plan = self._reader.keyed_row(projection, key, consistency, as_of, deleted=deleted)
        return run(plan)

    def rows(
        self,
        projection: str,
        session_id: str,
        *,
        tenant: str = "",
        limit: int | None = None,
        as_of: Moment | None = None,
        deleted: bool = False,
        consistency: Consistency = "strong",
    ) -> list[Any]:
        """Return a projection's views of a session, in the order of their keys.

        With `as_of` all of the session is folded; `deleted` then is as for `row`.
        """
        session = (tenant, session_id)
        strong(consistency)
        if as_of is None:
            check_present(deleted)
            plan = self._reader.rows(projection, session, consistency, limit=limit)
        else:
            plan = self._reader.rows_as_of(projection, session, as_of, limit=limit, deleted=deleted)
        return run(plan)

    # Readers by subject: methods like the others, each written in the file of its subject.
    together = views_together.together
    together_many = views_together.together_many
    row_at_head = views_together.row_at_head
    append_decided = views_together.append_decided
    sessions = views_sessions.sessions
    sessions_page = views_sessions.sessions_page
    count_sessions = views_sessions.count_sessions
    session_stats = views_sessions.session_stats
    find_run = views_sessions.find_run
    anomalies = views_sessions.anomalies
    runs_page = views_lists.runs_page
    count_runs = views_lists.count_runs
    qa_page = views_lists.qa_page
    count_qa = views_lists.count_qa
    anomalies_page = views_lists.anomalies_page
    search = views_search.search
    traces = views_traces.traces
    steps = views_traces.steps
    steps_after = views_later.steps_after
    count_steps = views_later.count_steps
    qa_after = views_later.qa_after
    span_tree = views_traces.span_tree
    turn = views_turns.turn
    turns = views_turns.turns
    recent_turns = views_turns.recent_turns
    transcript = views_turns.transcript
    usage = views_turns.usage
    usage_totals = views_turns.usage_totals
    context = views_context.context
    context_entry = views_context.context_entry
    graph_context = views_context.graph_context
    artifacts = views_context.artifacts
    artifact = views_context.artifact
    artifact_by_key = views_context.artifact_by_key
    consumers = views_context.consumers
    consumer = views_context.consumer
    feedback = views_context.feedback
    snapshots = views_context.snapshots
    snapshot = views_context.snapshot
    scenarios = views_scenarios.scenarios
    scenario = views_scenarios.scenario
    scenario_positions = views_scenarios.scenario_positions
    step_visits = views_scenarios.step_visits
    script = views_scenarios.script
    approvals = views_scenarios.approvals
    approval = views_scenarios.approval
    pending_approvals = views_scenarios.pending_approvals
    allowed_actions = views_scenarios.allowed_actions
    violations = views_scenarios.violations
    diff = views_history.diff
    versions = views_versions.versions
    compare = views_versions.compare
    accept = views_versions.accept
    switch = views_versions.switch
    drop = views_versions.drop
    status = views_health.status
    skip = views_health.skip
    positions = views_health.positions
    wait_for = views_health.wait_for
    answer = views_health.answer
