"""Facts about how the work was done: flat steps of an agent, and spans that form a tree."""

from pydantic import Field

from .base import Fact, Id, Json, JsonObject, Milliseconds, Moment


class TraceAppended(Fact, type="trace.appended", version=1):
    """An agent finished a step. Without a `step_id` its event id names it; the first one stands."""

    origin_function: str
    status: str
    step_id: Id | None = None
    parent_span_id: Id | None = None
    memory_query: str = ""
    memory_context: str = ""
    method_params: JsonObject = Field(default_factory=dict)
    method_return_value: Json = None
    error_message: str = ""
    session_feedback: str = ""
    latency_ms: Milliseconds | None = None


class SpanStarted(Fact, type="span.started", version=1):
    """A piece of work began, inside `parent_span_id` if given."""

    span_id: Id
    name: str
    parent_span_id: Id | None = None
    kind: Id | None = None
    input: Json = None
    attributes: JsonObject = Field(default_factory=dict)


class SpanFinished(Fact, type="span.finished", version=1):
    """A piece of work ended; with `name` and `started_at` it needs no `span.started`.

    `attributes` are added to those of the start. `status` is "ok" or "error" by convention; left
    out, it is "error" if there is an `error`.
    """

    span_id: Id
    name: str | None = None
    parent_span_id: Id | None = None
    kind: Id | None = None
    started_at: Moment | None = None
    status: str | None = None
    input: Json = None
    output: Json = None
    error: Json = None
    attributes: JsonObject = Field(default_factory=dict)
