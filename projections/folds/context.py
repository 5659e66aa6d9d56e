"""One row per entry of guidance that a session has learned, in the order of `first_sequence`.

An entry that is put again is replaced whole, except for its place and how often it was served.
Ratings are differences. Rules for facts that do not fit (each is also kept in `anomalies`):
- changes and ratings of an entry that is not there change nothing;
- a counter that would fall below nothing stays at nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from ledger.events import Event

from ..engine.projection import Projection, payload
from .anomalies import Anomaly, anomaly, carried
from .changes import Changes, reached


class ContextEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A piece of guidance; `kind` is "context" unless it was put as something else.

    `confidence` is from 0 to 1. `created_at` and `last_served_at` are as put, if they were;
    `served_count` counts the facts. With `missing_since` there is no such entry, only anomalies.
    """

    tenant: str
    session_id: str
    context_id: str
    first_sequence: int
    last_sequence: int
    position: int
    run_id: str | None = None
    kind: str = "context"
    section: str | None = None
    context_profile: str | None = None
    content: str | None = None
    normalized_content: str | None = None
    confidence: float | None = None
    helpful_count: int = 0
    harmful_count: int = 0
    source_feedback_ids: list[str] = msgspec.field(default_factory=list)
    source_trace_ids: list[str] = msgspec.field(default_factory=list)
    priority: float | None = None
    extra: dict[str, Any] = msgspec.field(default_factory=dict)
    served_count: int = 0
    last_served_qa_id: str | None = None
    created_at: datetime
    updated_at: datetime
    last_served_at: datetime | None = None
    missing_since: datetime | None = None
    anomaly_count: int = 0
    anomalies: list[Anomaly] = msgspec.field(default_factory=list)


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """A fact touches the entries it names."""
    data = payload(event)
    named = data.get("context_ids", ()) if event.type in _MANY else (data.get("context_id"),)
    return tuple(
        (event.tenant, event.session_id, context_id)
        for context_id in dict.fromkeys(named)
        if isinstance(context_id, str)
    )


def apply(entry: ContextEntry | None, event: Event) -> ContextEntry | None:
    """Return the entry after one more fact, None if there is none or no longer."""
    data = payload(event)
    if event.type == "context.put":
        return _put(entry, event, data)
    if event.type in _REMOVING:
        return _gone(entry, event)
    if entry is None or entry.missing_since is not None:
        if event.type in _MANY:
            return entry
        missing = entry or _new(event, data["context_id"], missing_since=event.occurred_at)
        return _touched(missing, event, anomaly(missing, event, "ignored, there is no such entry"))
    return _touched(entry, event, _FOLDS[event.type](entry, event, data))


def _gone(entry: ContextEntry | None, event: Event) -> ContextEntry | None:
    """Return what is left: nothing, or the anomalies alone."""
    if entry is None or not entry.anomaly_count:
        return None
    since = entry.missing_since or event.occurred_at
    gone = _new(event, entry.context_id, missing_since=since, **carried(entry))
    return msgspec.structs.replace(
        gone, first_sequence=entry.first_sequence, created_at=entry.created_at
    )


def _touched(entry: ContextEntry, event: Event, changes: Changes) -> ContextEntry:
    return msgspec.structs.replace(
        entry,
        **reached(event),
        **changes,
    )


def _new(event: Event, context_id: str, **told: Any) -> ContextEntry:
    return ContextEntry(
        tenant=event.tenant,
        session_id=event.session_id,
        context_id=context_id,
        first_sequence=event.sequence,
        last_sequence=event.sequence,
        position=event.position,
        run_id=event.run_id,
        created_at=told.pop("created_at", event.occurred_at),
        updated_at=event.occurred_at,
        **told,
    )


def _put(before: ContextEntry | None, event: Event, data: Changes) -> ContextEntry:
    said = _values({name: data[name] for name in _PUT if data.get(name) is not None})
    entry = _new(event, data["context_id"], **said, **carried(before))
    if before is None or before.missing_since is not None:
        return entry
    return msgspec.structs.replace(
        entry, first_sequence=before.first_sequence, served_count=before.served_count
    )


def _amended(entry: ContextEntry, event: Event, data: Changes) -> Changes:
    return _values({name: data[name] for name in _AMENDED if name in data})


def _values(said: Changes) -> Changes:
    for name in ("created_at", "last_served_at"):
        if name in said:
            said[name] = datetime.fromisoformat(said[name])
    for name in ("confidence", "priority"):
        if said.get(name) is not None:
            said[name] = float(said[name])
    return said


def _rated(entry: ContextEntry, event: Event, data: Changes) -> Changes:
    helpful = entry.helpful_count + data.get("helpful_delta", 0)
    harmful = entry.harmful_count + data.get("harmful_delta", 0)
    changes: Changes = {"helpful_count": max(0, helpful), "harmful_count": max(0, harmful)}
    if min(helpful, harmful) < 0:
        changes |= anomaly(entry, event, "applied, as far as down to nothing")
    return changes


def _served(entry: ContextEntry, event: Event, data: Changes) -> Changes:
    return {
        "served_count": entry.served_count + 1,
        "last_served_at": event.occurred_at,
        "last_served_qa_id": data.get("qa_id"),
    }


_REMOVING = frozenset({"context.deleted", "content.redacted"})
_MANY = frozenset({"context.served", *_REMOVING})
_AMENDED = (
    "section",
    "context_profile",
    "content",
    "normalized_content",
    "confidence",
    "source_feedback_ids",
    "source_trace_ids",
    "priority",
    "extra",
)
_PUT = ("kind", *_AMENDED, "helpful_count", "harmful_count", "created_at", "last_served_at")
_FOLDS: dict[str, Callable[[ContextEntry, Event, Changes], Changes]] = {
    "context.amended": _amended,
    "context.rated": _rated,
    "context.served": _served,
}

CONTEXT = Projection(
    name="context",
    version=1,
    view=ContextEntry,
    key=("tenant", "session_id", "context_id"),
    keys=keys,
    apply=apply,
    types=frozenset({"context.put", *_MANY, *_FOLDS}),
)
