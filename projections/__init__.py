"""What happened means: views of the log, each a struct and a pure fold, rebuilt at will."""

from __future__ import annotations

from .allowed_actions import ALLOWED_ACTIONS, AllowedAction
from .anomalies import Anomaly
from .anomaly_lists import MarkedFact
from .approvals import APPROVALS, Approval
from .artifacts import ARTIFACTS, Artifact
from .comparing import RowDifference, VersionComparison, VersionsApart
from .consumer_lags import ConsumerLag
from .consumers import CONSUMERS, Consumer
from .context import CONTEXT, ContextEntry
from .daemon import Daemon
from .errors import ProjectionFailed, RebuildInterrupted, TableMismatch, VersionDropped, ViewsBehind
from .feedback import FEEDBACK, Feedback
from .graph_context import GRAPH_CONTEXT, GraphContext
from .health import BucketLag, Status, ViewStatus
from .history_differences import Difference
from .listing_cursors import ViewPage
from .messages import MESSAGES, Message
from .projection import Index, Projection
from .qa import QA, QAEntry
from .rebuild import Rebuild
from .rebuild_reports import RebuildProgress, RebuildReport
from .runs import RUNS, Run
from .scenario_positions import ScenarioPosition
from .scenarios import SCENARIOS, Scenario
from .scripts import SCRIPTS, Script
from .search import SearchHit
from .session_lists import SessionStats
from .sessions import SESSIONS, Session
from .snapshots import SNAPSHOTS, Snapshot
from .span_trees import SpanNode
from .step_visits import STEP_VISITS, StepVisit
from .stops import Failure, Skip
from .traces import TRACES, Span
from .transcripts import TranscriptCall, TranscriptLine
from .turns import TURNS, Turn
from .usage import USAGE, Usage
from .usage_totals import UsageTotal
from .versions import FoldChanged, ViewVersion
from .views import Views
from .views_async import AsyncViews
from .violations import VIOLATIONS, Violation
from .waiting import Answer

__all__ = [
    "ALLOWED_ACTIONS",
    "APPROVALS",
    "ARTIFACTS",
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
    "AsyncViews",
    "BucketLag",
    "Consumer",
    "ConsumerLag",
    "ContextEntry",
    "Daemon",
    "Difference",
    "Failure",
    "Feedback",
    "FoldChanged",
    "GraphContext",
    "Index",
    "MarkedFact",
    "Message",
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
    "SessionStats",
    "Skip",
    "Snapshot",
    "Span",
    "SpanNode",
    "Status",
    "StepVisit",
    "TableMismatch",
    "TranscriptCall",
    "TranscriptLine",
    "Turn",
    "Usage",
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
