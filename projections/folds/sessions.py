"""One row per session: whose it is, how it stands, what it used.

Rules for facts that do not fit (each is also kept in `anomalies`):
- the first terminal status wins, later ones change nothing, the same one included, unless one
  says that it reopens the session;
- a status that the table below does not foresee is applied all the same;
- a second `session.created` only fills what is still empty;
- a run in a session that nobody has created or forked is counted, and makes the session;
- any first fact makes the session, for creating is optional; one that changes or ends a session or
  a run speaks of it as of something known, and is marked;
- a run's beginning, change or end without a `run_id` changes no run, a start is counted here;
  taking back feedback from neither an answer nor a run changes nothing;
- work after the end is counted, and moves neither `last_activity_at` nor `ended_at`;
- tags, labels and allowed actions beyond their bounds are left out.

A fact has one mark in this row, where several rules hold too. The same status again, archiving and
restoring fit however often they are said: they say what is to be, and it is.

Nobody says "abandoned", it is computed when it is asked for: see `Session.status_at`.

Counts are of facts, not of what is left: a deleted answer was still given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from ledger.events import SESSION_DELETED, Event

from ..engine.projection import Index, Projection, payload
from .anomalies import Anomaly, anomaly
from .bounds import with_changes, with_items, with_names
from .changes import EMPTY, Changes, filled, reached
from .session_labels import UNNAMING, label_from, relabelled
from .session_misfits import JUDGED, misfit
from .session_status import ABANDONED_AFTER_S, TERMINAL, TRANSITIONS, status_at
from .sums import NANO_USD, TOKEN_KINDS, ModelUsage, nano_usd, with_usage

TAGS_MAX = 1_000
LABELS_MAX = 1_000
ALLOWED_ACTIONS_MAX = 1_000

_IDENTITY = (
    "agent_id",
    "owner_id",
    "channel",
    "user_channel_id",
    "customer_profile_id",
    "interlocutor_id",
    "external_id",
    "dataset_id",
    "parent_session_id",
)
_NEWEST = ("last_activity_at", "session_id", "archived_at")
_CARRIED = ("config_version", "metadata", "context")
_FILLED = frozenset({*_IDENTITY, *_CARRIED})


class Session(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A session as its facts say. `agent_id` is None if nobody ever said whose it is.

    `label_source` tells where the label is from: given, question, message or function; without a
    `label_source_id` an earlier one was taken away, and there may be others before this one.
    `model_usage` adds up to the sums of the session; cost is in billionths of a US dollar.
    `created_at` is the time of the first fact; `last_activity_at` stands still after the end.
    """

    tenant: str
    session_id: str
    first_sequence: int
    last_sequence: int
    position: int
    status: str
    status_reason: str | None = None
    agent_id: str | None = None
    owner_id: str | None = None
    channel: str | None = None
    user_channel_id: str | None = None
    customer_profile_id: str | None = None
    interlocutor_id: str | None = None
    external_id: str | None = None
    dataset_id: str | None = None
    parent_session_id: str | None = None
    forked_from: str | None = None
    forked_at_sequence: int | None = None
    config_version: int | None = None
    label: str | None = None
    label_source: str | None = None
    label_source_id: str | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    tags: list[str] = msgspec.field(default_factory=list)
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    context: dict[str, Any] = msgspec.field(default_factory=dict)
    always_allowed_actions: list[str] = msgspec.field(default_factory=list)
    created_sequence: int | None = None
    event_count: int = 0
    message_count: int = 0
    user_message_count: int = 0
    run_count: int = 0
    turn_count: int = 0
    tool_call_count: int = 0
    tool_failure_count: int = 0
    qa_count: int = 0
    trace_count: int = 0
    error_count: int = 0
    feedback_count: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nano_usd: int = 0
    last_model: str | None = None
    model_usage: dict[str, ModelUsage] = msgspec.field(default_factory=dict)
    created_at: datetime
    last_activity_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None
    ended_at: datetime | None = None
    anomaly_count: int = 0
    anomalies: list[Anomaly] = msgspec.field(default_factory=list)

    @property
    def cost_usd(self) -> float:
        """The cost of all usage whose price is known, in US dollars."""
        return self.cost_nano_usd / NANO_USD

    def status_at(self, now: datetime, abandoned_after_s: float = ABANDONED_AFTER_S) -> str:
        """Return "abandoned" if the session was left without an end, else its `status`.

        It is if it is active, idle, processing or interrupted and its last activity is longer ago
        than that many seconds.
        """
        return status_at(self.status, self.last_activity_at, now, abandoned_after_s)


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """Every fact touches its session's row."""
    return () if event.type == SESSION_DELETED else ((event.tenant, event.session_id),)


