"""What has to be said so that stored messages become the ones of a saved session. Pure.

The log only grows at its end, so of what is stored one piece stays, and what the session says
behind it is appended. Turns that were trimmed in front of that piece are not deleted: a window
leaves them out of the session, and they stay in the transcript. What was popped or replaced leaves
the transcript too, and stays in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import eq
from typing import Any

import msgspec

from ledger import NewEvent
from ledger.catalogue import MessageAmended, MessageDeleted

from ...folds.messages import Message
from .chat_messages import (
    NAMES,
    ChatMessage,
    appended,
    chat_message,
    listed,
    own,
    system_prefix,
)

#: Each is compared with all that are stored; of more of them texts are made instead, once each.
_NEW_FEW = 8
#: Messages or their texts.
Comparable = tuple[Any, ...]
_text = msgspec.json.Encoder(order="deterministic").encode


class Window(msgspec.Struct, frozen=True):
    """Which messages a session has: those up to one sequence, and those from another one on."""

    prefix_through: int = 0
    rest_from: int = 0

    def holds(self, message: Message) -> bool:
        """Whether a message belongs to the session, and not only to its transcript."""
        sequence = message.first_sequence
        inside = sequence <= self.prefix_through or sequence >= self.rest_from
        return inside and not message.is_partial


class Placed(msgspec.Struct, frozen=True):
    """A stored message: the sequence at which it stands, its id, and what it says."""

    sequence: int
    message_id: str
    said: ChatMessage


def placed(message: Message) -> Placed:
    """Return a row of the messages view as a message in its place."""
    return Placed(message.first_sequence, message.message_id, chat_message(message))


class Changes(msgspec.Struct, frozen=True):
    """The facts to append, in order, and what is stored behind them: messages in their window."""

    facts: list[NewEvent]
    window: Window
    messages: tuple[Placed, ...]


def changes(
    stored: Sequence[Placed], wanted: tuple[ChatMessage, ...], window: Window, next_sequence: int
) -> Changes:
    """Return what turns the stored messages of a window into the wanted ones.

    `next_sequence` is the sequence that the first of the facts will have.
    """
    said = tuple([message.said for message in stored])
    told, telling = _comparable(said, wanted)
    prefix = min(system_prefix(said), system_prefix(wanted))
    if window.rest_from:
        # A window has one gap, so nothing behind it may become part of what stands before it.
        before = sum(message.sequence <= window.prefix_through for message in stored)
        prefix = min(prefix, before)
    facts = [
        _amended(stored[place], new)
        for place, new in enumerate(wanted[:prefix])
        if telling[place] != told[place]
    ]
    rest, ahead = stored[prefix:], wanted[prefix:]
    trimmed, kept = _kept(told[prefix:], telling[prefix:])
    facts += [_deleted(message) for message in rest[trimmed + kept :]]
    rest_from = next_sequence + len(facts)
    added = [appended(message) for message in ahead[kept:]]
    if trimmed:
        first_kept = rest[trimmed].sequence if kept else rest_from
        through = stored[prefix - 1].sequence if prefix else 0
        window = Window(through, first_kept)
    messages = (
        *(
            one if is_same else Placed(one.sequence, one.message_id, own(new))
            for one, new, is_same in zip(
                stored[:prefix], wanted, map(eq, told, telling), strict=False
            )
        ),
        *rest[trimmed : trimmed + kept],
        *(
            Placed(sequence, fact.event_id, own(new))
            for sequence, (fact, new) in enumerate(zip(added, ahead[kept:], strict=True), rest_from)
        ),
    )
    return Changes([*facts, *added], window, messages)


def _deleted(stored: Placed) -> NewEvent:
    deleted = {"message_id": stored.message_id, "reason": "replaced"}
    return NewEvent(deleted, MessageDeleted.event_type)


def _amended(stored: Placed, wanted: ChatMessage) -> NewEvent:
    """Return what changes in its place; a role stays, only standing instructions are amended."""
    amended: dict[str, Any] = {"message_id": stored.message_id}
    for name in wanted.__struct_fields__:
        value = getattr(wanted, name)
        if _text(value) != _text(getattr(stored.said, name)):
            amended[NAMES.get(name, name)] = listed(msgspec.to_builtins(value))
    return NewEvent(amended, MessageAmended.event_type)


def _comparable(
    stored: tuple[ChatMessage, ...], wanted: tuple[ChatMessage, ...]
) -> tuple[Comparable, Comparable]:
    """Return both lists as what is equal only where it says the same: 1, 1.0 and True are three.

    That is their texts, unless all that is wanted are stored objects and messages unlike any.
    """
    known = set(map(id, stored))
    new = [one for one in wanted if id(one) not in known]
    if len(new) <= _NEW_FEW and not any(one in stored for one in new):
        return stored, wanted
    return tuple(map(_text, stored)), tuple(map(_text, wanted))


def _kept(stored: Comparable, wanted: Comparable) -> tuple[int, int]:
    """Return how many stored messages are trimmed, and how many behind them the session begins with.

    Of several pieces that fit the one that reaches the end of what is stored, else the longest.
    """
    if not wanted:
        return len(stored), 0
    if wanted[0] not in stored:
        return 0, 0
    # Most sessions go on where they were, and what is the same object is found equal at once:
    # 1 µs of 50 messages, where the search below takes 39.
    place = stored.index(wanted[0])
    if stored[place:] == wanted[: len(stored) - place]:
        return place, len(stored) - place
    runs = _common_prefixes(wanted, stored)
    for place, run in enumerate(runs):
        if run == len(stored) - place:
            return place, run
    best = max(range(len(runs)), key=runs.__getitem__)
    return best, runs[best]


def _common_prefixes(wanted: Comparable, stored: Comparable) -> list[int]:
    """Return for each place of `stored` how much of `wanted` begins there: the Z-function.

    In linear time: a loop of a model that repeats itself would make anything else slow.
    """
    line = [*wanted, None, *stored]
    found = [0] * len(line)
    left = right = 0
    for place in range(1, len(line)):
        run = min(right - place, found[place - left]) if place < right else 0
        while place + run < len(line) and line[run] == line[place + run]:
            run += 1
        if place + run > right:
            left, right = place, place + run
        found[place] = run
    return found[len(wanted) + 1 :]
