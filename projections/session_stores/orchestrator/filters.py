"""What the query port finds sessions, runs and events by. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

from ledger.arguments import FILTER_BYTES_MAX, microseconds, natural
from ledger.codec import check_text
from ledger.moments import to_microseconds
from ledger.refusals import shown

from .reading import one_or_several
from .records import (
    EVENT_TYPES,
    RUN_STATUSES,
    SESSION_STATUSES,
    EventRecord,
    RunRecord,
    SessionRecord,
    Texts,
    invalid,
)

#: A filter names at most so many sessions, runs or providers.
NAMES_MAX = 1_000


class SessionSearch(TypedDict, total=False):
    """What sessions are found by; of a provider are those that have a run of it, all `tags`."""

    agent_id: str | None
    status: Texts
    provider: Texts
    tags: Sequence[str] | None
    created_after: datetime | None
    created_before: datetime | None
    include_deleted: bool


class RunSearch(TypedDict, total=False):
    """What runs are found by; both ends of a range are in it."""

    session_id: str | None
    provider: Texts
    status: Texts
    started_after: datetime | None
    started_before: datetime | None
    min_tokens: int


class RunRange(TypedDict, total=False):
    """Which runs are added up: those that started in a range, both ends included."""

    session_id: str | None
    provider: str | None
    since: datetime | None
    until: datetime | None


class EventSearch(TypedDict, total=False):
    """What events are found by; both ends of a range of time are in it."""

    session_ids: Texts
    run_ids: Texts
    types: Texts
    providers: Texts
    since: datetime | None
    until: datetime | None
    correlation_id: str | None


def wanted_sessions(
    *,
    status: Texts = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> Callable[[SessionRecord], bool]:
    """Return the test of a session's own fields."""
    statuses = one_or_several(status, "status", SESSION_STATUSES)
    check_range(created_after, created_before, "created_after", "created_before")
    return lambda row: (
        (statuses is None or row.status in statuses)
        and _between(row.created_at, created_after, created_before)
    )


def wanted_runs(
    *,
    provider: Texts = None,
    status: Texts = None,
    started_after: datetime | None = None,
    started_before: datetime | None = None,
    min_tokens: int = 0,
) -> Callable[[RunRecord], bool]:
    """Return the test of a run."""
    statuses = one_or_several(status, "status", RUN_STATUSES)
    providers, least = texts(provider, "provider"), natural(min_tokens, "min_tokens")
    check_range(started_after, started_before, "started_after", "started_before")
    return lambda run: (
        (statuses is None or run.status in statuses)
        and (providers is None or run.provider in providers)
        and run.token_usage.get("total_tokens", 0) >= least
        and _between(run.started_at, started_after, started_before)
    )


def started_runs(
    *, provider: str | None = None, since: datetime | None = None, until: datetime | None = None
) -> Callable[[RunRecord], bool]:
    """Return the test of a run that is added up."""
    text(provider, "provider")
    check_range(since, until, "since", "until")
    return lambda run: provider in (None, run.provider) and _between(run.started_at, since, until)


def wanted_events(
    *,
    run_ids: Texts = None,
    types: Texts = None,
    providers: Texts = None,
    since: datetime | None = None,
    until: datetime | None = None,
    correlation_id: str | None = None,
) -> Callable[[EventRecord], bool]:
    """Return the test of an event."""
    runs, of_providers = texts(run_ids, "run_ids"), texts(providers, "providers")
    of_types = one_or_several(types, "types", EVENT_TYPES)
    text(correlation_id, "correlation_id")
    check_range(since, until, "since", "until")
    return lambda event: (
        (runs is None or event.run_id in runs)
        and (of_types is None or event.type in of_types)
        and (of_providers is None or event.provider in of_providers)
        and correlation_id in (None, event.correlation_id)
        and _between(event.timestamp, since, until)
    )


def check_range(since: datetime | None, until: datetime | None, *names: str) -> None:
    """Refuse ends of a range that are no times with an offset."""
    for name, moment in zip(names, (since, until), strict=True):
        microseconds(moment, name)


def text(value: Any, name: str) -> str | None:
    """Return a text that could be stored, None for no condition."""
    return None if value is None else _text(value, name)


def texts(value: Any, name: str) -> frozenset[str] | None:
    """Return texts that are given as one or as several, None for no condition; [] is nothing."""
    listed = [value] if isinstance(value, str) else value
    if listed is None:
        return None
    if not isinstance(listed, list | tuple | set | frozenset):
        raise invalid(f"{name}: expected one or several texts, got {shown(value)}")
    if len(listed) > NAMES_MAX:
        raise invalid(f"{name}: expected at most {NAMES_MAX}, got {len(listed)}")
    return frozenset(_text(one, name) for one in listed)


def all_of(values: Any, name: str) -> list[str] | None:
    """Return several texts, each once, all of which something has; None for no condition."""
    if isinstance(values, str):
        raise invalid(f"{name}: expected several texts, got {shown(values)}")
    found = texts(values, name)
    return None if found is None else sorted(found)


def remembered(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filters that say something, once they were checked, as a cursor remembers them."""
    return {name: _plain(value) for name, value in sorted(filters.items()) if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_microseconds(value)  # whatever its time zone
    if isinstance(value, str):
        return str.__str__(value)
    return sorted(map(str.__str__, value)) if isinstance(value, Collection) else value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise invalid(f"{name}: expected text, got {shown(value)}")
    # Of an enumeration the value.
    return check_text(str.__str__(value), name, FILTER_BYTES_MAX, empty=True)


def _between(moment: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or moment >= since) and (until is None or moment <= until)
