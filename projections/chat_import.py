"""Chat-completion transcripts as facts, so that every message, call, result and reward is in views.

Accepted are a list of `{"task_id", "trial", "reward", "info", "traj"}`, a list of messages, a list
of such lists or of `{"messages": […]}`, and JSON Lines of any of them. `traj` and `messages` hold
messages with `role`, `content`, `tool_calls`, `tool_call_id` and `name`; other fields of a message
are kept in its event's metadata under "chat".

Event ids follow from the place in the conversation, so importing again adds nothing, and another
conversation under the same id is refused. They name the session's incarnation too: ids are for
ever, and without it a conversation that was deleted could never be imported again. Transcripts carry
no times: `occurred_at` is left out, which makes it the moment of the first import and keeps it out of
the comparison of repeated ids.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Any, NoReturn

import msgspec
from pydantic import ValidationError

from ledger import InvalidEvent, InvalidImport, Ledger, NewEvent
from ledger.catalogue.base import Fact
from ledger.catalogue.messages import MessageAppended, ToolCall, TurnFinished, TurnStarted
from ledger.catalogue.qa import FeedbackGiven
from ledger.catalogue.runs import RunFinished, RunStarted
from ledger.catalogue.sessions import SessionCreated
from ledger.catalogue.tools import ToolFinished, ToolStarted
from ledger.codec import check_json, parse_json_object

CONVERSATIONS_MAX = 100_000
MESSAGES_MAX = 100_000
SOURCE = "openai-chat"

_SAID = ("content", "name", "tool_call_id", "is_error")
_KNOWN = frozenset({"role", "tool_calls", *_SAID})

Json = dict[str, Any]


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """One transcript; `line` is where the file has it, for messages about errors."""

    session_id: str
    messages: list[Json]
    line: int = 1
    reward: float | None = None
    about: Json = msgspec.field(default_factory=dict)


def conversations(data: bytes, name: str) -> Iterator[Conversation]:
    """Yield the conversations of a file; `name` and a number identify those without a task id.

    Raises InvalidImport for anything that is not in one of the accepted forms.
    """
    try:
        whole = _parse(data)
    except ValueError:
        found = _lines(data)
    else:
        found = [(1, item) for item in (whole if _holds_conversations(whole) else [whole])]
    if len(found) > CONVERSATIONS_MAX:
        raise InvalidImport(1, f"more than {CONVERSATIONS_MAX} conversations")
    for number, (line, item) in enumerate(found, 1):
        own_name = name if len(found) == 1 else f"{name}-{number:05}"
        yield _conversation(item, line, own_name)


def incarnation(ledger: Ledger, session_id: str, tenant: str = "") -> int:
    """Return the sequence of a session's last deletion, 0 if it was never deleted."""
    return ledger.heads([session_id], tenant=tenant)[session_id].incarnation


def facts(conversation: Conversation, incarnation: int = 0) -> list[NewEvent]:
    """Return the events of a conversation's session, in order, with ids that never change."""
    try:
        return _Writer(conversation, incarnation).events()
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidImport(conversation.line, f"{place}: {first['msg']}") from error


