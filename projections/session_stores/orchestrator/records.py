"""What an orchestrator saves and gets back: sessions, runs, events and results of executions."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from ledger.catalogue.base import COST_USD_MAX, COUNT_MAX
from ledger.codec import check_json, check_text
from ledger.limits import ID_BYTES_MAX, SESSION_ID_BYTES_MAX
from ledger.refusals import shown
from ledger.visible_text import safe

from ...folds.sessions import TAGS_MAX
from ...folds.sums import OTHER_KINDS_MAX
from ..unfit import UNFIT
from .errors import StoreRefused

Texts = str | Sequence[str] | None

R = TypeVar("R", bound=msgspec.Struct)
T = TypeVar("T")
Text = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=0, le=COUNT_MAX)]
Moment = Annotated[datetime, Meta(tz=True)]

SESSION_STATUSES = ("pending", "active", "paused", "completed", "failed", "cancelled")
RUN_STATUSES = ("pending", "running", "completed", "failed", "cancelled", "timeout")
EVENT_TYPES = (
    *(f"session_{one}" for one in ("created", "started", "paused", "resumed")),
    *(f"session_{one}" for one in ("completed", "failed", "cancelled")),
    *(f"run_{one}" for one in ("started", "completed", "failed", "cancelled", "timeout")),
    *(f"message_{one}" for one in ("sent", "received", "streamed")),
    *(f"tool_call_{one}" for one in ("started", "completed", "failed")),
    *("error_occurred", "error_recovered", "token_usage_updated", "turn_completed"),
    *("workspace_snapshot_taken", "workspace_diff_computed", "policy_violation"),
    *(f"tool_approval_{one}" for one in ("requested", "granted", "denied")),
)


def new_id(prefix: str) -> str:
    """Return an id: the prefix, an underscore and 32 hexadecimal digits.

    Milliseconds since 1970 first, so that what is made together lies together in every index:
    wholly random ids touch a page of it each, which took a quarter of the time of a batch.
    """
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"


def _now() -> datetime:
    return datetime.now(UTC)


def _session_id() -> str:
    return new_id("ses")


def _run_id() -> str:
    return new_id("run")


def _event_id() -> str:
    return new_id("evt")


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A session as an orchestrator keeps it; `deleted_at` marks one that is softly deleted.

    `updated_at` is the time of the change that is saved, the moment of saving if it is left out.
    `agent_id` is "" for a session that others began and gave no agent, and for no other.
    """

    id: Text = msgspec.field(default_factory=_session_id)
    agent_id: str
    status: str = "pending"
    parent_session_id: Text | None = None
    metadata: Mapping[str, Any] = msgspec.field(default_factory=dict)
    context: Mapping[str, Any] = msgspec.field(default_factory=dict)
    tags: Annotated[Sequence[str], Meta(max_length=TAGS_MAX)] = msgspec.field(default_factory=list)
    created_at: Moment = msgspec.field(default_factory=_now)
    updated_at: Moment | None = None
    deleted_at: Moment | None = None


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run as an orchestrator keeps it; `started_at` is when it was made, by the caller's clock."""

    id: Text = msgspec.field(default_factory=_run_id)
    session_id: Text
    status: str = "pending"
    input: Any = None
    output: Any = None
    error: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] = msgspec.field(default_factory=dict)
    turn_count: Count = 0
    token_usage: Annotated[Mapping[str, Count], Meta(max_length=OTHER_KINDS_MAX)] = msgspec.field(
        default_factory=dict
    )
    cost_usd: Annotated[float, Meta(ge=0, le=COST_USD_MAX)] | None = None
    started_at: Moment = msgspec.field(default_factory=_now)
    ended_at: Moment | None = None
    provider: str | None = None
    provider_metadata: Mapping[str, Any] = msgspec.field(default_factory=dict)


class EventRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event of an orchestrator, of one of 28 types; `sequence_number` is the store's to give."""

    id: Text = msgspec.field(default_factory=_event_id)
    type: str
    session_id: Text
    timestamp: Moment = msgspec.field(default_factory=_now)
    run_id: str | None = None
    data: Mapping[str, Any] = msgspec.field(default_factory=dict)
    metadata: Mapping[str, Any] = msgspec.field(default_factory=dict)
    sequence_number: int | None = None
    schema_version: int = 1
    provider: str | None = None
    correlation_id: str | None = None


class ExecutionResult(msgspec.Struct, frozen=True, kw_only=True):
    """What `flush` keeps as one; `provider_metadata` is added to that of the run."""

    session: SessionRecord
    run: RunRecord
    events: Sequence[EventRecord] = ()
    provider_metadata: Mapping[str, Any] = msgspec.field(default_factory=dict)


