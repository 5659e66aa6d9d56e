"""The transcript: one row per message, in the order of `first_sequence`.

Pieces that are streamed under an id make a partial row until `message.appended` settles it. Rules
for facts that do not fit (each is also kept in `anomalies`):
- the first `message.appended` of an id stands, a later one and later pieces change nothing;
- changes and deletions of a message that is not there change nothing;
- a piece of a message that was amended to a list of parts changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ledger.events import Event

from ..engine.projection import Projection, payload
from .anomalies import Anomaly, anomaly, carried
from .changes import Changes, filled, reached

# What is streamed beyond this is shown once the whole message is appended. Each piece copies what
# is there already, so the bound is also what keeps a long stream from costing its square.
STREAMED_CHARS_MAX = 200_000


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message of the conversation. `metadata` is the one of its event's envelope.

    `tool_calls` are objects with `id`, `name` and `arguments`, and whatever else was said. With
    `missing_since` there is no such message, only anomalies, and its role is "".
    """

    tenant: str
    session_id: str
    message_id: str
    event_id: str
    first_sequence: int
    last_sequence: int
    position: int
    role: str
    content: Any = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    is_error: bool | None = None
    reasoning: str | None = None
    thinking_signature: str | None = None
    images: list[Any] | None = None
    is_partial: bool = False
    run_id: str | None = None
    turn_id: str | None = None
    turn_number: int | None = None
    model: str | None = None
    finish_reason: str | None = None
    actor: str | None = None
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    created_at: datetime
    updated_at: datetime
    missing_since: datetime | None = None
    anomaly_count: int = 0
    anomalies: list[Anomaly] = msgspec.field(default_factory=list)


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    """A fact touches the message it names; an appended one without a name is its event's."""
    data = payload(event)
    if event.type == "content.redacted":
        named = dict.fromkeys(data.get("message_ids", ()))
        return tuple((event.tenant, event.session_id, message_id) for message_id in named)
    message_id = data.get("message_id")
    if message_id is None and event.type == "message.appended" and "role" in data:
        message_id = event.event_id
    return () if message_id is None else ((event.tenant, event.session_id, message_id),)


def apply(message: Message | None, event: Event) -> Message | None:
    """Return the message after one more fact, None if there is none or no longer."""
    if event.type in _SAYING:
        return _said(message, event)
    if event.type == "content.redacted":
        return _gone(message, event)
    if message is None or message.missing_since is not None:
        missing = message or _new(event, {"missing_since": event.occurred_at})
        told = anomaly(missing, event, "ignored, there is no such message")
        return _touched(missing, event, told)
    if event.type == "message.deleted":
        return _gone(message, event)
    data = payload(event)
    return _touched(message, event, {name: data[name] for name in _SAID if name in data})


def _gone(message: Message | None, event: Event) -> Message | None:
    """Return what is left: nothing, or the anomalies alone."""
    if message is None or not message.anomaly_count:
        return None
    since = message.missing_since or event.occurred_at
    return msgspec.structs.replace(
        _new(event, {"missing_since": since} | carried(message)),
        message_id=message.message_id,
        first_sequence=message.first_sequence,
        created_at=message.created_at,
    )


def _said(message: Message | None, event: Event) -> Message:
    appended = event.type == "message.appended"
    if message is None or message.missing_since is not None:
        data = payload(event)
        told = {name: data[name] for name in data if name in _OF_APPENDED} if appended else {}
        told |= {"role": data.get("role", "assistant"), "is_partial": not appended}
        message = _new(event, told | carried(message))
        return message if appended else _streamed(message, event)
    if not message.is_partial:
        return _touched(message, event, anomaly(message, event, "ignored, it was appended before"))
    return _appended(message, event) if appended else _streamed(message, event)


def _appended(message: Message, event: Event) -> Message:
    data = payload(event)
    changes: Changes = {name: data.get(name) for name in _APPENDED}
    changes["role"] = data.get("role", message.role)
    for name in _STREAMED_TO.values():
        # A provider may settle with an empty message what it has streamed before.
        changes[name] = changes[name] or getattr(message, name) or changes[name]
    changes["is_partial"] = False
    changes["event_id"] = event.event_id
    changes["metadata"] = event.metadata
    return _touched(message, event, changes)


def _streamed(message: Message, event: Event) -> Message:
    data = payload(event)
    field = _STREAMED_TO.get(data.get("kind", "text"))
    if field is None:
        return _touched(message, event, {})
    before = getattr(message, field) or ""
    if not isinstance(before, str):  # it was amended to parts, and the piece is of none of them
        return _touched(message, event, anomaly(message, event, "ignored, the message is no text"))
    room = STREAMED_CHARS_MAX - len(before)
    if room <= 0:
        return _touched(message, event, {})
    return _touched(message, event, {field: before + data.get("delta", "")[:room]})


def _new(event: Event, told: Changes) -> Message:
    now = event.occurred_at
    new = Message(
        tenant=event.tenant,
        session_id=event.session_id,
        message_id=payload(event).get("message_id") or event.event_id,
        event_id=event.event_id,
        first_sequence=event.sequence,
        last_sequence=event.sequence,
        position=event.position,
        role="",
        run_id=event.run_id,
        actor=event.actor,
        metadata=event.metadata,
        created_at=now,
        updated_at=now,
    )
    return filled(new, told)


def _touched(message: Message, event: Event, changes: Changes) -> Message:
    return msgspec.structs.replace(message, **changes, **reached(event))


_SAYING = frozenset({"message.appended", "message.streamed"})
_SAID = (
    "content",
    "name",
    "tool_calls",
    "tool_call_id",
    "is_error",
    "reasoning",
    "thinking_signature",
    "images",
)
_APPENDED = (*_SAID, "turn_id", "turn_number", "model", "finish_reason")
_OF_APPENDED = frozenset(_APPENDED)
_STREAMED_TO = {"text": "content", "thought": "reasoning"}

MESSAGES = Projection(
    name="messages",
    version=1,
    view=Message,
    key=("tenant", "session_id", "message_id"),
    keys=keys,
    apply=apply,
    indexes=(
        ("tenant", "session_id", "first_sequence", "message_id"),
        ("tenant", "session_id", "run_id", "first_sequence", "message_id"),
    ),
    searchable=("content",),
    types=frozenset(
        {
            "message.appended",
            "message.streamed",
            "message.amended",
            "message.deleted",
            "content.redacted",
        }
    ),
)
