"""The transcript: one row per message, in the order of `first_sequence`.

Rules: the first `message.appended` of an id stands; pieces that are streamed under an id make a
partial row until then. Changes to a message that is not there change nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ledger.events import Event

from .projection import Projection, payload

# What is streamed beyond this is shown once the whole message is appended.
STREAMED_CHARS_MAX = 1_000_000

Changes = dict[str, Any]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the conversation. `metadata` is the one of its event's envelope.

    `tool_calls` are objects with `id`, `name` and `arguments`, and whatever else was said.
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
    if event.type == "message.appended":
        return _appended(message, event)
    if event.type == "message.streamed":
        return _streamed(message, event)
    if message is None or event.type != "message.amended":
        return None
    data = payload(event)
    return _touched(message, event, {name: data[name] for name in _SAID if name in data})


def _appended(message: Message | None, event: Event) -> Message:
    data = payload(event)
    if message is None:
        message = _new(event)
    elif not message.is_partial:
        return message
    changes: Changes = {name: data.get(name) for name in (*_SAID, *_SAID_ONCE)}
    changes["role"] = data.get("role", message.role)
    for name in _STREAMED_TO.values():
        # A provider may settle with an empty message what it has streamed before.
        changes[name] = changes[name] or getattr(message, name) or changes[name]
    changes["is_partial"] = False
    changes["event_id"] = event.event_id
    changes["metadata"] = event.metadata
    return _touched(message, event, changes)


def _streamed(message: Message | None, event: Event) -> Message:
    if message is None:
        message = msgspec.structs.replace(_new(event), is_partial=True)
    data = payload(event)
    field = _STREAMED_TO.get(data.get("kind", "text"))
    delta = data.get("delta", "")
    if field is None or not message.is_partial:
        return message if not message.is_partial else _touched(message, event, {})
    text = (getattr(message, field) or "") + delta
    return _touched(message, event, {field: text[:STREAMED_CHARS_MAX]})


def _new(event: Event) -> Message:
    data = payload(event)
    return Message(
        tenant=event.tenant,
        session_id=event.session_id,
        message_id=data.get("message_id") or event.event_id,
        event_id=event.event_id,
        first_sequence=event.sequence,
        last_sequence=event.sequence,
        position=event.position,
        role=data.get("role", "assistant"),
        run_id=event.run_id,
        actor=event.actor,
        metadata=event.metadata,
        created_at=event.occurred_at,
        updated_at=event.occurred_at,
    )


def _touched(message: Message, event: Event, changes: Changes) -> Message:
    changes["last_sequence"] = event.sequence
    changes["position"] = event.position
    changes["updated_at"] = event.occurred_at
    return msgspec.structs.replace(message, **changes)


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
_SAID_ONCE = ("turn_id", "turn_number", "model", "finish_reason")
_STREAMED_TO = {"text": "content", "thought": "reasoning"}

MESSAGES = Projection(
    name="messages",
    version=1,
    view=Message,
    key=("tenant", "session_id", "message_id"),
    keys=keys,
    apply=apply,
    indexes=(
        ("tenant", "session_id", "first_sequence"),
        ("tenant", "session_id", "run_id", "first_sequence"),
    ),
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
