"""What the query port finds sessions, runs and events by. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypedDict

from ledger.arguments import microseconds, natural

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
    tags: Sequence[str]
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
    if not isinstance(provider, str | None):
        raise invalid(f"provider: expected text, got {provider!r}")
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
    if not isinstance(correlation_id, str | None):
        raise invalid(f"correlation_id: expected text, got {correlation_id!r}")
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


def texts(value: Any, name: str) -> frozenset[str] | None:
    """Return texts that are given as one or as several, None for no condition; [] is nothing."""
    listed = [value] if isinstance(value, str) else value
    if listed is None:
        return None
    if not isinstance(listed, list | tuple | set | frozenset):
        raise invalid(f"{name}: expected one or several texts, got {value!r}")
    if len(listed) > NAMES_MAX:
        raise invalid(f"{name}: expected at most {NAMES_MAX}, got {len(listed)}")
    if not all(isinstance(one, str) for one in listed):
        raise invalid(f"{name}: expected texts, got {value!r}")
    return frozenset(listed)


def _between(moment: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or moment >= since) and (until is None or moment <= until)
