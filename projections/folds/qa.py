"""One row per question and answer, as it reads after every amendment.

A new score makes the feedback weights apply again, a text alone does not. Rules for facts that do
not fit (each is also kept in `anomalies`):
- the first recording of an id stands until it is deleted, a second one changes nothing;
- changes, feedback and deletions of an answer that is not there change nothing;
- flags beyond FLAGS_MAX are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from ledger.events import Event

from ..engine.projection import Index, Projection, payload
from .anomalies import Anomaly, anomaly, carried
from .bounds import with_items
from .changes import Changes, filled, reached

WEIGHTS_APPLIED = "feedback_weights_applied"
FLAGS_MAX = 1_000


class QAEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An answered question. `context` None and "" differ; empty flags and id lists are None.

    `feedback_score` is from 1 to 5. With `missing_since` there is no such answer, only anomalies.
    """

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
    missing_since: datetime | None = None
    anomaly_count: int = 0
    anomalies: list[Anomaly] = msgspec.field(default_factory=list)


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """A fact touches the entry it names; a redaction may name many."""
    data = payload(event)
    if event.type != "content.redacted":
        named = data.get("qa_id")
        return ((event.tenant, event.session_id, named),) if isinstance(named, str) else ()
    return tuple(
        (event.tenant, event.session_id, qa_id)
        for qa_id in dict.fromkeys(data.get("qa_ids", ()))
        if isinstance(qa_id, str)
    )


def apply(qa: QAEntry | None, event: Event) -> QAEntry | None:
    """Return the entry after one more fact, None if there is none or no longer."""
    if event.type == "qa.recorded" and (qa is None or qa.missing_since is not None):
        return _recorded(qa, event)
    if event.type == "content.redacted":
        return _gone(qa, event)
    if qa is None or qa.missing_since is not None:
        missing = qa or _row(event, {"missing_since": event.occurred_at})
        return _touched(missing, event, anomaly(missing, event, "ignored, there is no such answer"))
    if event.type == "qa.deleted":
        return _gone(qa, event)
    fold = _FOLDS[event.type]
    return _touched(qa, event, fold(qa, event, payload(event)))


def _gone(qa: QAEntry | None, event: Event) -> QAEntry | None:
    """Return what is left: nothing, or the anomalies alone."""
    if qa is None or not qa.anomaly_count:
        return None
    since = qa.missing_since or event.occurred_at
    return msgspec.structs.replace(
        _row(event, {"missing_since": since} | carried(qa)),
        qa_id=qa.qa_id,
        first_sequence=qa.first_sequence,
        created_at=qa.created_at,
    )


def _touched(qa: QAEntry, event: Event, changes: Changes) -> QAEntry:
    return msgspec.structs.replace(qa, **reached(event), **changes)


def _row(event: Event, told: Changes) -> QAEntry:
    now = event.occurred_at
    new = QAEntry(
        tenant=event.tenant,
        session_id=event.session_id,
        qa_id=payload(event).get("qa_id", ""),
        first_sequence=event.sequence,
        last_sequence=event.sequence,
        position=event.position,
        run_id=event.run_id,
        question="",
        answer="",
        created_at=now,
        updated_at=now,
    )
    return filled(new, told)


def _recorded(missing: QAEntry | None, event: Event) -> QAEntry:
    data = payload(event)
    told = {name: data[name] for name in (*_REPLACED, "user_id") if name in data}
    told |= {name: data.get(name) or None for name in (*_EMPTY_IS_NONE, "memify_metadata")}
    return _row(event, told | carried(missing))


def _recorded_again(qa: QAEntry, event: Event, data: Changes) -> Changes:
    return anomaly(qa, event, "ignored, it was recorded before")


def _amended(qa: QAEntry, event: Event, data: Changes) -> Changes:
    changes: Changes = {name: data[name] for name in _REPLACED if name in data}
    changes |= {name: data[name] or None for name in _EMPTY_IS_NONE if name in data}
    if "memify_metadata" in data:
        changes |= _flagged(qa, event, data["memify_metadata"])
    return changes


def _flagged(qa: QAEntry, event: Event, patch: dict[str, bool | None] | None) -> Changes:
    if patch is None:
        return {"memify_metadata": None}
    given = {name: value for name, value in patch.items() if value is not None}
    kept = qa.memify_metadata or {}
    if len(given) < len(patch):
        kept = {name: flag for name, flag in kept.items() if patch.get(name, flag) is not None}
    flags, left_out = with_items(kept, given, FLAGS_MAX)
    changes: Changes = {"memify_metadata": flags or None}
    if left_out:
        changes |= anomaly(qa, event, "left out what is beyond the bound of flags")
    return changes


def _feedback(qa: QAEntry, event: Event, data: Changes) -> Changes:
    changes: Changes = {}
    if data.get("text") is not None:
        changes["feedback_text"] = data["text"]
    if data.get("score") is not None:
        changes["feedback_score"] = data["score"]
        changes |= _flagged(qa, event, {WEIGHTS_APPLIED: False})
    return changes


def _feedback_cleared(qa: QAEntry, event: Event, data: Changes) -> Changes:
    return {"feedback_text": None, "feedback_score": None}


_REPLACED = ("question", "answer", "context", "feedback_text", "feedback_score")
_EMPTY_IS_NONE = ("used_graph_element_ids", "used_session_context_ids")

_FOLDS: dict[str, Callable[[QAEntry, Event, Changes], Changes]] = {
    "qa.recorded": _recorded_again,
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
    indexes=(
        ("tenant", "session_id", "first_sequence", "qa_id", "missing_since"),
        ("tenant", "created_at", "session_id", "qa_id", "missing_since"),
        *(
            Index(
                ("tenant", name, "created_at", "session_id", "qa_id", "missing_since"), present=name
            )
            for name in ("user_id", "run_id")
        ),
    ),
    searchable=("question", "answer"),
    types=frozenset({"qa.deleted", "content.redacted", *_FOLDS}),
)
