"""What a question-and-answer store takes and hands out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ledger import InvalidArgument
from ledger.limits import NESTING_DEPTH_MAX
from ledger.refusals import shown

from ...folds.qa import QAEntry
from ...folds.traces import Span
from .ids import Place


class Stored(msgspec.Struct, frozen=True):
    """What was stored: its id, and its sequence in the session."""

    id: str
    sequence: int


class SessionQAEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An answered question. `context` None and "" differ; `user_id` None is nobody's.

    `sequence` is its place in the session. `feedback_score` is from 1 to 5. Empty id lists and
    flags are None.
    """

    qa_id: str
    session_id: str
    user_id: str | None
    sequence: int
    created_at: datetime
    question: str
    answer: str
    context: str | None = None
    feedback_text: str | None = None
    feedback_score: int | None = None
    used_graph_element_ids: dict[str, list[str]] | None = None
    used_session_context_ids: list[str] | None = None
    memify_metadata: dict[str, bool] | None = None


class SessionQAUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change of an answer: UNSET keeps, None clears (not question and answer).

    Flags are merged one by one, a None removes one; None as a whole removes all. An empty dict or
    list of used ids clears them too.
    """

    question: str | UnsetType = UNSET
    answer: str | UnsetType = UNSET
    context: str | UnsetType | None = UNSET
    feedback_text: str | UnsetType | None = UNSET
    feedback_score: int | UnsetType | None = UNSET
    used_graph_element_ids: dict[str, list[str]] | UnsetType | None = UNSET
    used_session_context_ids: list[str] | UnsetType | None = UNSET
    memify_metadata: dict[str, bool | None] | UnsetType | None = UNSET

    @classmethod
    def keeping_none(cls, **given: Any) -> SessionQAUpdate:
        """Return the update of those for whom None means to keep."""
        return cls(**{name: value for name, value in given.items() if value is not None})

    def changes(self) -> dict[str, Any]:
        """Return what is to change, by field."""
        found = {name: getattr(self, name) for name in self.__struct_fields__}
        found = {name: lists(value, name) for name, value in found.items() if value is not UNSET}
        # Merging no flags changes none.
        return {name: one for name, one in found.items() if (name, one) != ("memify_metadata", {})}


class SessionTraceStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of an agent; `status` is free. Without a `trace_id` it gets one.

    Without `session_feedback` it says that the function succeeded, if the status is success,
    succeeded or ok, and else that it failed, with the error. `sequence` and `created_at` are set by
    the store.
    """

    origin_function: str
    status: str
    trace_id: str | None = None
    memory_query: str = ""
    memory_context: str = ""
    method_params: Mapping[str, Any] = msgspec.field(default_factory=dict)
    method_return_value: Any = None
    error_message: str = ""
    session_feedback: str = ""
    sequence: int = 0
    created_at: datetime | None = None


def entry_of(row: QAEntry, place: Place) -> SessionQAEntry:
    """Return an answered question as its session's owner knows it."""
    return SessionQAEntry(
        session_id=place.session_id,
        user_id=place.user_id,
        sequence=row.first_sequence,
        qa_id=row.qa_id,
        created_at=row.created_at,
        question=row.question,
        answer=row.answer,
        context=row.context,
        feedback_text=row.feedback_text,
        feedback_score=row.feedback_score,
        used_graph_element_ids=row.used_graph_element_ids,
        used_session_context_ids=row.used_session_context_ids,
        memify_metadata=row.memify_metadata,
    )


def step_of(row: Span) -> SessionTraceStep:
    """Return a step as it was saved."""
    said = {
        name: row.attributes[name]
        for name in ("memory_query", "memory_context", "session_feedback")
        if name in row.attributes
    }
    return SessionTraceStep(
        trace_id=row.own_id,
        origin_function=row.name or "",
        status=row.status,
        method_params=row.input or {},
        method_return_value=row.output,
        error_message=row.error or "",
        sequence=row.first_sequence,
        created_at=row.created_at,
        **said,
    )


def lists(value: Any, field: str, depth: int = 0) -> Any:
    """Return a field's value in which tuples are lists and mappings dicts, as JSON has them."""
    if depth > NESTING_DEPTH_MAX:
        # At once: what is in itself twice has more places of this depth than anybody can look at.
        raise InvalidArgument(field, f"nested deeper than {NESTING_DEPTH_MAX}, or in itself")
    if isinstance(value, Mapping):
        return {name: lists(one, field, depth + 1) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [lists(one, field, depth + 1) for one in value]
    return value


def several(given: Any, name: str) -> list[Any]:
    """Return what is given as a list; a text is one thing, and not several."""
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise InvalidArgument(name, f"expected several, got {shown(given)}")
    return list(given)


def checked_last(last_n: Any) -> int | None:
    """Return how many of the last are asked for; None is all."""
    if last_n is None:
        return None
    if type(last_n) is not int or last_n < 0:
        raise InvalidArgument("last_n", f"expected None or an int, 0 or more, got {shown(last_n)}")
    return last_n
