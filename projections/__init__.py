"""What happened means: views of the log, each a struct and a pure fold, rebuilt at will."""

from __future__ import annotations

from .errors import ProjectionFailed, TableMismatch
from .messages import MESSAGES, Message
from .projection import Projection
from .qa import QA, QAEntry
from .runs import RUNS, Run
from .sessions import SESSIONS, Session
from .traces import TRACES, Span
from .views import Views
from .views_async import AsyncViews

__all__ = [
    "MESSAGES",
    "QA",
    "RUNS",
    "SESSIONS",
    "TRACES",
    "AsyncViews",
    "Message",
    "Projection",
    "ProjectionFailed",
    "QAEntry",
    "Run",
    "Session",
    "Span",
    "TableMismatch",
    "Views",
]
