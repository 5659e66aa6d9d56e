"""The projections that every ledger's views have."""

from __future__ import annotations

from .messages import MESSAGES
from .projection import Projection
from .qa import QA
from .runs import RUNS
from .sessions import SESSIONS
from .traces import TRACES

BUILTIN: tuple[Projection, ...] = (SESSIONS, RUNS, QA, TRACES, MESSAGES)
