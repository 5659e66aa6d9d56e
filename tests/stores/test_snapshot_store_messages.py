"""Sessions as values, and how stored messages become saved ones; no ledger is needed for these."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import InvalidArgument, NewEvent
from ledger.catalogue import FACTS
from projections import MESSAGES, Message
from projections.session_stores.snapshot import (
    AgentSession,
    ChatMessage,
    SessionId,
    ToolCall,
)
from projections.session_stores.snapshot.message_changes import Window, changes, placed
from projections.session_stores.snapshot.tool_calls import open_call
from tests.support.agent_sessions import SYSTEM, contents, session_of, turn
from tests.support.folds import events_of, fold


def test_c_10_a_loaded_session_cannot_be_changed() -> None:
    session = session_of()
    for name, value in (("total_tool_calls", 5), ("chat_messages", ()), ("version", 1)):
        with pytest.raises(AttributeError):
            setattr(session, name, value)
    assert isinstance(session.chat_messages, tuple)
    assert isinstance(session.always_allowed_actions, frozenset)


def test_c_16_turns_are_the_messages_of_the_user() -> None:
    assert AgentSession().turn_count == 0
    assert session_of(turns=3).turn_count == 3
    assert session_of().with_message(SYSTEM, ChatMessage.tool("x", "y")).turn_count == 1


def test_c_16_trimming_keeps_whole_turns_and_the_system_prefix() -> None:
    session = session_of(turns=4)
    assert session.trimmed(4) is session
    assert session.trimmed(5) is session
    assert session.trimmed(2).chat_messages == (SYSTEM, *turn(2), *turn(3))
    assert session.trimmed(1).turn_count == 1
    assert session.trimmed(2).total_tool_calls == 4  # a total, not what is left
    for wrong in (0, -1, 1.5, "1"):
        with pytest.raises(InvalidArgument):
            session.trimmed(wrong)  # type: ignore[arg-type] # what the test is about


def test_c_16_a_greeting_before_the_first_turn_is_trimmed_with_it() -> None:
    hello = ChatMessage.assistant("Hello.")
    session = AgentSession().with_message(SYSTEM, hello, *turn(0), *turn(1))
    assert session.trimmed(1).chat_messages == (SYSTEM, *turn(1))


def test_c_16_taking_the_last_message_of_none_is_safe() -> None:
    assert AgentSession().without_last_message() == AgentSession()
    assert contents(session_of().without_last_message()) == contents(session_of())[:-1]


def test_c_16_calls_that_nobody_answered_are_closed() -> None:
    calls = [ToolCall("a", "t"), ToolCall("b", "t")]
    session = session_of().with_message(
        ChatMessage.assistant(tool_calls=calls), ChatMessage.tool("a", "done")
    )
    closed = session.closed("stopped")
    assert closed.chat_messages[-1] == ChatMessage.tool("b", "stopped")
    assert closed.closed() == closed
    assert session_of().closed() == session_of()
    assert AgentSession().with_messages(*closed.chat_messages).total_tool_calls == 3


@pytest.mark.parametrize(
    "arguments", ["", "{", '{"q": "cut o', "nonsense", "NaN", "-Infinity", '{"a": NaN}', "\ud800"]
)
def test_c_16_arguments_that_are_no_json_become_an_empty_object(arguments: str) -> None:
    message = ChatMessage.assistant(tool_calls=[ToolCall("c", "t", arguments)])
    assert message.tool_calls == (ToolCall("c", "t", "{}"),)
    for json in ('{"q": 1}', "1" * 5_000, "1e999", r'{"text": "\ud83d"}', r'{"\ud800": 1}'):
        kept = ChatMessage.assistant(tool_calls=[ToolCall("c", "t", json)])
        assert kept.tool_calls == (ToolCall("c", "t", json),)


def test_c_16_replacing_the_messages_counts_the_calls_anew() -> None:
    session = session_of(turns=3).with_messages(SYSTEM, *turn(7))
    assert (session.total_tool_calls, session.turn_count) == (1, 1)


CALL = ChatMessage.assistant(tool_calls=[ToolCall("a", "t"), ToolCall("b", "t")])
TWICE = ChatMessage.assistant(tool_calls=[ToolCall("a", "t"), ToolCall("a", "t")])
A, B = ChatMessage.tool("a", "1"), ChatMessage.tool("b", "2")


@pytest.mark.parametrize(
    "messages",
    [[A], [CALL], [CALL, A], [CALL, A, A], [CALL, A, CALL], [CALL, A, B, B], [TWICE, A], [A, CALL]],
    ids=str,
)
def test_c_16_an_order_that_no_provider_takes_is_refused(messages: list[ChatMessage]) -> None:
    with pytest.raises(InvalidArgument):
        AgentSession().with_messages(*messages)


def test_c_16_valid_orders_are_taken() -> None:
    for messages in ([], [CALL, B, A], [CALL, A, B, CALL, A, B], [*turn(0), *turn(0)]):
        assert list(AgentSession().with_messages(*messages).chat_messages) == messages


def test_c_06_an_id_is_shown_with_its_external_id() -> None:
    assert str(SessionId("42")) == "42"
    assert str(SessionId("42", "my-ext-id")) == "42(my-ext-id)"


def test_an_end_belongs_to_the_oldest_open_call_of_its_tool() -> None:
    def told(kind: str, call_id: str, tool: str = "t") -> tuple[str, dict[str, Any]]:
        return f"tool.{kind}", {"call_id": call_id, "tool_name": tool}

    facts = [told("started", "a"), told("started", "b"), told("started", "c", "other")]
    assert open_call(facts, "t") == "a"
    assert open_call([*facts, told("finished", "a")], "t") == "b"
    assert open_call([*facts, told("failed", "a"), told("finished", "b")], "t") is None


FACT_OF = {fact.event_type: fact for fact in FACTS}


def rows_of(facts: list[NewEvent], window: Window) -> list[Message]:
    """Return the messages in a window after some facts, in order."""
    models = [FACT_OF[str(fact.type)].model_validate(fact.payload) for fact in facts]
    rows = fold(MESSAGES, events_of(*models)).values()
    return sorted(filter(window.holds, rows), key=lambda one: one.first_sequence)


SEEING = ChatMessage(role="system", content=SYSTEM.content, images=("x",))
SAID = st.lists(
    st.sampled_from(
        [SYSTEM, SEEING, ChatMessage.system("2"), *(ChatMessage.user(letter) for letter in "abc")]
    ),
    max_size=8,
)


@given(st.lists(SAID, max_size=6))
def test_c_w3_whatever_is_saved_the_fold_of_the_facts_shows_it(saves: list[list[Any]]) -> None:
    window, facts = Window(), list[NewEvent]()
    for wanted in saves:
        before = list(map(placed, rows_of(facts, window)))
        change = changes(before, wanted, window, len(facts) + 1)
        facts, window = [*facts, *change.facts], change.window
        after = list(map(placed, rows_of(facts, window)))
        assert [one.said for one in after] == wanted
        # What is known of them without reading them again, but for the ids of the fold of this test.
        assert [(one.sequence, one.said) for one in change.messages] == [
            (one.sequence, one.said) for one in after
        ]


@pytest.mark.parametrize(
    ("stored", "wanted", "deleted", "added"),
    [
        ("abcab", "abcd", "", "cd"),  # what reaches the end, though another piece is longer
        ("abxabcy", "abcd", "y", "d"),  # else the longest, wherever it is
        ("abcyab!", "abcd", "yab!", "d"),
    ],
)
def test_c_w3_what_is_stored_and_said_again_is_neither_deleted_nor_told_anew(
    stored: str, wanted: str, deleted: str, added: str
) -> None:
    first = changes([], tuple(map(ChatMessage.user, stored)), Window(), 1)
    before = list(map(placed, rows_of(first.facts, first.window)))
    # As they are loaded by somebody else: equal, and other objects.
    change = changes(before, tuple(map(ChatMessage.user, wanted)), first.window, len(stored) + 1)
    letters = {one.message_id: one.said.content for one in before}
    told: dict[str, list[Any]] = {"message.deleted": [], "message.appended": []}
    for fact in change.facts:
        said: Any = fact.payload
        told[str(fact.type)].append(letters.get(said.get("message_id")) or said["content"])
    assert told == {"message.deleted": [*deleted], "message.appended": [*added]}


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 3))
def test_c_w3_trimming_says_nothing_but_what_is_new(turns: int, kept: int, new: int) -> None:
    before = session_of(turns)
    first = changes([], before.chat_messages, Window(), 1)
    stored = list(map(placed, rows_of(first.facts, first.window)))
    wanted = before.trimmed(kept).with_message(*[m for n in range(new) for m in turn(f"new {n}")])
    change = changes(stored, wanted.chat_messages, first.window, len(first.facts) + 1)
    assert len(change.facts) == 4 * new
