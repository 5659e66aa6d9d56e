"""What the tests of the snapshot store are written with: the store, and short conversations."""

from typing import Any

from projections.session_stores.snapshot import (
    AgentSession,
    AsyncSnapshotStore,
    ChatMessage,
    SessionId,
    SnapshotStore,
    ToolCall,
)
from tests.support.blocking import Blocking

SYSTEM = ChatMessage.system("Be kind.")


def store_of(ledger: Any, **options: Any) -> Any:
    """Open the store of a ledger of either style."""
    if isinstance(ledger, Blocking):
        return Blocking(AsyncSnapshotStore(ledger._target, **options), ledger._loop)
    return SnapshotStore(ledger, **options)


def turn(number: int | str) -> list[ChatMessage]:
    """Return a turn of four messages: a question, a call, its result, an answer."""
    return [
        ChatMessage.user(f"question {number}"),
        ChatMessage.assistant(tool_calls=[ToolCall(f"call {number}", "search", '{"q": 1}')]),
        ChatMessage.tool(f"call {number}", f"found {number}"),
        ChatMessage.assistant(f"answer {number}"),
    ]


def session_of(turns: int = 1, key: str = "s", external_id: str | None = None) -> AgentSession:
    """Return a session that was never saved, with a system message and some turns."""
    messages = [message for number in range(turns) for message in turn(number)]
    return AgentSession(id=SessionId(key, external_id)).with_message(SYSTEM, *messages)


def contents(session: AgentSession) -> list[Any]:
    """Return what is said in a session's messages, in order."""
    return [message.content for message in session.chat_messages]


def runtime_event(kind: str, **fields: Any) -> dict[str, Any]:
    """Return a runtime event as agent-base serializes it."""
    return {"runtimeEventType": kind, "session_id": {"id": 42, "external_id": None}} | fields
