"""Which events of a session a policy prunes, and the facts after which nobody shows them. Pure.

A message goes with its `message.appended`, and then whole: with its other events, and out of the
views. Its pieces alone go without it, for what they built up is still there. A tool call leaves the
traces with the first of its events that goes, for its row shows them all. What no redaction names
stays: a violation in its view, what was counted in a row of a run or a session, and in the traces a
call whose id a turn, a span or a step has too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from operator import itemgetter

import msgspec

from ledger import Event, NewEvent
from ledger.catalogue import MessageAppended, MessageStreamed, ToolFailed, ToolFinished, ToolStarted

from ...engine.projection import payload
from ..store_parts import in_pieces
from .reading import Shown
from .redactions import REDACTED, message_id

KEPT_TYPES = frozenset(
    {"session_created", "run_started", "run_completed", "error_occurred", "run_failed"}
)
#: The facts of work besides calls, which a redaction names by the same field.
OTHER_WORK = {
    **dict.fromkeys(("turn.started", "turn.finished", "turn.analysed"), "turn_id"),
    **dict.fromkeys(("span.started", "span.finished"), "span_id"),
    "trace.appended": "step_id",
}
#: One fact lists so many events at most, and names so many bytes, to stay far below the bounds.
PRUNED_PER_FACT_MAX = 1_000
NAMES_BYTES_MAX = 262_144

_APPENDED = MessageAppended.event_type
SAYING = frozenset({_APPENDED, MessageStreamed.event_type})
_CALLS = frozenset(one.event_type for one in (ToolStarted, ToolFinished, ToolFailed))
_text = msgspec.json.Encoder().encode


def beyond(shown: Sequence[Shown], events_max: int, first_types: Collection[str]) -> list[Event]:
    """Return the events that go: those of some types first, of each the oldest first."""
    surplus = max(0, len(shown) - events_max)
    # A message to which one of those belongs that never go has to stay with it.
    kept = {message_id(event) for event, record in shown if record.type in KEPT_TYPES} - {None}
    may_go = [
        (record.type not in first_types, event)
        for event, record in shown
        if record.type not in KEPT_TYPES and message_id(event) not in kept
    ]
    may_go.sort(key=itemgetter(0))
    going = {event.sequence: event for _, event in may_go[:surplus]}
    whole = messages_of(going.values(), shown)
    going |= {event.sequence: event for event, _ in shown if message_id(event) in whole}
    return list(going.values())


def pruning(
    gone: Sequence[Event], shown: Sequence[Shown], others: Iterable[Event], now: datetime
) -> list[NewEvent]:
    """Return the facts after which no view shows the events that go; `others` tell of OTHER_WORK."""
    messages = messages_of(gone, shown)
    # A redaction of a call would take along what else has its id.
    shared = {payload(one).get(OTHER_WORK[one.type]) or one.event_id for one in others}
    facts = []
    for events in in_pieces(gone, _bytes_of, PRUNED_PER_FACT_MAX, NAMES_BYTES_MAX):
        names = dict.fromkeys(message_id(one) for one in events if one.type in SAYING)
        calls = dict.fromkeys(map(call_id, events))
        said = {
            "sequences": [one.sequence for one in events],
            "message_ids": [name for name in names if name in messages],
            "span_ids": [name for name in calls if name is not None and name not in shared],
        }
        said = {name: listed for name, listed in said.items() if listed}
        facts.append(NewEvent({"reason": "pruned"} | said, REDACTED, occurred_at=now))
    return facts


def call_id(event: Event) -> str | None:
    """Return the tool call that an event is of."""
    named = payload(event).get("call_id") if event.type in _CALLS else None
    return named if isinstance(named, str) else None


def messages_of(gone: Iterable[Event], shown: Sequence[Shown]) -> set[str]:
    """Return the ids of messages that go with events: those said whole, or with nothing left."""
    going = {event.sequence: event for event in gone}
    whole = {message_id(one) for one in going.values() if one.type == _APPENDED}
    named = {message_id(one) for one in going.values()}
    left = {message_id(event) for event, _ in shown if event.sequence not in going}
    return {name for name in whole | (named - left) if name is not None}


def _bytes_of(event: Event) -> int:
    return len(_text([message_id(event), call_id(event)]))
