"""The error codes that an orchestrator knows, on errors that also say what the caller can do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from ledger import (
    AppendTimeout,
    BackendUnavailable,
    CallError,
    EventIdReused,
    InvalidArgument,
    InvalidCursor,
    InvalidEvent,
    LedgerError,
    OutcomeUnknown,
    RetryableError,
    StopError,
)
from ledger.plans import Plan, arun, run

T = TypeVar("T")

#: Code -> category; those of the taxonomy that a store can answer with.
CATEGORIES = {
    "validation_error": "validation",
    "invalid_status": "state",
    "invalid_transition": "state",
    "invalid_event_type": "state",
    "invalid_cursor": "state",
    "session_mismatch": "state",
    "session_not_found": "resource",
    "run_not_found": "resource",
    "already_exists": "resource",
    "storage_error": "storage",
    "storage_connection_failed": "storage",
    "timeout": "runtime",
}


class _Coded:
    code: str

    @property
    def category(self) -> str:
        """The group of codes that this one belongs to."""
        return CATEGORIES[self.code]


class StoreRefused(_Coded, CallError):
    """Change the call, as its `code` says; nothing was stored."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"[{code}] {message}.")


class StoreUnavailable(_Coded, RetryableError):
    """Repeat the call later; event ids and whole records make that safe."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"[{code}] {message}")


class StoreBroken(_Coded, StopError):
    """Do what the message says at its end: repeating or changing the call is no help."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"[{code}] {message}")

    def __str__(self) -> str:
        return self.problem


@contextmanager
def coded() -> Iterator[None]:
    """Give what the ledger raises inside the code that an orchestrator knows it by."""
    try:
        yield
    except (StoreRefused, StoreUnavailable, StoreBroken):
        raise
    except InvalidCursor as error:
        raise StoreRefused("invalid_cursor", error.problem.rstrip(".")) from error
    except (InvalidEvent, InvalidArgument) as error:
        raise StoreRefused("validation_error", error.problem.rstrip(".")) from error
    except EventIdReused as error:
        raise StoreRefused("already_exists", error.problem.rstrip(".")) from error
    except AppendTimeout as error:
        raise StoreUnavailable("timeout", error.problem) from error
    except (BackendUnavailable, OutcomeUnknown) as error:
        raise StoreUnavailable("storage_connection_failed", error.problem) from error
    except RetryableError as error:
        raise StoreUnavailable("storage_error", error.problem) from error
    except LedgerError as error:
        raise StoreBroken("storage_error", str(error)) from error


def answer(plan: Plan[T]) -> T:
    """Drive a plan over a ledger for threads; its errors have codes."""
    try:
        return run(plan)
    except LedgerError:
        with coded():  # only then: it takes 1 µs, a tenth of reading a session
            raise


async def answer_async(plan: Plan[T]) -> T:
    """Drive a plan over a ledger for tasks; its errors have codes."""
    try:
        return await arun(plan)
    except LedgerError:
        with coded():
            raise
