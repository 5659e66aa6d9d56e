"""What happened means: views of the log, each a struct and a pure fold, rebuilt at will."""

from __future__ import annotations

from .builtin import BUILTIN
from .engine.comparing import RowDifference, VersionComparison, VersionsApart
from .engine.consumer_lags import ConsumerLag
from .engine.daemon import Daemon
from .engine.handling.handlers import Handler
from .engine.handling.reports import HandlingReport
from .engine.health import BucketLag, Status, ViewStatus
from .engine.projection import Index, Projection
from .engine.rebuild import Rebuild
from .engine.rebuild_reports import RebuildProgress, RebuildReport
from .engine.stops import Failure, Skip
from .engine.versions import FoldChanged, ViewVersion
from .engine.waiting import Answer, Places
from .errors import (
    HandlerFailed,
    HandlerSuperseded,
    ProjectionFailed,
    RebuildInterrupted,
    TableMismatch,
    VersionDropped,
    ViewsBehind,
)
from .folds.allowed_actions import ALLOWED_ACTIONS, AllowedAction
from .folds.anomalies import Anomaly
from .folds.approvals import APPROVALS, Approval
from .folds.artifacts import ARTIFACTS, Artifact
from .folds.consumers import CONSUMERS, Consumer
from .folds.context import CONTEXT, ContextEntry
from .folds.feedback import FEEDBACK, Feedback
from .folds.graph_context import GRAPH_CONTEXT, GraphContext
from .folds.messages import MESSAGES, Message
from .folds.qa import QA, QAEntry
from .folds.runs import RUNS, Run
from .folds.scenarios import SCENARIOS, Scenario
from .folds.scripts import SCRIPTS, Script
from .folds.sessions import SESSIONS, Session
from .folds.snapshots import SNAPSHOTS, Snapshot
from .folds.step_visits import STEP_VISITS, StepVisit
from .folds.sums import ModelUsage
from .folds.traces import TRACES, Span
from .folds.turns import TURNS, Turn
from .folds.usage import USAGE, Usage
from .folds.violations import VIOLATIONS, Violation
from .handlers import Handlers
from .handlers_async import AsyncHandlers
from .readers.anomaly_lists import MarkedFact
from .readers.consistency import Consistency
from .readers.history_differences import Difference
from .readers.history_places import Moment
from .readers.listing_cursors import ViewPage
from .readers.listing_queries import Statuses
from .readers.rows_at_head import AtHead, Decide
from .readers.scenario_positions import ScenarioPosition
from .readers.search import SearchHit
from .readers.session_lists import SessionFilters, SessionOrder, SessionStats
from .readers.span_trees import SpanNode
from .readers.transcripts import TranscriptCall, TranscriptLine
from .readers.usage_totals import UsageBy, UsageTotal
from .views import Views
from .views_async import AsyncViews

__all__ = [
    "ALLOWED_ACTIONS",
    "APPROVALS",
    "ARTIFACTS",
    "BUILTIN",
    "CONSUMERS",
    "CONTEXT",
    "FEEDBACK",
    "GRAPH_CONTEXT",
    "MESSAGES",
    "QA",
    "RUNS",
    "SCENARIOS",
    "SCRIPTS",
    "SESSIONS",
    "SNAPSHOTS",
    "STEP_VISITS",
    "TRACES",
    "TURNS",
    "USAGE",
    "VIOLATIONS",
    "AllowedAction",
    "Anomaly",
    "Answer",
    "Approval",
    "Artifact",
    "AsyncHandlers",
    "AsyncViews",
    "AtHead",
    "BucketLag",
    "Consistency",
    "Consumer",
    "ConsumerLag",
    "ContextEntry",
    "Daemon",
    "Decide",
    "Difference",
    "Failure",
    "Feedback",
    "FoldChanged",
    "GraphContext",
    "Handler",
    "HandlerFailed",
    "HandlerSuperseded",
    "Handlers",
    "HandlingReport",
    "Index",
    "MarkedFact",
    "Message",
    "ModelUsage",
    "Moment",
    "Places",
    "Projection",
    "ProjectionFailed",
    "QAEntry",
    "Rebuild",
    "RebuildInterrupted",
    "RebuildProgress",
    "RebuildReport",
    "RowDifference",
    "Run",
    "Scenario",
    "ScenarioPosition",
    "Script",
    "SearchHit",
    "Session",
    "SessionFilters",
    "SessionOrder",
    "SessionStats",
    "Skip",
    "Snapshot",
    "Span",
    "SpanNode",
    "Status",
    "Statuses",
    "StepVisit",
    "TableMismatch",
    "TranscriptCall",
    "TranscriptLine",
    "Turn",
    "Usage",
    "UsageBy",
    "UsageTotal",
    "VersionComparison",
    "VersionDropped",
    "VersionsApart",
    "ViewPage",
    "ViewStatus",
    "ViewVersion",
    "Views",
    "ViewsBehind",
    "Violation",
]
