"""Sessions as agent-base wrote them as JSON, of every one of its versions, as values of ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ledger import InvalidArgument
from ledger.refusals import shown as shown_value
from ledger.visible_text import shown

from ..unfit import UNFIT
from .agent_sessions import AgentSession, RunState, SessionId
from .chat_messages import ChatMessage, call_fields

# What every version of agent-base writes, whatever it is; what else there is came or went, or is null.
_ALWAYS = ("chat_messages", "always_allowed_actions", "total_tool_calls")
# Until there was a run state these stood in the session itself.
_FLAT = ("turn_tool_calls", "nudge_count", "reasoning_only_strikes", "empty_response_strikes")


class _Id(msgspec.Struct):
    id: int | str
    external_id: str | None = None


class _Written(msgspec.Struct):
    """A session as the last version of agent-base writes it."""

    chat_messages: tuple[ChatMessage, ...]
    always_allowed_actions: frozenset[str]
    total_tool_calls: int
    run_state: RunState
    id: _Id | None = None


def session_of_json(data: Mapping[str, Any] | str | bytes) -> AgentSession:
    """Return the session in an object or text; InvalidArgument names the place that is not understood.

    So it does what is missing of that which agent-base always writes: its messages, the actions
    that are always allowed, and how many tools were called. A session of agent-base that has only
    an external id (its number is then 0) is named by it.
    """
    try:
        given = msgspec.json.decode(data) if isinstance(data, str | bytes) else data
        if not isinstance(given, Mapping):
            raise _refused(f"expected an object, got {shown_value(given)}")
        missing = [name for name in _ALWAYS if name not in given]
        if missing:
            raise _refused(f"it has no {', '.join(missing)}")
        written = msgspec.convert(_as_last_written(given), _Written)
    except InvalidArgument:
        raise
    except RecursionError as error:
        raise InvalidArgument("data", "is nested too deep for a session of agent-base") from error
    except UNFIT as error:
        raise _refused(shown(str(error))) from error
    return AgentSession(
        id=_id(written.id),
        chat_messages=written.chat_messages,
        always_allowed_actions=written.always_allowed_actions,
        total_tool_calls=written.total_tool_calls,
        run_state=written.run_state,
    )


def _as_last_written(given: Mapping[str, Any]) -> dict[str, Any]:
    messages = given["chat_messages"]
    if isinstance(messages, list | tuple):
        messages = [_message(one, place) for place, one in enumerate(messages)]
    return {
        **{name: given.get(name) for name in ("id", *_ALWAYS)},
        "chat_messages": messages,
        "run_state": given.get("run_state")
        or {name: given[name] for name in _FLAT if given.get(name)},
    }


def _id(given: _Id | None) -> SessionId | None:
    if given is None:
        return None
    if given.id == 0 and given.external_id:
        return SessionId(given.external_id)
    return SessionId(str(given.id), given.external_id)


def _message(given: Any, place: int) -> Any:
    """Return a message with its role in it, and with calls as objects."""
    if not isinstance(given, Mapping):
        return given  # refused with all else that is of the wrong type
    if "role" not in given:
        # An enum without a tag: {"User": {"content": "…"}}.
        if len(given) != 1:
            raise _refused(f"no role - at `$.chat_messages[{place}]`")
        [(role, fields)] = given.items()
        if not isinstance(role, str) or not isinstance(fields, Mapping):
            raise _refused(f"no message - at `$.chat_messages[{place}]`")
        given = {"role": role.lower(), **fields}
    calls = given.get("tool_calls")
    if isinstance(calls, list | tuple):
        given = {**given, "tool_calls": [call_fields(call) for call in calls]}
    return given


def _refused(reason: str) -> InvalidArgument:
    return InvalidArgument("data", f"is no session of agent-base: {reason}")