class _Writer:
    """Walks through one conversation and writes down what happened."""

    def __init__(self, conversation: Conversation, incarnation: int) -> None:
        self._conversation = conversation
        self._ids = f"chat@{incarnation}" if incarnation else "chat"
        self._run_id = f"{conversation.session_id}/run"
        self._events: list[NewEvent] = []
        self._turn = 0
        self._answer: str | None = None
        self._last_answer: str | None = None
        #: By the provider's id: (our call id, name), in the order of the calls.
        self._unanswered: defaultdict[str, deque[tuple[str, str]]] = defaultdict(deque)

    def events(self) -> list[NewEvent]:
        talk = self._conversation
        self._events.append(
            NewEvent(
                SessionCreated(status="active", metadata={"imported_from": SOURCE} | talk.about),
                event_id=f"{self._ids}/session",
            )
        )
        self._add("run", RunStarted(metadata={"imported_from": SOURCE}))
        for index, message in enumerate(talk.messages):
            self._message(index, message)
        self._end_turn()
        self._add("run/finished", RunFinished(output=self._last_answer))
        if talk.reward is not None:
            self._add("reward", FeedbackGiven(reward=talk.reward, source=SOURCE))
        return self._events

    def _add(self, name: str, fact: Fact, metadata: Json | None = None) -> None:
        self._events.append(
            NewEvent(fact, event_id=f"{self._ids}/{name}", run_id=self._run_id, metadata=metadata)
        )

    def _message(self, index: int, message: Json) -> None:
        role = message["role"]
        if role == "user":
            self._begin_turn(message.get("content"))
        calls = self._calls(index, message)
        said = {name: message[name] for name in _SAID if name in message}
        if self._turn:
            said |= {"turn_id": self._turn_id, "turn_number": self._turn}
        if "tool_calls" in message:
            said["tool_calls"] = calls if message["tool_calls"] is not None else None
        rest = {name: value for name, value in message.items() if name not in _KNOWN}
        self._add(
            f"message/{index}",
            MessageAppended(role=role, message_id=f"message-{index}", **said),
            {"chat": rest} if rest else None,
        )
        for call in calls:
            self._start(call, str(call.call_id))
        if role == "tool":
            self._finish(index, message)
        if role == "assistant" and isinstance(message.get("content"), str):
            self._answer = self._last_answer = message["content"]

    def _calls(self, index: int, message: Json) -> list[ToolCall]:
        return [
            self._call(call, f"call-{index}-{place}")
            for place, call in enumerate(message.get("tool_calls") or ())
        ]

    def _call(self, call: Json, call_id: str) -> ToolCall:
        told: Json = {"type": call["type"]} if "type" in call else {}
        detail: Any = call.get("function") or call.get("custom")
        if not isinstance(detail, dict):
            _refuse(self._conversation.line, f"{call_id} says neither function nor custom")
        told["arguments"] = detail.get("arguments", detail.get("input", ""))
        told |= {"id": call.get("id", ""), "name": detail.get("name"), "call_id": call_id}
        return ToolCall(**told)

    def _start(self, call: ToolCall, call_id: str) -> None:
        self._unanswered[call.id].append((call_id, call.name))
        told = _input(call.arguments) | ({"turn_id": self._turn_id} if self._turn else {})
        fact = ToolStarted(call_id=call_id, tool_name=call.name, tool_call_id=call.id, **told)
        self._add(f"{call_id}/started", fact)

    def _finish(self, index: int, message: Json) -> None:
        # Providers repeat their ids, even inside a session: first asked, first answered.
        provider_id: Any = message.get("tool_call_id")
        asked = self._unanswered.get(provider_id)
        if not asked:
            return
        call_id, name = asked.popleft()
        fact = ToolFinished(
            call_id=call_id,
            tool_name=name,
            tool_call_id=provider_id,
            tool_output=message.get("content"),
        )
        self._add(f"{call_id}/finished", fact)

    @property
    def _turn_id(self) -> str:
        return f"turn-{self._turn}"

    def _begin_turn(self, content: object) -> None:
        self._end_turn()
        self._turn += 1
        told: Json = {"user_message": content} if isinstance(content, str) else {}
        fact = TurnStarted(turn_id=self._turn_id, turn_number=self._turn, **told)
        self._add(f"{self._turn_id}/started", fact)

    def _end_turn(self) -> None:
        """A turn that nobody answered stays open."""
        if self._turn and self._answer is not None:
            fact = TurnFinished(
                turn_id=self._turn_id, turn_number=self._turn, agent_response=self._answer
            )
            self._add(f"{self._turn_id}/finished", fact)
        self._answer = None


def _input(arguments: str | Json) -> Json:
    if isinstance(arguments, dict):
        return {"tool_input": arguments}
    try:
        parsed = parse_json_object(arguments.encode(), "arguments")
        check_json(parsed, "arguments")
    except (InvalidEvent, UnicodeEncodeError):
        return {"args_json": arguments}
    return {"tool_input": parsed}


def _parse(data: bytes) -> Any:
    def refuse(literal: str) -> NoReturn:
        raise ValueError(f"{literal} is not a JSON number")

    try:
        return json.loads(data, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _lines(data: bytes) -> list[tuple[int, Any]]:
    found = []
    for line, text in enumerate(data.splitlines(), 1):
        if text.strip():
            try:
                found.append((line, _parse(text)))
            except ValueError as error:
                raise InvalidImport(line, f"not JSON: {error}") from error
    if not found:
        raise InvalidImport(1, "the file is empty")
    return found


def _holds_conversations(whole: Any) -> bool:
    return isinstance(whole, list) and not (whole and all(_is_message(item) for item in whole))


def _is_message(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("role"), str)


def _conversation(item: Any, line: int, name: str) -> Conversation:
    if isinstance(item, list):
        return Conversation(session_id=name, messages=_messages(item, line), line=line)
    if not isinstance(item, dict):
        _refuse(line, "neither a conversation nor a list of messages")
    talk = "traj" if "traj" in item else "messages"
    about = {key: value for key, value in item.items() if key not in (talk, "reward")}
    return Conversation(
        session_id=_session_id(item, line, name),
        messages=_messages(item.get(talk), line),
        line=line,
        reward=_reward(item.get("reward"), line),
        about=about,
    )


def _session_id(item: Json, line: int, name: str) -> str:
    """Return the id that a conversation brings along, else the name; null is none."""
    if item.get("task_id") is None:
        return name
    parts = []
    for key in ("task_id", "trial"):
        part = item.get(key)
        if isinstance(part, bool) or not isinstance(part, str | int | float | None):
            _refuse(line, f"{key}: expected text or a number")
        parts += [] if part is None else [str(part)]
    return "/".join(parts)


def _reward(value: Any, line: int) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse(line, "reward: expected a number")
    try:
        return float(value)
    except OverflowError:
        _refuse(line, "reward: more than a float can be")


def _messages(value: Any, line: int) -> list[Json]:
    if not isinstance(value, list) or not all(_is_message(item) for item in value):
        _refuse(line, "expected a list of messages, each with a role")
    if len(value) > MESSAGES_MAX:
        _refuse(line, f"more than {MESSAGES_MAX} messages")
    for message in value:
        calls = message.get("tool_calls")
        if calls is not None and not (
            isinstance(calls, list) and all(isinstance(call, dict) for call in calls)
        ):
            _refuse(line, "tool_calls: expected a list of objects")
    return value


def _refuse(line: int, reason: str) -> NoReturn:
    raise InvalidImport(line, reason)
