"""Facts about the upkeep of the store, and about what auditors want kept."""

from typing import Literal

from pydantic import Field

from .base import Count, Fact, Id, Json, Milliseconds, Sequence


class StorePruned(Fact, type="store.pruned", version=1):
    """Old data was removed by a policy; an account of it, the removing is done by other facts."""

    scope: Literal["tenant", "session", "policy"] = "policy"
    sessions_soft_deleted: Count = 0
    sessions_hard_deleted: Count = 0
    events_pruned: Count = 0
    artifacts_cleaned: Count = 0
    orphaned_sequences_cleaned: Count = 0
    duration_ms: Milliseconds | None = None
    errors: list[str] = Field(default_factory=list)


class ContentRedacted(Fact, type="content.redacted", version=1):
    """What is listed must not be shown or used any more: every view drops these rows.

    Whoever redacts has followed what depends on what: answers that drew on a deleted document,
    lessons learned from them, later answers that used the lessons, and traces. Messages, steps and
    feedback without an id of their own are named by their event id; `sequences` are the events
    behind it. Feedback on an answer or a run does not go with it, for it is somebody's own word:
    it is listed by its own id among the `context_ids`, and its copies in the rows of the answer
    and the run go with those.
    """

    reason: str | None = None
    deleted_element_ids: list[str] = Field(default_factory=list)
    sequences: list[Sequence] = Field(default_factory=list)
    qa_ids: list[Id] = Field(default_factory=list)
    message_ids: list[Id] = Field(default_factory=list)
    run_ids: list[Id] = Field(default_factory=list)
    span_ids: list[Id] = Field(default_factory=list)
    context_ids: list[Id] = Field(default_factory=list)


class AuditRecorded(Fact, type="audit.recorded", version=1):
    """Something an auditor should find, in the words of the system that reports it."""

    name: Id
    data: Json = None
    turn_id: Id | None = None
