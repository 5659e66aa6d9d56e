"""Sessions as agent-base wrote them as JSON, of every one of its versions, as values of ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ledger import InvalidArgument

from .agent_sessions import AgentSession, RunState, SessionId
from .chat_messages import ChatMessage

# Until there was a run state these stood in the session itself.
_FLAT = ("turn_tool_calls", "nudge_count", "reasoning_only_strikes", "empty_response_strikes")


def session_of_json(data: Mapping[str, Any] | str | bytes) -> AgentSession:
    """Return the session in an object or text; InvalidArgument names what cannot be understood.

    A session of agent-base that has only an external id (its number is then 0) is named by it.
    """
    try:
        given = msgspec.json.decode(data) if isinstance(data, str | bytes) else dict(data)
        state = given.get("run_state") or {name: given[name] for name in _FLAT if given.get(name)}
        return AgentSession(
            id=_id(given.get("id")),
            chat_messages=tuple(_message(one) for one in given.get("chat_messages", ())),
            always_allowed_actions=frozenset(given.get("always_allowed_actions", ())),
            total_tool_calls=msgspec.convert(given.get("total_tool_calls", 0), int),
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
