"""What the transcript says after given facts."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.catalogue import (
    ContentRedacted,
    Fact,
    MessageAmended,
    MessageAppended,
    MessageDeleted,
    MessageStreamed,
    ToolCall,
)
from projections.folds.messages import MESSAGES, STREAMED_CHARS_MAX, Message
from tests.support.folds import at, event_of, events_of, fold, only, unmarked

ASKED = MessageAppended(role="user", message_id="m", content="Where?")


def expected(last: int, **fields: Any) -> Message:
    usual: dict[str, Any] = {
        "tenant": "t",
        "session_id": "s",
        "message_id": "m",
        "event_id": "e1",
        "first_sequence": 1,
        "last_sequence": last,
        "position": 100 + last,
        "role": "user",
        "content": "Where?",
        "created_at": at(1),
        "updated_at": at(last),
    }
    return Message(**usual | fields)


def message_after(*facts: Fact) -> Message | None:
    message = only(MESSAGES, events_of(*facts))
    assert message is None or isinstance(message, Message)
    return message


def test_a_message_has_everything_that_was_said() -> None:
    said: dict[str, Any] = {
        "role": "assistant",
        "content": [{"type": "text", "text": "x"}, "y"],
        "name": "bot",
        "tool_call_id": "c",
        "is_error": False,
        "reasoning": "because",
        "thinking_signature": "sig",
        "images": ["i"],
        "turn_id": "1",
        "turn_number": 1,
        "model": "m",
        "finish_reason": "stop",
    }
    calls = [ToolCall(id="c", name="search", arguments='{"q":1}', call_id="u")]
    event = event_of(
        MessageAppended(**said, message_id="m", tool_calls=calls),
        run_id="r",
        actor="bot",
        metadata={"k": 1},
    )
    assert only(MESSAGES, [event]) == expected(
        1,
        **said,
        tool_calls=[{"id": "c", "name": "search", "arguments": '{"q":1}', "call_id": "u"}],
        run_id="r",
        actor="bot",
        metadata={"k": 1},
    )


def test_a_message_without_an_id_is_named_by_its_event() -> None:
    assert message_after(MessageAppended(role="user", content="Where?")) == expected(
        1, message_id="e1"
    )


def test_the_transcript_is_in_the_order_of_sequences_whatever_the_clocks_say() -> None:
    events = [
        event_of(MessageAppended(role="user", content=text), n, occurred_at=at(-n))
        for n, text in enumerate("abc", 1)
    ]
    rows = sorted(fold(MESSAGES, events).values(), key=lambda row: row.first_sequence)
    assert [row.content for row in rows] == ["a", "b", "c"]


def test_the_first_message_of_an_id_stands() -> None:
    again = MessageAppended(role="user", message_id="m", content="other")
    assert unmarked(message_after(ASKED, again)) == expected(2)


def test_an_amendment_keeps_its_place_and_null_clears() -> None:
    amended = MessageAmended(message_id="m", content=None, name="n")
    assert message_after(ASKED, amended) == expected(2, content=None, name="n")


@pytest.mark.parametrize(
    "end", [MessageDeleted(message_id="m"), ContentRedacted(message_ids=["m"])]
)
def test_a_deleted_or_redacted_message_is_gone(end: Fact) -> None:
    assert message_after(ASKED, end) is None
    stray = message_after(ASKED, end, MessageAmended(message_id="m", content="x"))
    assert stray is not None
    assert (stray.missing_since, stray.role, stray.content) == (at(3), "", None)
    assert message_after(ASKED, end, MessageAmended(message_id="m"), end, ASKED) is not None


def test_a_message_without_an_id_can_be_redacted_by_its_event_id() -> None:
    assert message_after(MessageAppended(role="user"), ContentRedacted(message_ids=["e1"])) is None


def piece(delta: str, kind: Any = "text") -> MessageStreamed:
    return MessageStreamed(message_id="m", delta=delta, kind=kind)


def test_pieces_build_a_partial_message_until_it_is_appended() -> None:
    pieces = [piece("Hm", "thought"), piece("The"), piece("", "tool_call_draft"), piece("re.")]
    assert message_after(*pieces) == expected(
        4, role="assistant", content="There.", reasoning="Hm", is_partial=True
    )
    settled = MessageAppended(role="assistant", message_id="m", content="There!")
    assert unmarked(message_after(*pieces, settled, piece("more"))) == expected(
        6, role="assistant", content="There!", reasoning="Hm", event_id="e5"
    )


def test_a_piece_of_a_message_that_was_amended_to_parts_changes_nothing() -> None:
    parts = [{"type": "text", "text": "Hello"}]
    message = only(
        MESSAGES,
        events_of(
            MessageStreamed(message_id="m", delta="Hel"),
            MessageAmended(message_id="m", content=parts),
            MessageStreamed(message_id="m", delta="lo"),
        ),
    )
    assert (message.content, message.is_partial) == (parts, True)
    assert [(one.sequence, one.reason) for one in message.anomalies] == [
        (3, "ignored, the message is no text")
    ]


def test_what_was_streamed_stands_in_for_an_empty_message() -> None:
    settled = MessageAppended(role="assistant", message_id="m", content="")
    assert message_after(piece("There."), settled) == expected(
        2, role="assistant", content="There.", event_id="e2"
    )


def test_pieces_without_an_id_are_no_message() -> None:
    assert fold(MESSAGES, events_of(MessageStreamed(delta="x"))) == {}


def test_a_stream_without_end_is_cut() -> None:
    message = message_after(piece("x" * STREAMED_CHARS_MAX), piece("y"))
    assert message is not None
    assert message.content == "x" * STREAMED_CHARS_MAX
