"""What sessions are called once what they were called after is gone. Plans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ledger.plans import Plan

from ...folds.qa import QAEntry
from ...folds.session_labels import cut, is_uncertain
from ...folds.sessions import Session
from ...folds.traces import Span
from .core import QACore

#: So many rows are read at once until one can be a label, which nearly always the first can.
ROWS_AT_ONCE = 10
#: The rows of so many sessions are read at once: they come with all that was answered and returned.
SESSIONS_AT_ONCE = 100


def labels_of(core: QACore, rows: Sequence[Session]) -> Plan[list[str | None]]:
    """Return of each session the first question that is not empty, else the first step's function.

    Their rows say so, and nothing is read, unless something was taken away from a session. What has
    to be read is read of all of them at once.
    """
    unknown = [row for row in rows if _is_unknown(row)]
    asked = [row.session_id for row in unknown if row.qa_count > 0]
    found = yield from _first_of_each(core, asked, "qa", core.views.qa_after, _question)
    traced = [
        row.session_id for row in unknown if row.trace_count > 0 and row.session_id not in found
    ]
    found |= yield from _first_of_each(core, traced, "traces", core.views.steps_after, _function)
    return [found.get(row.session_id, row.label) for row in rows]


def _is_unknown(row: Session) -> bool:
    has_rows = row.qa_count > 0 or row.trace_count > 0
    return is_uncertain(row) or (row.label is None and has_rows)


def _question(entry: QAEntry) -> str | None:
    return cut(entry.question)


def _function(span: Span) -> str | None:
    return cut(span.name) if span.source == "step" else None


def _first_of_each(
    core: QACore,
    session_ids: Sequence[str],
    view: str,
    read_after: Callable[..., Any],
    label_of: Callable[[Any], str | None],
) -> Plan[dict[str, str]]:
    """Return the first label that a view has of each session; of one without any, nothing."""
    found: dict[str, str] = {}
    for start in range(0, len(session_ids), SESSIONS_AT_ONCE):
        some = session_ids[start : start + SESSIONS_AT_ONCE]
        read: dict[str, dict[str, list[Any]]] = yield core.views.together_many(
            some, (view,), tenant=core.tenant, limit=ROWS_AT_ONCE
        )
        for session_id in some:
            rows = read[session_id][view]
            label = _first(rows, label_of)
            while label is None and len(rows) == ROWS_AT_ONCE:
                rows = yield read_after(
                    session_id, rows[-1].first_sequence, tenant=core.tenant, limit=ROWS_AT_ONCE
                )
                label = _first(rows, label_of)
            if label is not None:
                found[session_id] = label
    return found


def _first(rows: Sequence[Any], label_of: Callable[[Any], str | None]) -> str | None:
    return next((label for label in map(label_of, rows) if label is not None), None)
