"""The projections that every ledger's views have."""

from __future__ import annotations

from .allowed_actions import ALLOWED_ACTIONS
from .approvals import APPROVALS
from .artifacts import ARTIFACTS
from .consumers import CONSUMERS
from .context import CONTEXT
from .feedback import FEEDBACK
from .graph_context import GRAPH_CONTEXT
from .messages import MESSAGES
from .projection import Projection
from .qa import QA
from .runs import RUNS
from .scenarios import SCENARIOS
from .scripts import SCRIPTS
from .sessions import SESSIONS
from .snapshots import SNAPSHOTS
from .step_visits import STEP_VISITS
from .traces import TRACES
from .turns import TURNS
from .usage import USAGE
from .violations import VIOLATIONS

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
