"""Facts about tool calls.

`call_id` pairs the facts of one call and is unique in the session. `tool_call_id` is the
provider's, kept for reference: in real transcripts every fourth session repeats one. Providers that
repeat the input when a call ends may say it there, too.
"""

from .base import Fact, Id, Json, Milliseconds


class ToolStarted(Fact, type="tool.started", version=1):
    """A tool was called, with its parsed input, or with the arguments as the model wrote them."""

    call_id: Id
    tool_name: Id
    tool_id: Id | None = None
    tool_call_id: str | None = None
    tool_input: Json = None
    args_json: str | None = None
    parent_span_id: Id | None = None
    turn_id: Id | None = None


class ToolProgressed(Fact, type="tool.progressed", version=1):
    """A running tool handed out a part of its result."""

    call_id: Id
    tool_call_id: str | None = None
    content: Json = None
    is_partial: bool = True


class ToolFinished(Fact, type="tool.finished", version=1):
    """A tool returned."""

    call_id: Id
    tool_name: Id | None = None
    tool_call_id: str | None = None
    tool_input: Json = None
    tool_output: Json = None
    summary: str | None = None
    details: Json = None
    latency_ms: Milliseconds | None = None


class ToolFailed(Fact, type="tool.failed", version=1):
    """A tool call ended without a result: it raised, timed out, or was `denied` and never ran."""

    call_id: Id
    tool_name: Id | None = None
    tool_call_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    denied: bool = False
    tool_input: Json = None
    tool_output: Json = None
    summary: str | None = None
    details: Json = None
    latency_ms: Milliseconds | None = None
