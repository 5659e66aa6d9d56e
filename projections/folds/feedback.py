"""One row per piece of feedback, as it was given, in the order of `first_sequence`.

What the judged answer or run makes of it is in their own views; a score that is cleared there was
still given, and stays here. Feedback without an id of its own goes by its event's. Rule for facts
that do not fit (each is also kept in `anomalies`): the first of an id stands.

A deletion and a redaction name feedback among their `context_ids`. One that names only the judged
answer or run leaves its feedback here, words included: whoever redacts lists all that must go.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ledger.events import Event

from ..engine.projection import Projection, payload
from .anomalies import Anomaly, anomaly


class Feedback(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Somebody's judgement of the answer `qa_id` or of the run `judged_run_id`, or of neither.

    `score` is from 1 to 5, `reward` free in sign and size, `given_by` the actor of the fact.
    """

    tenant: str
    session_id: str
    feedback_id: str
    first_sequence: int
    last_sequence: int
    position: int
    run_id: str | None = None
    qa_id: str | None = None
    judged_run_id: str | None = None
    score: int | None = None
    reward: float | None = None
    text: str | None = None
    raw_text: str | None = None
    rating: Any = None
    referenced_qa_ids: list[str] = msgspec.field(default_factory=list)
    referenced_qa_rating: Any = None
    influencing_context_ids: list[str] = msgspec.field(default_factory=list)
    candidate_updates: list[dict[str, Any]] = msgspec.field(default_factory=list)
    source: str | None = None
    given_by: str | None = None
    created_at: datetime
    anomaly_count: int = 0
    anomalies: list[Anomaly] = msgspec.field(default_factory=list)


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """A fact touches the feedback it names; a deletion or redaction may name many."""
    data = payload(event)
    if event.type == "feedback.given":
        given = data.get("feedback_id") or event.event_id
        return ((event.tenant, event.session_id, given),) if data else ()
    named = dict.fromkeys(data.get("context_ids", ()))
    return tuple((event.tenant, event.session_id, one) for one in named)


def apply(feedback: Feedback | None, event: Event) -> Feedback | None:
    """Return the feedback after one more fact, None if it is gone."""
    if event.type != "feedback.given":
        return None
    if feedback is not None:
        return msgspec.structs.replace(
            feedback,
            last_sequence=event.sequence,
            position=event.position,
            **anomaly(feedback, event, "ignored, it was given before"),
        )
    data = payload(event)
    said = {name: data[name] for name in _SAID if data.get(name) is not None}
    reward = data.get("reward")
    return Feedback(
        tenant=event.tenant,
        session_id=event.session_id,
        feedback_id=data.get("feedback_id") or event.event_id,
        first_sequence=event.sequence,
        last_sequence=event.sequence,
        position=event.position,
        run_id=event.run_id,
        judged_run_id=data.get("run_id") or (None if data.get("qa_id") else event.run_id),
        reward=None if reward is None else float(reward),
        given_by=event.actor,
        created_at=event.occurred_at,
        **said,
    )


_SAID = (
    *("qa_id", "score", "text", "raw_text", "rating", "referenced_qa_ids"),
    *("referenced_qa_rating", "influencing_context_ids", "candidate_updates", "source"),
)

FEEDBACK = Projection(
    name="feedback",
    version=1,
    view=Feedback,
    key=("tenant", "session_id", "feedback_id"),
    keys=keys,
    apply=apply,
    indexes=(("tenant", "session_id", "first_sequence"),),
    types=frozenset({"feedback.given", "context.deleted", "content.redacted"}),
)
