"""The views of a ledger for tasks of one event loop; see views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger import AsyncLedger
from ledger.plans import arun

from .backends import open_views_async
from .engine.projection import Projection
from .engine.projector import BATCH_EVENTS_MAX
from .folds.messages import Message
from .folds.qa import QAEntry
from .folds.runs import Run
from .folds.sessions import Session
from .methods import context_async as views_context_async
from .methods import health_async as views_health_async
from .methods import history_async as views_history_async
from .methods import later_async as views_later_async
from .methods import lists_async as views_lists_async
from .methods import scenarios_async as views_scenarios_async
from .methods import search_async as views_search_async
from .methods import sessions_async as views_sessions_async
from .methods import together_async as views_together_async
from .methods import traces_async as views_traces_async
from .methods import turns_async as views_turns_async
from .methods import versions_async as views_versions_async
from .readers.arguments import instance
from .readers.consistency import Consistency, check_present, strong
from .readers.history_places import Moment
from .readers.listing_queries import Statuses
from .readers.reading import Reader


class AsyncViews:
    """What a ledger's events mean, folded from the log into tables beside it.

    Safe to share between tasks; any number of processes may open the views of one ledger. The
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
        ledger: AsyncLedger,
        *,
        projections: Sequence[Projection] | None = None,
        batch_events_max: int = BATCH_EVENTS_MAX,
    ) -> None:
        instance(ledger, "ledger", AsyncLedger)
        self._append = ledger.append
        self._reader = Reader(
            ledger.backend,
            open_views_async(ledger.backend),
            ledger.door,
            ledger.upcasts,
            projections,
            batch_events_max,
        )

    async def catch_up(self, bucket: int | None = None) -> None:
        """Bring all views to where the log ends now, in one bucket or in all.

        Many may do this at once: each event is folded into each view exactly once. A fold that
        fails stops its view in its bucket; the others are finished before ProjectionFailed is
        raised.
        """
        await arun(self._reader.catch_up(bucket))

    async def session(
        self,
        session_id: str,
        *,
        tenant: str = "",
        as_of: Moment | None = None,
        consistency: Consistency = "strong",
    ) -> Session | None:
        """Return a session, archived or not; None if it has no visible event."""
        session: Session | None = await arun(
            self._reader.row("sessions", (tenant, session_id), consistency, as_of)
        )
        return session

    async def run(
        self,
        session_id: str,
        run_id: str,
        *,
        tenant: str = "",
        as_of: Moment | None = None,
        consistency: Consistency = "strong",
    ) -> Run | None:
        """Return a run of a session, or None."""
        found: Run | None = await arun(
            self._reader.row("runs", (tenant, session_id, run_id), consistency, as_of)
        )
        return found

    async def runs(
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
        return await arun(
            self._reader.listed(
                "runs",
                (tenant, session_id),
                consistency,
                limit=limit,
                newest_first=newest_first,
                status=status,
            )
        )

    async def active_run(
        self, session_id: str, *, tenant: str = "", consistency: Consistency = "strong"
    ) -> Run | None:
        """Return the session's running run, the newest if there are several, or None."""
        active: Run | None = await arun(self._reader.active_run((tenant, session_id), consistency))
        return active

    async def qa(
        self,
        session_id: str,
        *,
        tenant: str = "",
        last_n: int | None = None,
        consistency: Consistency = "strong",
    ) -> list[QAEntry]:
        """Return a session's answered questions, or the last of them, always oldest first."""
        return await arun(self._reader.last("qa", (tenant, session_id), consistency, last_n))

    async def qa_entry(
        self,
        session_id: str,
        qa_id: str,
        *,
        tenant: str = "",
        as_of: Moment | None = None,
        consistency: Consistency = "strong",
    ) -> QAEntry | None:
        """Return one answered question of a session, or None."""
        entry: QAEntry | None = await arun(
            self._reader.row("qa", (tenant, session_id, qa_id), consistency, as_of)
        )
        return entry

    async def messages(
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
        return await arun(
            self._reader.listed(
                "messages",
                (tenant, session_id),
                consistency,
                limit=limit,
                newest_first=newest_first,
                run_id=run_id,
            )
        )

    async def row(
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
        return await arun(plan)

    async def rows(
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
        return await arun(plan)

    # Readers by subject: methods like the others, each written in the file of its subject.
    together = views_together_async.together
    together_many = views_together_async.together_many
    row_at_head = views_together_async.row_at_head
    append_decided = views_together_async.append_decided
    sessions = views_sessions_async.sessions
    sessions_page = views_sessions_async.sessions_page
    count_sessions = views_sessions_async.count_sessions
    session_stats = views_sessions_async.session_stats
    find_run = views_sessions_async.find_run
    anomalies = views_sessions_async.anomalies
    runs_page = views_lists_async.runs_page
    count_runs = views_lists_async.count_runs
    qa_page = views_lists_async.qa_page
    count_qa = views_lists_async.count_qa
    anomalies_page = views_lists_async.anomalies_page
    search = views_search_async.search
    traces = views_traces_async.traces
    steps = views_traces_async.steps
    steps_after = views_later_async.steps_after
    count_steps = views_later_async.count_steps
    qa_after = views_later_async.qa_after
    span_tree = views_traces_async.span_tree
    turn = views_turns_async.turn
    turns = views_turns_async.turns
    recent_turns = views_turns_async.recent_turns
    transcript = views_turns_async.transcript
    usage = views_turns_async.usage
    usage_totals = views_turns_async.usage_totals
    context = views_context_async.context
    context_entry = views_context_async.context_entry
    graph_context = views_context_async.graph_context
    artifacts = views_context_async.artifacts
    artifact = views_context_async.artifact
    artifact_by_key = views_context_async.artifact_by_key
    consumers = views_context_async.consumers
    consumer = views_context_async.consumer
    feedback = views_context_async.feedback
    snapshots = views_context_async.snapshots
    snapshot = views_context_async.snapshot
    scenarios = views_scenarios_async.scenarios
    scenario = views_scenarios_async.scenario
    scenario_positions = views_scenarios_async.scenario_positions
    step_visits = views_scenarios_async.step_visits
    script = views_scenarios_async.script
    approvals = views_scenarios_async.approvals
    approval = views_scenarios_async.approval
    pending_approvals = views_scenarios_async.pending_approvals
    allowed_actions = views_scenarios_async.allowed_actions
    violations = views_scenarios_async.violations
    diff = views_history_async.diff
    versions = views_versions_async.versions
    compare = views_versions_async.compare
    accept = views_versions_async.accept
    switch = views_versions_async.switch
    drop = views_versions_async.drop
    status = views_health_async.status
    skip = views_health_async.skip
    positions = views_health_async.positions
    wait_for = views_health_async.wait_for
    answer = views_health_async.answer