#: The fields of records that hold JSON. Not an event's data: the ledger looks through it anyway, and to
#: do so twice takes a fifth of the time of appending many.
_JSON: dict[type[msgspec.Struct], tuple[str, ...]] = {
    SessionRecord: ("metadata", "context"),
    RunRecord: ("input", "output", "error", "metadata", "token_usage", "provider_metadata"),
    EventRecord: ("metadata",),
}


def check_session(session: SessionRecord) -> SessionRecord:
    """Return a session that may be saved."""
    checked = _checked(session, SessionRecord)
    if checked.status not in SESSION_STATUSES:
        raise _unknown("invalid_status", "status", SESSION_STATUSES, checked.status)
    return checked


def check_run(run: RunRecord) -> RunRecord:
    """Return a run that may be saved."""
    checked = _checked(run, RunRecord)
    if checked.status not in RUN_STATUSES:
        raise _unknown("invalid_status", "status", RUN_STATUSES, checked.status)
    return checked


def check_event(event: EventRecord) -> EventRecord:
    """Return an event that may be appended."""
    checked = _checked(event, EventRecord)
    check_text(checked.id, "id", ID_BYTES_MAX)
    check_text(checked.session_id, "session_id", SESSION_ID_BYTES_MAX)
    if checked.type not in EVENT_TYPES:
        raise _unknown("invalid_event_type", "type", EVENT_TYPES, checked.type)
    return checked


def check_result(result: ExecutionResult) -> ExecutionResult:
    """Return a result that may be flushed."""
    if not isinstance(result, ExecutionResult):
        raise invalid("invalid execution_result payload")
    told = result.provider_metadata
    if not isinstance(told, Mapping):
        raise invalid(f"provider_metadata: expected a mapping, got {shown(told)}")
    check_json(told, "provider_metadata")
    events = list(map(check_event, _several(result.events)))
    session, run = check_session(result.session), check_run(result.run)
    if {run.session_id, *(event.session_id for event in events)} != {session.id}:
        raise StoreRefused("session_mismatch", f"expected everything to be of {shown(session.id)}")
    run = msgspec.structs.replace(run, provider_metadata={**run.provider_metadata, **told})
    return ExecutionResult(session=session, run=run, events=events)


def check_events(events: Sequence[EventRecord]) -> list[EventRecord]:
    """Return events that may be appended."""
    return list(map(check_event, _several(events)))


def same(one: Any, other: Any) -> bool:
    """Whether two values are kept as the same JSON; 1, 1.0 and True are equal and yet not it."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def converted(given: Mapping[str, Any], type: type[T]) -> T:
    """Return values by name as a type that they fit."""
    try:
        return msgspec.convert(given, type)
    except msgspec.ValidationError as error:
        raise invalid(str(error)) from error
    except UnicodeEncodeError as error:  # it encodes text even where it expects none
        names = [name for name, value in given.items() if value is error.object]
        raise invalid(": ".join([*names, "lone surrogate in text"])) from error
    except UNFIT as error:
        raise _not_converted(given, type) from error


def missing(code: str, what: str, id: str) -> StoreRefused:
    """Return the refusal of what is not there, in one line; an id that nothing can have is cut off."""
    named = id[:SESSION_ID_BYTES_MAX]
    return StoreRefused(code, f"{what} not found: {safe(named)}{'' if named == id else '…'}")


def invalid(message: str) -> StoreRefused:
    """Return the refusal of what breaks a rule."""
    return StoreRefused("validation_error", message)


def _unknown(code: str, field: str, known: Sequence[str], given: str) -> StoreRefused:
    return StoreRefused(code, f"{field}: expected one of {', '.join(known)}, got {shown(given)}")


def _not_converted(given: Mapping[str, Any], type: Any) -> StoreRefused:
    """Return the refusal of the first value that msgspec raises an error of Python's for."""
    for field in msgspec.structs.fields(type):
        try:
            msgspec.convert(given[field.name], field.type)
        except UNFIT:
            return invalid(f"{field.name}: expected another type, got {shown(given[field.name])}")
    return invalid(f"cannot be a {type.__name__}")


def _several(events: Any) -> Sequence[Any]:
    if isinstance(events, str | bytes | bytearray) or not isinstance(events, Sequence):
        raise invalid(f"expected a list of events, got {shown(events)}")
    return events


def _checked(record: Any, model: type[R]) -> R:
    # A frozen struct is not validated when it is made.
    if not isinstance(record, model):
        raise invalid(f"expected {model.__name__}, got {shown(record)}")
    given = msgspec.structs.asdict(record)
    for name in _JSON[model]:
        if given[name]:
            # Before anybody walks through it: what has no bottom would end in a RecursionError.
            check_json(given[name], name)
    return converted(given, model)
