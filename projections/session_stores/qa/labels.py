"""What a session is called once what it was called after is gone. Plans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ledger.plans import Plan

from ...folds.qa import QAEntry
from ...folds.session_labels import cut, is_uncertain
from ...folds.sessions import Session
from ...folds.traces import Span
from .core import QACore

#: So many rows are read at once until one can be a label, which nearly always the first can.
ROWS_AT_ONCE = 10


def label_of(core: QACore, row: Session) -> Plan[str | None]:
    """Return the first question of a session that is not empty, else the first step's function.

    Its row says so, and nothing is read, unless something was taken away from the session.
    """
    has_rows = row.qa_count > 0 or row.trace_count > 0
    if not (is_uncertain(row) or (row.label is None and has_rows)):
        return row.label

    def answers(after: int) -> Any:
        return core.views.qa_after(row.session_id, after, tenant=core.tenant, limit=ROWS_AT_ONCE)

    def steps(after: int) -> Any:
        return core.views.steps_after(row.session_id, after, tenant=core.tenant, limit=ROWS_AT_ONCE)

    question = yield from _first(answers, lambda one: one.question)
    if question is not None:
        return question
    function = yield from _first(steps, lambda one: one.name)
    return row.label if function is None else function


def _first(read: Callable[[int], Any], text: Callable[[Any], str | None]) -> Plan[str | None]:
    after = 0
    while True:
        rows: list[QAEntry] | list[Span] = yield read(after)
        for one in rows:
            label = cut(text(one))
            if label is not None:
                return label
        if len(rows) < ROWS_AT_ONCE:
            return None
        after = rows[-1].first_sequence
