"""An orchestrator's sessions, runs and events, with the queries and the upkeep around them."""

from __future__ import annotations

from .errors import StoreBroken, StoreRefused, StoreUnavailable
from .maintenance import OrchestratorMaintenance
from .maintenance_async import AsyncOrchestratorMaintenance
from .queries import OrchestratorQueries
from .queries_async import AsyncOrchestratorQueries
from .query_plans import OrchestratorSessionStats, SessionExport, SessionsFound
from .records import EventRecord, ExecutionResult, RunRecord, SessionRecord
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
    "ExecutionResult",
    "MaintenanceReport",
    "OrchestratorMaintenance",
    "OrchestratorQueries",
    "OrchestratorSessionStats",
    "OrchestratorStore",
    "PricingTable",
    "RetentionPolicy",
    "RunRecord",
    "SessionExport",
    "SessionRecord",
    "SessionsFound",
    "StoreBroken",
    "StoreRefused",
    "StoreUnavailable",
    "TokenTotals",
    "UsageSummary",
]
