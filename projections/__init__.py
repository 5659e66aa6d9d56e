"""What happened means: views of the log, each a struct and a pure fold, rebuilt at will."""

from __future__ import annotations

from .allowed_actions import ALLOWED_ACTIONS, AllowedAction
from .approvals import APPROVALS, Approval
from .artifacts import ARTIFACTS, Artifact
from .consumers import CONSUMERS, Consumer
from .context import CONTEXT, ContextEntry
from .errors import ProjectionFailed, TableMismatch
from .graph_context import GRAPH_CONTEXT, GraphContext
from .messages import MESSAGES, Message
from .projection import Projection
from .qa import QA, QAEntry
from .runs import RUNS, Run
from .scenario_positions import ScenarioPosition
from .scenarios import SCENARIOS, Scenario
from .scripts import SCRIPTS, Script
from .sessions import SESSIONS, Session
from .step_visits import STEP_VISITS, StepVisit
from .traces import TRACES, Span
from .transcripts import TranscriptCall, TranscriptLine
from .turns import TURNS, Turn
from .usage import USAGE, Usage
from .usage_totals import UsageTotal
from .views import Views
from .views_async import AsyncViews
from .violations import VIOLATIONS, Violation

__all__ = [
    "ALLOWED_ACTIONS",
    "APPROVALS",
    "ARTIFACTS",
    "CONSUMERS",
    "CONTEXT",
    "GRAPH_CONTEXT",
    "MESSAGES",
    "QA",
    "RUNS",
    "SCENARIOS",
    "SCRIPTS",
    "SESSIONS",
    "STEP_VISITS",
    "TRACES",
    "TURNS",
    "USAGE",
    "VIOLATIONS",
    "AllowedAction",
    "Approval",
    "Artifact",
    "AsyncViews",
    "Consumer",
    "ContextEntry",
    "GraphContext",
    "Message",
    "Projection",
    "ProjectionFailed",
    "QAEntry",
    "Run",
    "Scenario",
    "ScenarioPosition",
    "Script",
    "Session",
    "Span",
    "StepVisit",
    "TableMismatch",
    "TranscriptCall",
    "TranscriptLine",
    "Turn",
    "Usage",
    "UsageTotal",
    "Views",
    "Violation",
]
