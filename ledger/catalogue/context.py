"""Facts about the guidance a session has learned, and its snapshot of a knowledge graph."""

from typing import Annotated, Literal

from pydantic import Field

from .base import COUNT_MAX, Count, Fact, Fraction, Id, JsonObject, Moment

Delta = Annotated[int, Field(ge=-COUNT_MAX, le=COUNT_MAX)]


class ContextPut(Fact, type="context.put", version=1):
    """An entry was written whole; one with the same id is replaced and keeps its place."""

    context_id: Id
    kind: Id = "context"
    section: str | None = None
    context_profile: Literal["qa", "agent"] | None = None
    content: str | None = None
    normalized_content: str | None = None
    confidence: Fraction | None = None
    helpful_count: Count = 0
    harmful_count: Count = 0
    source_feedback_ids: list[str] = Field(default_factory=list)
    source_trace_ids: list[str] = Field(default_factory=list)
    priority: float | None = None
    created_at: Moment | None = None
    last_served_at: Moment | None = None
    extra: JsonObject = Field(default_factory=dict)


class ContextAmended(Fact, type="context.amended", version=1):
    """Fields of an entry were changed. Absent keeps a field, null clears it."""

    context_id: Id
    section: str | None = None
    context_profile: Literal["qa", "agent"] | None = None
    content: str | None = None
    normalized_content: str | None = None
    confidence: Fraction | None = None
    source_feedback_ids: list[str] = Field(default_factory=list)
    source_trace_ids: list[str] = Field(default_factory=list)
    priority: float | None = None
    extra: JsonObject = Field(default_factory=dict)


class ContextRated(Fact, type="context.rated", version=1):
    """An entry helped or did harm; differences, so that concurrent ratings all count."""

    context_id: Id
    helpful_delta: Delta = 0
    harmful_delta: Delta = 0


class ContextServed(Fact, type="context.served", version=1):
    """Entries were shown to the model, for the answer `qa_id` if known."""

    context_ids: list[Id]
    qa_id: Id | None = None


class ContextDeleted(Fact, type="context.deleted", version=1):
    """Entries were removed."""

    context_ids: list[Id]
    reason: str | None = None


class GraphContextSet(Fact, type="graph_context.set", version=1):
    """The session's snapshot of the graph was replaced; null removes it."""

    content: str | None
