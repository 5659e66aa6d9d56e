"""Sessions as agent-base wrote them as JSON, of every one of its versions, as values of ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ledger import InvalidArgument

from .agent_sessions import AgentSession, RunState, SessionId
from .chat_messages import ChatMessage

# What every version of agent-base writes, whatever it is; what else there is came or went, or is null.
_ALWAYS = ("chat_messages", "always_allowed_actions", "total_tool_calls")
# Until there was a run state these stood in the session itself.
_FLAT = ("turn_tool_calls", "nudge_count", "reasoning_only_strikes", "empty_response_strikes")


def session_of_json(data: Mapping[str, Any] | str | bytes) -> AgentSession:
    """Return the session in an object or text; InvalidArgument names what cannot be understood.

    So it does what is missing of that which agent-base always writes: its messages, the actions
    that are always allowed, and how many tools were called. A session of agent-base that has only
    an external id (its number is then 0) is named by it.
    """
    try:
        given = msgspec.json.decode(data) if isinstance(data, str | bytes) else dict(data)
        missing = [name for name in _ALWAYS if name not in given]
        if missing:
            raise LookupError(f"it has no {', '.join(missing)}")
        state = given.get("run_state") or {name: given[name] for name in _FLAT if given.get(name)}
        return AgentSession(
            id=_id(given.get("id")),
            chat_messages=tuple(_message(one) for one in given["chat_messages"]),
            always_allowed_actions=frozenset(given["always_allowed_actions"]),
            total_tool_calls=msgspec.convert(given["total_tool_calls"], int),
            run_state=msgspec.convert(state, RunState),
        )
    except (msgspec.MsgspecError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise InvalidArgument("data", f"is no session of agent-base: {error}") from error
    except RecursionError as error:
        raise InvalidArgument("data", "is nested too deep for a session of agent-base") from error


def _id(given: Any) -> SessionId | None:
    if given is None:
        return None
    number, external_id = given["id"], given.get("external_id")
    if number == 0 and external_id:
        return SessionId(external_id)
    return SessionId(str(number), external_id)


def _message(given: dict[str, Any]) -> ChatMessage:
    if "role" not in given:
        # An enum without a tag: {"User": {"content": "…"}}.
        [(role, fields)] = given.items()
        given = {"role": role.lower(), **fields}
    return msgspec.convert(given, ChatMessage)
