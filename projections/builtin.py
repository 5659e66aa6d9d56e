"""The projections that every ledger's views have."""

from __future__ import annotations

from .engine.projection import Projection
from .folds.allowed_actions import ALLOWED_ACTIONS
from .folds.approvals import APPROVALS
from .folds.artifacts import ARTIFACTS
from .folds.consumers import CONSUMERS
from .folds.context import CONTEXT
from .folds.feedback import FEEDBACK
from .folds.graph_context import GRAPH_CONTEXT
from .folds.messages import MESSAGES
from .folds.qa import QA
from .folds.runs import RUNS
from .folds.scenarios import SCENARIOS
from .folds.scripts import SCRIPTS
from .folds.sessions import SESSIONS
from .folds.snapshots import SNAPSHOTS
from .folds.step_visits import STEP_VISITS
from .folds.traces import TRACES
from .folds.turns import TURNS
from .folds.usage import USAGE
from .folds.violations import VIOLATIONS

BUILTIN: tuple[Projection, ...] = (
    SESSIONS,
    RUNS,
    QA,
    FEEDBACK,
    TRACES,
    MESSAGES,
    TURNS,
    USAGE,
    CONTEXT,
    GRAPH_CONTEXT,
    APPROVALS,
    ALLOWED_ACTIONS,
    VIOLATIONS,
    SCENARIOS,
    STEP_VISITS,
    SCRIPTS,
    ARTIFACTS,
    CONSUMERS,
    SNAPSHOTS,
)
