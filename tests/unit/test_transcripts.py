"""How tool calls are paired with what became of them."""

from __future__ import annotations

from typing import Any

from ledger.catalogue import Fact, MessageAppended, ToolCall, ToolFinished, ToolStarted
from projections.folds.messages import MESSAGES
from projections.folds.traces import TRACES
from projections.readers.transcripts import paired
from tests.support.folds import events_of, fold


def asked(*calls: ToolCall) -> MessageAppended:
    return MessageAppended(role="assistant", tool_calls=list(calls))


def answered(tool_call_id: str, content: str) -> MessageAppended:
    return MessageAppended(role="tool", tool_call_id=tool_call_id, content=content)


def calls_of(*facts: Fact) -> list[list[tuple[Any, Any]]]:
    """Return, per message with calls, each call's result and the output of its span."""
    events = events_of(*facts)
    lines = paired(list(fold(MESSAGES, events).values()), list(fold(TRACES, events).values()))
    return [
        [
            (call.result and call.result.content, call.span and call.span.output)
            for call in line.calls
        ]
        for line in lines
        if line.calls
    ]


def test_a_call_is_found_by_its_own_id() -> None:
    assert calls_of(
        asked(ToolCall(id="1", name="n", call_id="a"), ToolCall(id="2", name="n", call_id="b")),
        ToolStarted(call_id="b", tool_name="n", tool_call_id="1"),
        ToolStarted(call_id="a", tool_name="n", tool_call_id="2"),
        ToolFinished(call_id="a", tool_output="A"),
        ToolFinished(call_id="b", tool_output="B"),
        answered("2", "two"),
        answered("1", "one"),
    ) == [[("one", "A"), ("two", "B")]]


def test_a_providers_id_that_comes_back_pairs_in_order() -> None:
    again: list[Fact] = []
    for number in (1, 2):
        again += [
            asked(ToolCall(id="same", name="n")),
            ToolStarted(call_id=f"c{number}", tool_name="n", tool_call_id="same"),
            ToolFinished(call_id=f"c{number}", tool_output=number),
            answered("same", f"answer {number}"),
        ]
    assert calls_of(*again) == [[("answer 1", 1)], [("answer 2", 2)]]


def test_results_answer_earlier_messages_only_and_a_call_may_have_none() -> None:
    call = ToolCall(id="x", name="n")
    assert calls_of(answered("x", "early"), asked(call)) == [[(None, None)]]
    assert calls_of(asked(call), answered("y", "of another")) == [[(None, None)]]
    assert calls_of(asked(call, call), answered("x", "once")) == [[("once", None), (None, None)]]
