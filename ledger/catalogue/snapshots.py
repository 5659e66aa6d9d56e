"""Facts about states that were kept to return to."""

from typing import Literal

from pydantic import Field

from .base import Count, Fact, Id, Json, JsonObject, Part, Sequence


class RunState(Part):
    """Where the loop of an agent stands between two calls of the model."""

    turn_tool_calls: Count = 0
    run_has_tool_calls: bool = False
    reasoning_only_strikes: Count = 0
    empty_response_strikes: Count = 0
    nudge_count: Count = 0
    thinking_disabled_for_rest_of_run: bool = False
    original_thinking_enabled: bool | None = None
    truncation_strikes: Count = 0


class CheckpointSaved(Fact, type="checkpoint.saved", version=1):
    """A run can be resumed from here; which fields are set depends on the `step`."""

    step: Literal["after_user_input", "before_llm", "before_tool_calls", "after_tool_calls"]
    checkpoint_id: Id | None = None
    user_input: Json = None
    messages: list[JsonObject] = Field(default_factory=list)
    tools: list[JsonObject] = Field(default_factory=list)
    tool_calls: list[JsonObject] = Field(default_factory=list)
    results: list[Json] = Field(default_factory=list)
    turn_count: Count | None = None


class SnapshotSaved(Fact, type="snapshot.saved", version=1):
    """A state was kept under `name`; an earlier one of that name is replaced.

    `through_sequence` is the last event the state reflects.
    """

    name: Id
    state: Json = None
    run_state: RunState | None = None
    total_tool_calls: Count | None = None
    through_sequence: Sequence | None = None


class SnapshotRestored(Fact, type="snapshot.restored", version=1):
    """The session was set back to a kept state."""

    name: Id


class SnapshotDeleted(Fact, type="snapshot.deleted", version=1):
    """A kept state was thrown away."""

    name: Id
