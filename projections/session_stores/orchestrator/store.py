"""The session store that an orchestrator of agents programs against, served from the ledger.

What is saved becomes facts: only what differs from before is appended. What is read comes from
views. A session's records and events are one stream, so an event's number, its sequence, also
counts what was saved in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from ledger import Ledger

from ...views import Views
from ..store_parts import views_for
from .errors import answer
from .plans import OrchestratorPlans
from .reading import EventFilters
from .records import EventRecord, ExecutionResult, RunRecord, SessionRecord, Texts


class OrchestratorStore:
    """Sessions, runs and events of a tenant, with the 14 calls of agent_session_manager 0.8.0.

    Safe to share between threads; it keeps nothing itself. Statuses follow the documented machines
    unless `enforce_transitions` is False; what is not over may fail or be cancelled in any case.
    Failures are StoreRefused, StoreUnavailable and StoreBroken, each with its documented `code`.

    Saving makes a record the whole truth, whatever it was made from; to change what is there, of
    several writers each, use `update_session` and `update_run`.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        views: Views | None = None,
        tenant: str = "",
        enforce_transitions: bool = True,
    ) -> None:
        self.ledger = ledger
        self.views = views_for(ledger, views)
        self.plans = OrchestratorPlans(
            ledger, self.views, tenant, enforce_transitions=enforce_transitions
        )

    def save_session(self, session: SessionRecord) -> None:
        """Make a session what the record says; repeating it changes nothing.

        A record that is pending, the default, leaves a session that others began in its status, if
        pending does not follow that.

        Raises the codes invalid_status, invalid_transition and validation_error.
        """
        answer(self.plans.save_session(session))

    def get_session(self, session_id: str) -> SessionRecord:
        """Return a session, also a softly deleted one; the code session_not_found if none is."""
        return answer(self.plans.session(session_id))

    def update_session(
        self, session_id: str, change: Callable[[SessionRecord], SessionRecord]
    ) -> SessionRecord:
        """Get, change and save a session, again if somebody else was faster; return what it is then.

        What others saved meanwhile is in what `change` is called with, so it may be called several
        times. Unless it sets `updated_at`, that is the moment of saving.
        """
        return answer(self.plans.update_session(session_id, change))

    def list_sessions(
        self,
        *,
        status: Texts = None,
        agent_id: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[SessionRecord]:
        """Return sessions, softly deleted ones included, the first created first, then by id."""
        return answer(self.plans.list_sessions(status, agent_id, limit, offset))

    def delete_session(self, session_id: str) -> None:
        """Hide a session with its runs and events for good; nothing to hide is no failure.

        Numbers go on: whatever comes later under this id never gets one that was given before.
        """
        answer(self.plans.delete_session(session_id))

    def save_run(self, run: RunRecord) -> None:
        """Make a run what the record says; repeating it changes nothing.

        Raises the codes invalid_status, invalid_transition and validation_error.
        """
        answer(self.plans.save_run(run))

    def get_run(self, run_id: str) -> RunRecord:
        """Return a run, the newest if several sessions have one of that id; code run_not_found."""
        return answer(self.plans.run(run_id))

    def update_run(self, run_id: str, change: Callable[[RunRecord], RunRecord]) -> RunRecord:
        """Get, change and save a run as `update_session` does a session."""
        return answer(self.plans.update_run(run_id, change))

    def list_runs(
        self,
        session_id: str,
        *,
        status: Texts = None,
        limit: int | None = None,
    ) -> list[RunRecord]:
        """Return a session's runs in the order in which they were first heard of."""
        return answer(self.plans.list_runs(session_id, status, limit))

    def get_active_run(self, session_id: str) -> RunRecord | None:
        """Return the running run, the one first heard of last if there are several, or None."""
        return answer(self.plans.active_run(session_id))

    def append_event(self, event: EventRecord) -> None:
        """Append an event; the same one again changes nothing.

        Its id names it within its session. The same id with other content is refused with the code
        already_exists. A `sequence_number` of the caller's is not looked at.
        """
        answer(self.plans.append_events([event]))

    def append_event_with_sequence(self, event: EventRecord) -> EventRecord:
        """Append an event and return it as it is stored, with its number; see `append_event`."""
        return answer(self.plans.append_events([event]))[0]

    def append_events(self, events: Sequence[EventRecord]) -> list[EventRecord]:
        """Append events of any sessions, all or none, and return each as it is stored, in order."""
        return answer(self.plans.append_events(events))

    def flush(self, result: ExecutionResult) -> None:
        """Keep a session, a run of it and events of it, all or nothing.

        Raises the code session_mismatch if they are not of one session, besides those of saving.
        """
        answer(self.plans.flush(result))

    def get_events(
        self,
        session_id: str,
        *,
        run_id: str | None = None,
        type: str | None = None,
        since: datetime | None = None,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
        wait_timeout_ms: int = 0,
    ) -> list[EventRecord]:
        """Return a session's events in the order of their numbers; [] if there are none.

        Messages, tool calls and errors that others appended as facts are events here too. All
        filters must hold and `limit` applies last; `since`, `after` and `before` exclude what they
        name; a `type` that is none of the 28 is refused. If nothing fits, up to `wait_timeout_ms`
        (a day at most) are spent waiting for one that does, whatever process appends it.
        """
        filters = EventFilters(
            run_id=run_id,
            type=type,
            since=since,
            after=after,
            before=before,
            limit=limit,
            wait_timeout_ms=wait_timeout_ms,
        )
        return answer(self.plans.events(session_id, filters))

    def get_latest_sequence(self, session_id: str) -> int:
        """Return the number of a session's newest event that `get_events` shows, 0 if there is none."""
        return answer(self.plans.latest_sequence(session_id))
