"""The messages of an agent-base session: their shape, their turns, and which orders are valid. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from types import NoneType
from typing import Any

import msgspec

from ledger import InvalidArgument, NewEvent
from ledger.catalogue import MessageAppended, Role
from ledger.refusals import shown

from ...folds.messages import Message
from ...readers.arguments import instance, several

#: What the catalogue calls otherwise.
NAMES = {"reasoning_content": "reasoning"}
_PLAIN = frozenset({str, int, bool, NoneType})
TOOL_CALL_CLOSED = "The tool call was interrupted before it returned."


class ToolCall(msgspec.Struct, frozen=True):
    """A call that an assistant message asks for; `arguments` is JSON as the model wrote it."""

    id: str
    name: str
    arguments: str = "{}"


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message as the model's provider takes it; which fields are set depends on the `role`."""

    role: Role
    content: str | tuple[Any, ...] | None = None
    images: tuple[Any, ...] | None = None
    reasoning_content: str | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
    thinking_signature: str | None = None
    tool_call_id: str | None = None

    @classmethod
    def system(cls, content: str) -> ChatMessage:
        """Return a standing instruction."""
        return cls(role="system", content=content)

    @classmethod
    def user(cls, content: str, images: Sequence[Any] | None = None) -> ChatMessage:
        """Return what the user says."""
        seen = None if images is None else tuple(several(images, "images", "images"))
        return cls(role="user", content=content, images=seen)

    @classmethod
    def assistant(
        cls, content: str | None = None, tool_calls: Iterable[ToolCall] | None = None
    ) -> ChatMessage:
        """Return what the model says; arguments of a call that are no JSON become "{}"."""
        if not isinstance(tool_calls, Iterable | None):
            raise InvalidArgument("tool_calls", f"expected several calls, got {shown(tool_calls)}")
        calls = () if tool_calls is None else tuple(map(sane, tool_calls))
        return cls(role="assistant", content=content, tool_calls=calls or None)

    @classmethod
    def tool(cls, tool_call_id: str, content: str) -> ChatMessage:
        """Return the result of a call."""
        return cls(role="tool", tool_call_id=tool_call_id, content=content)


def sane(call: ToolCall) -> ToolCall:
    """Return a call whose arguments can be sent to a provider again."""
    given: Any = instance(call, "tool_calls", ToolCall).arguments
    if not isinstance(given, str):
        raise InvalidArgument("tool_calls", f"expected arguments as text, got {shown(given)}")
    try:
        # NaN is no JSON; half a character is, if it is escaped, and models do write it.
        json.loads(given, parse_constant=_refuse_constant, parse_int=len)
    except (ValueError, RecursionError):
        # Cut off while streaming; a provider refuses every later request that repeats it.
        return msgspec.structs.replace(call, arguments="{}")
    return call


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def check_order(messages: Iterable[ChatMessage]) -> None:
    """Raise InvalidArgument unless each result answers exactly one pending call, and all are answered.

    They must be before the next calls and at the end.
    """
    pending: set[str | None] = set()
    for place, message in enumerate(messages):
        if message.role == "tool":
            if message.tool_call_id not in pending:
                _refuse(place, f"answers {message.tool_call_id!r}, which is no pending call")
            pending.remove(message.tool_call_id)
        elif message.tool_calls:
            if pending:
                _refuse(place, f"calls again while {sorted(map(str, pending))} have no result")
            pending |= {call.id for call in message.tool_calls}
            if len(pending) < len(message.tool_calls):
                _refuse(place, "has two calls of one id")
    if pending:
        raise InvalidArgument("messages", f"the calls {sorted(map(str, pending))} have no result")


def _refuse(place: int, reason: str) -> None:
    raise InvalidArgument(f"messages[{place}]", reason)


def dangling_calls(messages: Sequence[ChatMessage]) -> list[ToolCall]:
    """Return the calls of the last message with some that have no result behind it."""
    for place in range(len(messages) - 1, -1, -1):
        calls = messages[place].tool_calls
        if calls:
            answered = {one.tool_call_id for one in messages[place + 1 :]}
            return [call for call in calls if call.id not in answered]
    return []


def system_prefix(messages: Sequence[ChatMessage]) -> int:
    """Return how many system messages come first."""
    count = 0
    while count < len(messages) and messages[count].role == "system":
        count += 1
    return count


def chat_message(message: Message) -> ChatMessage:
    """Return a row of the messages view as agent-base has it."""
    content = message.content
    calls = None if message.tool_calls is None else tuple(map(_call, message.tool_calls))
    return ChatMessage(
        role=message.role,  # type: ignore[arg-type] # the catalogue lets no other in
        content=tuple(content) if isinstance(content, list) else content,
        images=None if message.images is None else tuple(message.images),
        reasoning_content=message.reasoning,
        tool_calls=calls,
        thinking_signature=message.thinking_signature,
        tool_call_id=message.tool_call_id,
    )


def _call(call: dict[str, Any]) -> ToolCall:
    arguments = call.get("arguments", "")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, sort_keys=True)
    return ToolCall(id=call["id"], name=call["name"], arguments=text)


def call_fields(call: Any) -> Any:
    """Return a call that agent-base wrote as its id, name and arguments by their names."""
    if isinstance(call, list | tuple) and len(call) == len(ToolCall.__struct_fields__):
        return dict(zip(ToolCall.__struct_fields__, call, strict=True))
    return call


def listed(value: Any) -> Any:
    """Return a value with lists for tuples, as JSON comes back."""
    # Of texts, numbers and None nothing is asked: they are most of what there is.
    if isinstance(value, list | tuple):
        return [one if type(one) in _PLAIN else listed(one) for one in value]
    if isinstance(value, dict):
        return {key: one if type(one) in _PLAIN else listed(one) for key, one in value.items()}
    return value


def own(message: ChatMessage) -> ChatMessage:
    """Return a message that shares nothing with this one that could be changed."""
    if not isinstance(message.content, tuple) and message.images is None:
        return message
    return msgspec.convert(msgspec.to_builtins(message), ChatMessage)


def appended(message: ChatMessage) -> NewEvent:
    """Return the fact that a message joined the conversation."""
    said = listed(msgspec.to_builtins(message))
    said = {NAMES.get(name, name): value for name, value in said.items()}
    return NewEvent(said, MessageAppended.event_type)