def apply(session: Session | None, event: Event) -> Session:
    """Return the session after one more fact."""
    return apply_all(session, (event,))


def apply_all(session: Session | None, events: Sequence[Event]) -> Session:
    """Return the session after several more facts, in order; made once, and filled in."""
    new = _new(events[0]) if session is None else msgspec.structs.replace(session)
    active: Event | None = None
    for event in events:
        fold = _FOLDS.get(event.type)
        changes: Changes = {} if fold is None else fold(new, event, payload(event))
        ended = None if new.ended_at is None else new.status
        # Of most facts it is known by their type that they fit a session that goes on.
        if (ended is not None or event.type in JUDGED) and "anomalies" not in changes:
            changes |= misfit(new, event, ended)
        if ended is None:
            active = event
        if changes:
            filled(new, changes)
        force_setattr(new, "event_count", new.event_count + 1)
    stamp = reached(events[-1])
    if active is not None:
        stamp["last_activity_at"] = active.occurred_at
    return filled(new, stamp)


def _new(event: Event) -> Session:
    now = event.occurred_at
    return Session(
        tenant=event.tenant,
        session_id=event.session_id,
        first_sequence=event.sequence,
        last_sequence=event.sequence,
        position=event.position,
        status="pending" if event.type == "session.created" else "active",
        created_at=now,
        last_activity_at=now,
        updated_at=now,
    )


def _created(session: Session, event: Event, data: Changes) -> Changes:
    changes: Changes = {
        name: value
        for name, value in data.items()
        if name in _FILLED and value is not None and getattr(session, name) in EMPTY
    }
    if not session.tags:
        changes["tags"], left_out = with_names([], data.get("tags", ()), TAGS_MAX)
        changes.update(_beyond(session, event, "tags") if left_out else {})
    labels = data.get("labels", {}) | session.labels
    changes["labels"], left_out = with_items({}, labels, LABELS_MAX)
    changes.update(_beyond(session, event, "labels") if left_out else {})
    if data.get("label"):
        changes.update(label_from(session, "given", data["label"], event.event_id))
    if session.created_sequence is not None:
        changes.update(anomaly(session, event, "created before: only what was empty is filled"))
        return changes
    changes["created_sequence"] = event.sequence
    if "status" in data:
        if session.event_count == 0:
            changes.update(_enter(session, event, data["status"]))
        else:
            changes.update(_status(session, event, data))
    return changes


def _rekeyed(session: Session, event: Event, data: Changes) -> Changes:
    return {name: data[name] for name in _IDENTITY if name in data}


def _amended(session: Session, event: Event, data: Changes) -> Changes:
    return {name: data[name] for name in _CARRIED if name in data}


def _status(session: Session, event: Event, data: Changes) -> Changes:
    status = data.get("status")
    if not isinstance(status, str):
        return anomaly(session, event, "ignored, it names no status")
    if session.status in TERMINAL and not data.get("reopens"):
        return anomaly(session, event, f"ignored, the session was {session.status} already")
    changes = _enter(session, event, status)
    changes["status_reason"] = data.get("reason")
    if status != session.status and status not in TRANSITIONS.get(session.status, ()):
        reason = f"applied, {status} does not follow {session.status}"
        changes.update(anomaly(session, event, reason))
    return changes


def _enter(session: Session, event: Event, status: str) -> Changes:
    return {"status": status, "ended_at": event.occurred_at if status in TERMINAL else None}


def _closed(session: Session, event: Event, data: Changes) -> Changes:
    return _status(session, event, {"status": "closed", "reason": data.get("reason")})


def _forked(session: Session, event: Event, data: Changes) -> Changes:
    return {"forked_from": data.get("parent"), "forked_at_sequence": data.get("at")}


def _archived(session: Session, event: Event, data: Changes) -> Changes:
    return {"archived_at": session.archived_at or event.occurred_at}


def _restored(session: Session, event: Event, data: Changes) -> Changes:
    return {"archived_at": None}


def _labelled(session: Session, event: Event, data: Changes) -> Changes:
    changes: Changes = {}
    if data.get("labels"):
        changes["labels"], left_out = with_changes(session.labels, data["labels"], LABELS_MAX)
        changes.update(_beyond(session, event, "labels") if left_out else {})
    return changes | relabelled(session, data, event.event_id)


def _tagged(session: Session, event: Event, data: Changes) -> Changes:
    removed = set(data.get("removed", ()))
    kept = [tag for tag in session.tags if tag not in removed] if removed else session.tags
    tags, left_out = with_names(kept, data.get("added", ()), TAGS_MAX)
    return {"tags": tags} | (_beyond(session, event, "tags") if left_out else {})


