"""The views of a ledger: what its events mean, for threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger import Ledger
from ledger.plans import run

from . import views_context, views_scenarios, views_turns
from .backends import open_views
from .builtin import BUILTIN
from .messages import Message
from .projection import Projection
from .projector import BATCH_EVENTS_MAX
from .qa import QAEntry
from .reading import Consistency, Reader
from .runs import Run
from .sessions import Session
from .traces import Span


class Views:
    """What a ledger's events mean, folded from the log into tables beside it.

    Safe to share between threads; any number of processes may open the views of one ledger. The
    tables are made when first needed. Nothing runs in the background: a reader brings what it
    reads up to date, unless it says `consistency="eventual"`.

    Besides the ledger's own errors, calls raise ProjectionFailed if a fold stopped before what they
    were to read, and TableMismatch if a table was made from another struct.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        projections: Sequence[Projection] = BUILTIN,
        batch_events_max: int = BATCH_EVENTS_MAX,
    ) -> None:
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
        self, session_id: str, *, tenant: str = "", consistency: Consistency = "strong"
    ) -> Session | None:
        """Return a session, archived or not; None if it has no visible event."""
        session: Session | None = run(
            self._reader.row("sessions", (tenant, session_id), consistency)
        )
        return session

    def sessions(
        self,
        *,
        tenant: str = "",
        status: str | None = None,
        agent_id: str | None = None,
        archived: bool = False,
        limit: int = 100,
        after: Session | None = None,
        consistency: Consistency = "strong",
    ) -> list[Session]:
        """Return a tenant's sessions, the newest activity first, then by id backwards.

        `after` is the last session of the page before. Archived ones are left out unless
        `archived`.
        """
        return run(
            self._reader.sessions(
                tenant,
                consistency,
                limit=limit,
                after=after,
                archived=archived,
                status=status,
                agent_id=agent_id,
            )
        )

    def run(
        self,
        session_id: str,
        run_id: str,
        *,
        tenant: str = "",
        consistency: Consistency = "strong",
    ) -> Run | None:
        """Return a run of a session, or None."""
        found: Run | None = run(self._reader.row("runs", (tenant, session_id, run_id), consistency))
        return found

    def runs(
        self,
        session_id: str,
        *,
        tenant: str = "",
        status: str | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        consistency: Consistency = "strong",
    ) -> list[Run]:
        """Return a session's runs in the order in which they were first heard of.

        `limit` keeps the oldest, or the newest with `newest_first`; None is all.
        """
        return run(
            self._reader.runs(
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
        return run(self._reader.qa((tenant, session_id), consistency, last_n=last_n))

    def qa_entry(
        self,
        session_id: str,
        qa_id: str,
        *,
        tenant: str = "",
        consistency: Consistency = "strong",
    ) -> QAEntry | None:
        """Return one answered question of a session, or None."""
        entry: QAEntry | None = run(
            self._reader.row("qa", (tenant, session_id, qa_id), consistency)
        )
        return entry

    def traces(
        self,
        session_id: str,
        *,
        tenant: str = "",
        run_id: str | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        consistency: Consistency = "strong",
    ) -> list[Span]:
        """Return the pieces of work of a session or run in the order in which they began.

        `limit` keeps the oldest, or the newest with `newest_first`; None is all.
        """
        return run(
            self._reader.traces(
                (tenant, session_id),
                consistency,
                limit=limit,
                newest_first=newest_first,
                run_id=run_id,
            )
        )

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
            self._reader.messages(
                (tenant, session_id),
                consistency,
                limit=limit,
                newest_first=newest_first,
                run_id=run_id,
            )
        )

    def row(
        self, projection: str, key: tuple[str, ...], *, consistency: Consistency = "strong"
    ) -> Any:
        """Return a projection's view under its whole key, tenant and session first, or None."""
        return run(self._reader.row(projection, key, consistency))

    def rows(
        self,
        projection: str,
        session_id: str,
        *,
        tenant: str = "",
        limit: int | None = None,
        consistency: Consistency = "strong",
    ) -> list[Any]:
        """Return a projection's views of a session, in the order of their keys."""
        return run(self._reader.rows(projection, (tenant, session_id), consistency, limit=limit))

    # Readers by subject: methods like the others, each written in the file of its subject.
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
