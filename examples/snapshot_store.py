"""Sessions of an agent written for agent-base: saved whole, trimmed, conflicting, resumed."""

from ledger import Ledger, SequenceConflict
from projections import Views
from projections.session_stores.snapshot import (
    AgentSession,
    ChatMessage,
    SessionId,
    SnapshotStore,
    ToolCall,
)

with Ledger.open("memory:") as ledger:
    store = SnapshotStore(ledger)
    session = AgentSession(id=SessionId.new(external_id="ticket-7")).with_message(
        ChatMessage.system("Be kind."),
        ChatMessage.user("Where is my parcel?"),
        ChatMessage.assistant(tool_calls=[ToolCall("c1", "track", '{"id": 7}')]),
        ChatMessage.tool("c1", "Lyon"),
        ChatMessage.assistant("In Lyon."),
    )
    session = store.save(session)  # go on with what comes back: it knows its version

    # Another worker adds a turn; a save from before is refused and nothing is lost.
    question = ChatMessage.user("When will it come?")
    store.update("ticket-7", lambda one: one.with_message(question))
    try:
        store.save(session.allowing("track"))
    except SequenceConflict as conflict:
        print("refused:", conflict.expected, "is not", conflict.actual)

    # Trimming is about what the model is sent; the conversation stays whole.
    trimmed = store.update("ticket-7", lambda one: one.trimmed(1))
    assert trimmed is not None
    assert trimmed.turn_count == 1
    print([message.content for message in trimmed.chat_messages])
    assert trimmed.id is not None
    assert len(Views(ledger).messages(trimmed.id.id)) == 6
    assert store.load("ticket-7", version=session.version) == session

    # Events as agent-base emits them; a checkpoint says where to go on after a crash.
    step = {"BeforeToolCalls": {"tool_calls": [["c2", "track", "{}"]]}}
    data = {"user_input": "When will it come?", "step": step, "turn_count": 2}
    store.append_event("ticket-7", {"runtimeEventType": "checkpoint", "checkpoint": data})
    checkpoint = SnapshotStore(ledger).checkpoint("ticket-7")
    assert checkpoint is not None
    print("go on at", checkpoint.step, "with", checkpoint.tool_calls[0]["name"])
    print([str(one)[-10:] for one in store.list()])
