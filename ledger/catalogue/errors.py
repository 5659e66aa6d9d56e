"""Facts about things that went wrong."""

from pydantic import Field

from .base import Fact, Id, JsonObject, Part


class ProviderError(Part):
    """What the provider itself said; `kind` is its own word."""

    provider: str
    kind: str | None = None
    message: str | None = None
    exit_code: int | None = None
    stderr: str | None = None
    truncated: bool | None = None


class ErrorOccurred(Fact, type="error.occurred", version=1):
    """Something failed without necessarily ending the run."""

    error_message: str
    error_code: Id | None = None
    details: JsonObject = Field(default_factory=dict)
    provider_error: ProviderError | None = None
    stacktrace: list[str] | None = None
    context: JsonObject = Field(default_factory=dict)
    retryable: bool | None = None


class ErrorRecovered(Fact, type="error.recovered", version=1):
    """An error was overcome; `error_event_id` says which, if it is known."""

    error_event_id: Id | None = None
    error_code: Id | None = None
    recovery: str | None = None