def _beyond(session: Session, event: Event, what: str) -> Changes:
    return anomaly(session, event, f"left out what is beyond the bound of {what}")


def _message(session: Session, event: Event, data: Changes) -> Changes:
    changes: Changes = {"message_count": session.message_count + 1}
    if data.get("role") == "user":
        changes["user_message_count"] = session.user_message_count + 1
        source_id = data.get("message_id") or event.event_id
        changes.update(label_from(session, "message", data.get("content"), source_id))
    return changes


def _turn(session: Session, event: Event, data: Changes) -> Changes:
    changes: Changes = {"turn_count": session.turn_count + 1}
    source_id = data.get("turn_id") or event.event_id
    changes.update(label_from(session, "message", data.get("user_message"), source_id))
    return changes


def _qa(session: Session, event: Event, data: Changes) -> Changes:
    changes: Changes = {"qa_count": session.qa_count + 1}
    source_id = data.get("qa_id") or event.event_id
    changes.update(label_from(session, "question", data.get("question"), source_id))
    return changes


def _trace(session: Session, event: Event, data: Changes) -> Changes:
    changes: Changes = {"trace_count": session.trace_count + 1}
    source_id = data.get("step_id") or event.event_id
    name = data.get("origin_function")
    changes.update(label_from(session, "function", name, source_id))
    return changes


def _usage(session: Session, event: Event, data: Changes) -> Changes:
    changes: Changes = {
        kind: getattr(session, kind) + data[kind] for kind in TOKEN_KINDS if data.get(kind)
    }
    changes["cost_nano_usd"] = session.cost_nano_usd + nano_usd(data.get("cost_usd"))
    changes["model_usage"] = with_usage(session.model_usage, data)
    changes["last_model"] = data.get("model") or session.last_model
    if data.get("errored"):
        changes["error_count"] = session.error_count + 1
    return changes


def _approval(session: Session, event: Event, data: Changes) -> Changes:
    action = data.get("action_key")
    if data.get("decision") != "allow_always" or not action:
        return {}
    before = session.always_allowed_actions
    allowed, left_out = with_names(before, [action], ALLOWED_ACTIONS_MAX)
    if left_out:
        return _beyond(session, event, "allowed actions")
    return {"always_allowed_actions": sorted(allowed)} if len(allowed) > len(before) else {}


def _revoked(session: Session, event: Event, data: Changes) -> Changes:
    kept = [key for key in session.always_allowed_actions if key != data.get("action_key")]
    return {"always_allowed_actions": kept}


def _counts(field: str) -> Callable[[Session, Event, Changes], Changes]:
    return lambda session, event, data: {field: getattr(session, field) + 1}


_FOLDS: dict[str, Callable[[Session, Event, Changes], Changes]] = {
    "session.created": _created,
    "session.rekeyed": _rekeyed,
    "session.amended": _amended,
    "session.status_changed": _status,
    "session.closed": _closed,
    "session.forked": _forked,
    "session.archived": _archived,
    "session.restored": _restored,
    "session.labelled": _labelled,
    "session.tagged": _tagged,
    "message.appended": _message,
    "turn.started": _turn,
    "qa.recorded": _qa,
    "trace.appended": _trace,
    # `run.created` alone is a run that has not happened yet.
    "run.started": _counts("run_count"),
    "usage.recorded": _usage,
    "tool.started": _counts("tool_call_count"),
    "tool.failed": _counts("tool_failure_count"),
    "error.occurred": _counts("error_count"),
    "feedback.given": _counts("feedback_count"),
    "approval.decided": _approval,
    "approval.revoked": _revoked,
    **UNNAMING,
}

SESSIONS = Projection(
    name="sessions",
    version=1,
    view=Session,
    key=("tenant", "session_id"),
    keys=keys,
    apply=apply,
    apply_all=apply_all,
    indexes=(
        ("tenant", "last_activity_at", "session_id", "archived_at"),
        ("tenant", "status", "last_activity_at", "session_id", "archived_at"),
        ("tenant", "created_at", "session_id"),
        ("tenant", "cost_nano_usd", "session_id"),
        ("tenant", "input_tokens", "session_id"),
        ("tenant", "output_tokens", "session_id"),
        *(
            Index(("tenant", name, *_NEWEST), present=name)
            for name in _IDENTITY
            if name != "user_channel_id"
        ),
        # An identity of a channel is asked for with its channel, which says whose id it is.
        Index(("tenant", "user_channel_id", "channel", *_NEWEST), present="user_channel_id"),
    ),
    members=("tags", "labels"),
)
