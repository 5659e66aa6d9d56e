"""One row per question and answer, as it reads after every amendment.

Rules: the first recording of an id stands until it is deleted; changes to an id that is not there
change nothing; a new score makes the feedback weights apply again, a text alone does not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from ledger.events import Event

from .projection import Projection, payload

WEIGHTS_APPLIED = "feedback_weights_applied"
FLAGS_MAX = 1_000

Changes = dict[str, Any]


class QAEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An answered question. `context` None and "" differ; empty flags and id lists are None."""

    tenant: str
    session_id: str
    qa_id: str
    first_sequence: int
    last_sequence: int
    position: int
    run_id: str | None = None
    user_id: str | None = None
    question: str
    answer: str
    context: str | None = None
    feedback_text: str | None = None
    feedback_score: int | None = None
    used_graph_element_ids: dict[str, list[str]] | None = None
    used_session_context_ids: list[str] | None = None
    memify_metadata: dict[str, bool] | None = None
    created_at: datetime
    updated_at: datetime


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """A fact touches the entry it names; a redaction may name many."""
    data = payload(event)
    named = data.get("qa_ids", ()) if event.type == "content.redacted" else (data.get("qa_id"),)
    return tuple(
        (event.tenant, event.session_id, qa_id)
        for qa_id in dict.fromkeys(named)
        if isinstance(qa_id, str)
    )


def apply(qa: QAEntry | None, event: Event) -> QAEntry | None:
    """Return the entry after one more fact, None if there is none or no longer."""
    if event.type == "qa.recorded":
        return _recorded(event) if qa is None else qa
    if qa is None or event.type in _REMOVING:
        return None
    fold = _FOLDS.get(event.type)
    if fold is None:
        return qa
    changes = fold(qa, payload(event))
    return msgspec.structs.replace(
        qa,
        last_sequence=event.sequence,
        position=event.position,
        updated_at=event.occurred_at,
        **changes,
    )


def _recorded(event: Event) -> QAEntry:
    data = payload(event)
    return QAEntry(
        tenant=event.tenant,
        session_id=event.session_id,
        qa_id=data["qa_id"],
        first_sequence=event.sequence,
        last_sequence=event.sequence,
        position=event.position,
        run_id=event.run_id,
        user_id=data.get("user_id"),
        question=data.get("question", ""),
        answer=data.get("answer", ""),
        context=data.get("context"),
        feedback_text=data.get("feedback_text"),
        feedback_score=data.get("feedback_score"),
        used_graph_element_ids=data.get("used_graph_element_ids") or None,
        used_session_context_ids=data.get("used_session_context_ids") or None,
        memify_metadata=data.get("memify_metadata") or None,
        created_at=event.occurred_at,
        updated_at=event.occurred_at,
    )


def _amended(qa: QAEntry, data: Changes) -> Changes:
    changes: Changes = {name: data[name] for name in _REPLACED if name in data}
    changes |= {name: data[name] or None for name in _EMPTY_IS_NONE if name in data}
    if "memify_metadata" in data:
        changes["memify_metadata"] = _flags(qa.memify_metadata, data["memify_metadata"])
    return changes


def _flags(
    before: dict[str, bool] | None, patch: dict[str, bool | None] | None
) -> dict[str, bool] | None:
    if patch is None:
        return None
    merged = (before or {}) | patch
    kept = {name: value for name, value in merged.items() if value is not None}
    return dict(list(kept.items())[:FLAGS_MAX]) or None


def _feedback(qa: QAEntry, data: Changes) -> Changes:
    changes: Changes = {}
    if data.get("text") is not None:
        changes["feedback_text"] = data["text"]
    if data.get("score") is not None:
        changes["feedback_score"] = data["score"]
        changes["memify_metadata"] = (qa.memify_metadata or {}) | {WEIGHTS_APPLIED: False}
    return changes


def _feedback_cleared(qa: QAEntry, data: Changes) -> Changes:
    return {"feedback_text": None, "feedback_score": None}


_REPLACED = ("question", "answer", "context", "feedback_text", "feedback_score")
_EMPTY_IS_NONE = ("used_graph_element_ids", "used_session_context_ids")
_REMOVING = frozenset({"qa.deleted", "content.redacted"})

_FOLDS: dict[str, Callable[[QAEntry, Changes], Changes]] = {
    "qa.amended": _amended,
    "feedback.given": _feedback,
    "feedback.cleared": _feedback_cleared,
}

QA = Projection(
    name="qa",
    version=1,
    view=QAEntry,
    key=("tenant", "session_id", "qa_id"),
    keys=keys,
    apply=apply,
    indexes=(("tenant", "session_id", "first_sequence"),),
    types=frozenset({"qa.recorded", *_REMOVING, *_FOLDS}),
)
