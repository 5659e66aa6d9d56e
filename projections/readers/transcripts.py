"""The conversation as it is read: messages in order, their tool calls with what became of them.

Rules of pairing: the facts of a call are found by its `call_id` where the message names it. Without
one, the provider's id decides; it may come back within a session, so calls take the results and the
recorded calls that carry it in their order, each at most once, results only from later messages.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

import msgspec

from ledger.plans import Plan

from ..folds.messages import MESSAGES, Message
from ..folds.traces import TRACES, Span
from .arguments import count_limit, flag
from .consistency import Consistency, SessionKey
from .reading import Reader


class TranscriptCall(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call that a message asks for: `call` as the message has it.

    `result` is the message that answers it and `span` the call as it was recorded; either is None
    where there is none, and both while it runs.
    """

    call: dict[str, Any]
    result: Message | None = None
    span: Span | None = None


class TranscriptLine(msgspec.Struct, frozen=True, kw_only=True):
    """A message, and the tool calls that it asks for. Results are lines of their own, too."""

    message: Message
    calls: list[TranscriptCall]


def transcript(
    reader: Reader,
    session: SessionKey,
    consistency: Consistency,
    *,
    limit: int | None,
    newest_first: bool,
    run_id: str | None,
) -> Plan[list[TranscriptLine]]:
    """Return the lines of a session or run; calls are paired before the limit cuts."""
    count = count_limit(limit)
    flag(newest_first, "newest_first")
    messages: list[Message] = yield from reader.listed(
        MESSAGES.name, session, consistency, run_id=run_id
    )
    spans: list[Span] = yield from reader.listed(
        TRACES.name, session, consistency, run_id=run_id, source="call"
    )
    lines = paired(messages, spans)
    return (lines[::-1] if newest_first else lines)[:count]


def paired(messages: Sequence[Message], spans: Sequence[Span]) -> list[TranscriptLine]:
    """Return the messages, which come in order, with their calls. Pure."""
    by_call_id = {one.own_id: one for one in spans}
    named = {call.get("call_id") for message in messages for call in message.tool_calls or ()}
    recorded: defaultdict[str | None, deque[Span]] = defaultdict(deque)
    for one in spans:
        if one.own_id not in named:
            recorded[one.tool_call_id].append(one)
    results: defaultdict[str, deque[Message]] = defaultdict(deque)
    for message in messages:
        if message.role == "tool" and message.tool_call_id is not None:
            results[message.tool_call_id].append(message)
    lines = []
    for message in messages:
        calls = []
        for call in message.tool_calls or ():
            span: Span | None = by_call_id.get(call.get("call_id", ""))
            unnamed = recorded[call.get("id")]
            if call.get("call_id") is None and unnamed:
                span = unnamed.popleft()
            result = _next(results[call.get("id", "")], message.first_sequence)
            calls.append(TranscriptCall(call=call, result=result, span=span))
        lines.append(TranscriptLine(message=message, calls=calls))
    return lines


def _next(results: deque[Message], after: int) -> Message | None:
    """Take the first result behind a message; those before it answer nothing any more."""
    while results and results[0].first_sequence <= after:
        results.popleft()
    return results.popleft() if results else None
