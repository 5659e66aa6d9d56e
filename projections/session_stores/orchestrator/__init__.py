"""An orchestrator's sessions, runs and events, with the queries and the upkeep around them."""

from __future__ import annotations

from .errors import StoreBroken, StoreRefused, StoreUnavailable
from .filters import EventSearch, RunRange, RunSearch, SessionSearch
from .maintenance import OrchestratorMaintenance
from .maintenance_async import AsyncOrchestratorMaintenance
from .queries import OrchestratorQueries
from .queries_async import AsyncOrchestratorQueries
from .query_plans import OrchestratorSessionStats, SessionExport, SessionsFound
from .records import EventRecord, ExecutionResult, RunRecord, SessionRecord, Texts
from .store import OrchestratorStore
from .store_async import AsyncOrchestratorStore
from .summaries import CostSummary, CostTotals, PricingTable, TokenTotals, UsageSummary
from .upkeep_plans import MaintenanceReport, RetentionPolicy

__all__ = [
    "AsyncOrchestratorMaintenance",
    "AsyncOrchestratorQueries",
    "AsyncOrchestratorStore",
    "CostSummary",
    "CostTotals",
    "EventRecord",
    "EventSearch",
    "ExecutionResult",
    "MaintenanceReport",
    "OrchestratorMaintenance",
    "OrchestratorQueries",
    "OrchestratorSessionStats",
    "OrchestratorStore",
    "PricingTable",
    "RetentionPolicy",
    "RunRange",
    "RunRecord",
    "RunSearch",
    "SessionExport",
    "SessionRecord",
    "SessionSearch",
    "SessionsFound",
    "StoreBroken",
    "StoreRefused",
    "StoreUnavailable",
    "Texts",
    "TokenTotals",
    "UsageSummary",
]
