"""The maintenance port of an orchestrator: retention, pruning, health; nothing runs by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ledger.batch import utc_now

from ...readers.arguments import instance
from .errors import answer
from .store import OrchestratorStore
from .upkeep_plans import MaintenancePlans, MaintenanceReport, RetentionPolicy


class OrchestratorMaintenance:
    """The six calls of the maintenance port, for the tenant of a store; `now` is its clock."""

    def __init__(
        self,
        store: OrchestratorStore,
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._plans = MaintenancePlans(instance(store, "store", OrchestratorStore).plans, now)

    def execute(self, policy: RetentionPolicy) -> MaintenanceReport:
        """Do everything that a policy asks for; one step that fails does not stop the next."""
        return answer(self._plans.execute(policy))

    def soft_delete_expired_sessions(self, policy: RetentionPolicy) -> int:
        """Mark expired sessions as deleted and return how many.

        One that is used meanwhile is left alone.
        """
        return answer(self._plans.soft_delete(policy))

    def hard_delete_expired_sessions(self, policy: RetentionPolicy) -> int:
        """Delete sessions that were marked long enough ago, each with all that belongs to it.

        One in which anything was said or done since counts from the last of it.
        """
        return answer(self._plans.hard_delete(policy))

    def prune_session_events(self, session_id: str, policy: RetentionPolicy) -> int:
        """Hide a session's oldest events beyond the policy's number and return how many.

        Those of `prune_event_types_first` go first, those that tell how a session or run began and
        ended never do, so more than the number may be left. Every view drops the messages and tool
        calls that are pruned, a message with its other events; violations stay in their view, and
        what was counted is still counted. What others append meanwhile stays, and so may be beyond
        the number. Exempt tags do not count here, where a session is named.
        """
        return answer(self._plans.prune(session_id, policy))

    def clean_orphaned_artifacts(self) -> int:
        """Delete the artifacts of sessions that nobody saved and return how many; bytes stay."""
        return answer(self._plans.clean_artifacts())

    def health_check(self) -> list[str]:
        """Return what is not as it should be; [] is healthy.

        Recomputes the whole log's numbers, digests and hash chains, besides looking for events and
        runs without a saved session.
        """
        return answer(self._plans.health())
