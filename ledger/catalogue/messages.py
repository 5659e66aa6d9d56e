"""Facts about the conversation: turns and the messages in them."""

from typing import Literal

from pydantic import Field

from .base import Count, Fact, Id, Json, JsonObject, Milliseconds, Part

Role = Literal["system", "developer", "user", "assistant", "tool"]
Content = str | list[str | JsonObject] | None


class ToolCall(Part):
    """A call an assistant message asks for; `arguments` as the model wrote it or parsed.

    `id` is the provider's and may come back within a session; `call_id` is the one of `tool.*`.
    """

    id: str
    name: str
    arguments: str | JsonObject = ""
    type: str | None = None
    call_id: Id | None = None


class MessageAppended(Fact, type="message.appended", version=1):
    """A message joined the conversation. Without a `message_id` its event id names it."""

    role: Role
    message_id: Id | None = None
    content: Content = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    is_error: bool | None = None
    reasoning: str | None = None
    thinking_signature: str | None = None
    images: list[Json] | None = None
    turn_id: Id | None = None
    turn_number: Count | None = None
    model: Id | None = None
    finish_reason: str | None = None


class MessageAmended(Fact, type="message.amended", version=1):
    """A message was changed in its place. Absent keeps a field, null clears it."""

    message_id: Id
    content: Content = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    is_error: bool | None = None
    reasoning: str | None = None
    thinking_signature: str | None = None
    images: list[Json] | None = None


class MessageDeleted(Fact, type="message.deleted", version=1):
    """A message left the conversation: trimmed, popped or replaced."""

    message_id: Id
    reason: str | None = None


class MessageStreamed(Fact, type="message.streamed", version=1):
    """A piece of a message that is still being written.

    Pieces with a `message_id` build that message up until `message.appended` settles it.
    """

    delta: str = ""
    message_id: Id | None = None
    role: Role = "assistant"
    kind: Literal["text", "thought", "tool_call_draft"] = "text"
    index: Count | None = None
    tool_name: str | None = None
    args_len: Count | None = None
    count: Count | None = None


class TurnStarted(Fact, type="turn.started", version=1):
    """A user's turn began; it stands even if it is never answered."""

    turn_id: Id
    turn_number: Count | None = None
    user_message: str | None = None
    scenario_before: JsonObject | None = None


class TurnToolCall(Part):
    """A tool call as the summary of a turn lists it."""

    tool_id: str
    tool_name: str
    input: JsonObject = Field(default_factory=dict)
    output: Json = None
    success: bool = True
    error: str | None = None
    latency_ms: Milliseconds | None = None


class TurnFinished(Fact, type="turn.finished", version=1):
    """A turn was answered; everything here besides the answer is for audit."""

    turn_id: Id
    turn_number: Count | None = None
    agent_response: str | None = None
    outcome: Json = None
    canonical_intent: str | None = None
    latency_ms: Milliseconds | None = None
    tokens_used: Count | None = None
    scenario_id: Id | None = None
    step_id: Id | None = None
    scenario_before: JsonObject | None = None
    scenario_after: JsonObject | None = None
    matched_rule_ids: list[str] = Field(default_factory=list)
    matched_rules_count: Count | None = None
    template_ids_used: list[str] = Field(default_factory=list)
    tool_calls: list[TurnToolCall] = Field(default_factory=list)
    tool_executions: list[Json] = Field(default_factory=list)
    enforcement_triggered: bool = False
    enforcement_action: str | None = None
    enforcement_violations: list[Json] = Field(default_factory=list)
    regeneration_attempts: Count | None = None
    scenario_lifecycle_decisions: list[Json] = Field(default_factory=list)
    step_transitions: list[Json] = Field(default_factory=list)


class TurnAnalysed(Fact, type="turn.analysed", version=1):
    """A turn was taken apart into question, small talk and ratings before it was answered."""

    turn_id: Id | None = None
    query_to_answer: str | None = None
    response_to_user: str | None = None
    served_context_ratings: list[Json] = Field(default_factory=list)
    candidate_context_updates: list[Json] = Field(default_factory=list)
    previous_answer_rating: Json = None
