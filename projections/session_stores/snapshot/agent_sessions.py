"""agent-base's session as a value: who it is, what was said, where the agent's loop stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from ledger import InvalidArgument, InvalidEvent, new_event_id
from ledger.arguments import natural
from ledger.codec import check_json
from ledger.visible_text import shown

from ...readers.arguments import instance
from ..unfit import UNFIT
from .chat_messages import (
    TOOL_CALL_CLOSED,
    ChatMessage,
    check_order,
    dangling_calls,
    listed,
    system_prefix,
)

if TYPE_CHECKING:
    from .bases import Base


_BASE = "_base"
#: What would come back as text, so that a session that was just saved differs from the stored one.
_NO_JSON = (bytes, bytearray, memoryview, datetime, date, time, timedelta, Decimal)


class SessionId(msgspec.Struct, frozen=True):
    """A session's id, text or a number, and another system's name for it, by which it is found too."""

    id: str
    external_id: str | None = None

    def __post_init__(self) -> None:
        given: Any = self.id
        if isinstance(given, int | UUID) and not isinstance(given, bool):
            msgspec.structs.force_setattr(self, "id", str(self.id))
        given = self.external_id
        if isinstance(given, UUID):
            msgspec.structs.force_setattr(self, "external_id", str(given))

    @classmethod
    def new(cls, external_id: str | None = None) -> SessionId:
        """Return an id that nobody has: a UUIDv7, which no restart of a counter repeats."""
        return cls(new_event_id(), external_id)

    def __str__(self) -> str:
        return self.id if self.external_id is None else f"{self.id}({self.external_id})"


class RunState(msgspec.Struct, frozen=True, kw_only=True):
    """Where the loop of an agent stands between two calls of the model."""

    turn_tool_calls: int = 0
    run_has_tool_calls: bool = False
    reasoning_only_strikes: int = 0
    empty_response_strikes: int = 0
    nudge_count: int = 0
    thinking_disabled_for_rest_of_run: bool = False
    original_thinking_enabled: bool | None = None
    truncation_strikes: int = 0


class AgentSession(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A session as an agent works with it; every method returns a new one.

    `version` is the last sequence of the session when it was loaded or saved, 0 if it never was. A
    save is refused if the stored session was changed behind it; events alone do not change one.
    What the methods return also knows what was stored at that version, which makes a save quicker,
    and is no part of what the session says.
    """

    id: SessionId | None = None
    chat_messages: tuple[ChatMessage, ...] = ()
    always_allowed_actions: frozenset[str] = frozenset()
    total_tool_calls: int = 0
    run_state: RunState = RunState()
    version: int = 0

    @property
    def turn_count(self) -> int:
        """How often the user spoke."""
        return sum(message.role == "user" for message in self.chat_messages)

    def with_message(self, *messages: ChatMessage) -> AgentSession:
        """Add messages at the end; calls they ask for are counted."""
        for message in messages:
            instance(message, "messages", ChatMessage)
        calls = sum(len(message.tool_calls or ()) for message in messages)
        return self._with(
            chat_messages=(*self.chat_messages, *messages),
            total_tool_calls=self.total_tool_calls + calls,
        )

    def with_messages(self, *messages: ChatMessage) -> AgentSession:
        """Replace all messages and count the calls anew; InvalidArgument if the order is not valid."""
        for message in messages:
            instance(message, "messages", ChatMessage)
        check_order(messages)
        return self._with(chat_messages=(), total_tool_calls=0).with_message(*messages)

    def allowing(self, action_key: str) -> AgentSession:
        """Allow a kind of action always."""
        instance(action_key, "action_key", str)
        allowed = self.always_allowed_actions | {action_key}
        return self._with(always_allowed_actions=allowed)

    def trimmed(self, turns_max: int) -> AgentSession:
        """Leave the oldest turns out, with their calls and results; the system prefix stays.

        What is left out of a saved session stays in its transcript and in its versions.
        """
        if natural(turns_max, "turns_max") == 0:
            raise InvalidArgument("turns_max", "expected 1 or more, a session keeps its last turn")
        starts = [n for n, one in enumerate(self.chat_messages) if one.role == "user"]
        if len(starts) <= turns_max:
            return self
        prefix = self.chat_messages[: system_prefix(self.chat_messages)]
        kept = (*prefix, *self.chat_messages[starts[-turns_max] :])
        return self._with(chat_messages=kept)

    def without_last_message(self) -> AgentSession:
        """Leave the last message out, if there is one."""
        return self._with(chat_messages=self.chat_messages[:-1])

    def closed(self, reason: str = TOOL_CALL_CLOSED) -> AgentSession:
        """Answer the last calls that have no result with `reason`, so that a provider takes them."""
        results = [ChatMessage.tool(call.id, reason) for call in dangling_calls(self.chat_messages)]
        return self.with_message(*results)

    def _with(self, **changes: Any) -> AgentSession:
        # Of a struct's __dict__ nothing is replaced, copied, compared or encoded.
        return carrying(msgspec.structs.replace(self, **changes), base_of(self))


def base_of(session: AgentSession) -> Base | None:
    """Return what was stored when a session was loaded or saved, None if nobody knows."""
    base: Base | None = session.__dict__.get(_BASE)
    return base


def carrying(session: AgentSession, base: Base | None) -> AgentSession:
    """Let a session that was just made know what is stored of it; return it."""
    if base is not None:
        msgspec.structs.force_setattr(session, _BASE, base)
    return session


def checked(session: AgentSession) -> AgentSession:
    """Return a copy of a session whose fields are what they should be, or raise InvalidArgument."""
    if not isinstance(session, AgentSession):
        raise InvalidArgument("session", f"expected an AgentSession, got {type(session).__name__}")
    try:
        return msgspec.convert(_plain(session), AgentSession)
    except (InvalidArgument, InvalidEvent):
        raise
    except UNFIT as error:
        raise InvalidArgument("session", shown(str(error))) from error


def _plain(session: AgentSession) -> Any:
    """Return a session as plain values, but for its messages that are stored.

    What is the same object as a stored one was looked at before, and nothing in it can be changed,
    see `own`; to look again takes longer with every message.
    """
    messages, base = session.chat_messages, base_of(session)
    instance(session.run_state, "session.run_state", RunState)
    plain = msgspec.to_builtins(
        msgspec.structs.replace(session, chat_messages=()), builtin_types=_NO_JSON
    )
    if type(messages) is not tuple:
        messages = msgspec.to_builtins(messages)
    stored = frozenset[int]() if base is None else {id(one.said) for one in base.messages}
    plain["chat_messages"] = messages
    if isinstance(messages, list | tuple):
        plain["chat_messages"] = [
            one if id(one) in stored else _plain_message(one, place)
            for place, one in enumerate(messages)
        ]
    return plain


def _plain_message(message: Any, place: int) -> Any:
    """Return a new message; InvalidEvent if no JSON is like it, and to compare it would fail."""
    name = f"session.chat_messages[{place}]"
    plain = msgspec.to_builtins(message, builtin_types=(*_NO_JSON, UUID))
    check_json(plain, name)
    if isinstance(message, ChatMessage) and (_has_set(message.content) or _has_set(message.images)):
        raise InvalidArgument(name, "has a set, which has no order: give a list")
    return listed(plain)


def _has_set(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_set, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_set, value))
    if isinstance(value, msgspec.Struct):
        return any(_has_set(getattr(value, name)) for name in value.__struct_fields__)
    if is_dataclass(value):
        return any(_has_set(getattr(value, one.name)) for one in fields(value))
    return isinstance(value, set | frozenset)
