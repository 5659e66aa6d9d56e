"""Facts about a run: one execution of the agent. Which run it is stands in the envelope."""

from typing import Literal

from pydantic import Field

from .base import CostUsd, Count, Fact, Id, Json, JsonObject, Milliseconds, Moment


class RunCreated(Fact, type="run.created", version=1):
    """A run was accepted and waits."""

    parent_run_id: Id | None = None
    agent_id: Id | None = None
    provider: Id | None = None
    model: Id | None = None
    input: Json = None
    metadata: JsonObject = Field(default_factory=dict)
    provider_metadata: JsonObject = Field(default_factory=dict)


class RunStarted(Fact, type="run.started", version=1):
    """A run began to execute; what `run.created` already said need not be repeated."""

    parent_run_id: Id | None = None
    agent_id: Id | None = None
    provider: Id | None = None
    model: Id | None = None
    input: Json = None
    metadata: JsonObject = Field(default_factory=dict)
    provider_metadata: JsonObject = Field(default_factory=dict)


class RunFinished(Fact, type="run.finished", version=1):
    """A run came to its end by itself. Tokens and cost are told by `usage.recorded` alone."""

    output: Json = None
    stop_reason: str | None = None
    provider_metadata: JsonObject = Field(default_factory=dict)


class RunFailed(Fact, type="run.failed", version=1):
    """A run ended in an error; `error` is the failing system's own account, verbatim."""

    error_code: str | None = None
    error_message: str | None = None
    error: JsonObject | None = None
    output: Json = None
    provider_metadata: JsonObject = Field(default_factory=dict)


class RunCancelled(Fact, type="run.cancelled", version=1):
    """A run was stopped from outside."""

    reason: str | None = None


class RunTimedOut(Fact, type="run.timed_out", version=1):
    """A run was stopped because its time was up."""

    timeout_ms: Milliseconds | None = None
    reason: str | None = None


class RunAmended(Fact, type="run.amended", version=1):
    """Fields of a run were set by whoever keeps runs as records. Absent keeps, null clears.

    For importing such records. The status follows from the facts, `status` is for records that
    are kept without rules. `token_usage` replaces the sums of this run, not those of the session.
    """

    status: Literal["pending", "running", "completed", "failed", "cancelled", "timeout"] = "pending"

    input: Json = None
    output: Json = None
    error: JsonObject | None = None
    metadata: JsonObject = Field(default_factory=dict)
    provider: Id | None = None
    provider_metadata: JsonObject = Field(default_factory=dict)
    turn_count: Count = 0
    token_usage: dict[str, Count] = Field(default_factory=dict)
    cost_usd: CostUsd | None = None
    started_at: Moment | None = None
    ended_at: Moment | None = None


class ProgressReported(Fact, type="progress.reported", version=1):
    """Something to show while a run works: a text, or a structured event of the agent's own."""

    kind: Literal["progress", "structured", "subagent"] = "progress"
    text: str | None = None
    name: str | None = None
    data: Json = None
    subagent: str | None = None
