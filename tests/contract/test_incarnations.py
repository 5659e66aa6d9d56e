"""Appends for one incarnation: stored while it stands, refused once its session was deleted."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ledger import (
    Append,
    EventIdReused,
    IncarnationConflict,
    InvalidArgument,
    NewEvent,
    SequenceConflict,
)
from tests.support.blocking import Blocking, LoopThread
from tests.support.builders import note, notes, sequences, texts, together, whole_feed


@pytest.fixture
def deleted(ledger: Any) -> Any:
    """A ledger whose session s has a b, both deleted: its incarnation is 3."""
    ledger.append("s", [note("a", event_id="a"), note("b", event_id="b")], incarnation=0)
    assert ledger.delete("s")
    return ledger


def test_events_are_stored_only_while_their_incarnation_stands(deleted: Any) -> None:
    for events in (note("c"), notes("cd"), [note("a", event_id="a"), note("c")]):
        with pytest.raises(IncarnationConflict, match="heads") as caught:
            deleted.append("s", events, incarnation=0)
        error = caught.value
        assert (error.session_id, error.tenant, error.expected, error.actual) == ("s", "", 0, 3)
    assert deleted.head("s") == 3
    assert deleted.append("s", note("c"), incarnation=3).sequence == 4
    assert sequences(deleted.append("s", notes("de"), incarnation=3)) == [5, 6]
    with pytest.raises(IncarnationConflict):
        deleted.append("s", note("f"), incarnation=4)
    with pytest.raises(IncarnationConflict):  # one that never was
        deleted.append("new", note("f"), incarnation=1)
    assert texts(deleted.read("s")) == ["c", "d", "e"]


def test_a_repeated_event_is_answered_as_ever_also_when_its_incarnation_is_over(
    deleted: Any,
) -> None:
    # The answer to the first try may have been lost: who takes the repeat for refused would append
    # the event again, to the next incarnation.
    for again in (note("a", event_id="a"), [note("b", event_id="b"), note("a", event_id="a")]):
        answers = deleted.append("s", again, incarnation=0)
        answers = answers if isinstance(answers, list) else [answers]
        assert not any(answer.stored for answer in answers)
        assert max(sequences(answers)) < 3
    with pytest.raises(EventIdReused):
        deleted.append("s", note("other", event_id="a"), incarnation=0)
    assert deleted.head("s") == 3


def test_one_session_of_a_batch_that_was_deleted_refuses_the_batch(deleted: Any) -> None:
    with pytest.raises(IncarnationConflict) as caught:
        deleted.append_many(
            [
                Append("new", note("c"), incarnation=0),
                Append("s", note("d"), "t", incarnation=0),
                Append("s", note("d"), incarnation=0),
            ]
        )
    assert (caught.value.tenant, caught.value.actual) == ("", 3)
    assert texts(whole_feed(deleted)) == ["a", "b", "session.deleted"]
    answers = deleted.append_many(
        [
            Append("new", note("c"), incarnation=0),
            Append("s", note("d"), incarnation=3),
            Append("s", note("e")),  # the rest of the session's part
        ]
    )
    assert list(map(sequences, answers)) == [[1], [4], [5]]


def test_an_incarnation_is_told_before_a_sequence(deleted: Any) -> None:
    with pytest.raises(IncarnationConflict):
        deleted.append("s", note("c"), expected=2, incarnation=0)
    with pytest.raises(SequenceConflict):
        deleted.append("s", note("c"), expected=2, incarnation=3)
    assert deleted.append("s", note("c"), expected=3, incarnation=3).stored
    assert not deleted.append("s", note("a", event_id="a"), expected=0, incarnation=0).stored


def test_a_deletion_ends_the_incarnation_within_one_transaction(
    ledger: Any, loop: LoopThread | None
) -> None:
    backend = ledger.backend if loop is None else Blocking(ledger.backend, loop)

    def unit(*events: NewEvent, **conditions: Any) -> Any:
        return ledger.door.batch([Append("s", events, **conditions)]).unit

    ending = NewEvent({}, "session.deleted")
    stored, kept, left, refused, next_, wrong = backend.append(
        [
            unit(note("a")),
            unit(note("b"), incarnation=0),
            unit(note("c"), ending, note("d"), incarnation=0),
            unit(note("e"), incarnation=0),
            unit(note("f"), incarnation=4),
            unit(note("g"), expected=1, incarnation=4),
        ],
        wait=True,
    )
    assert list(map(sequences, (stored, kept, left, next_))) == [[1], [2], [3, 4, 5], [6]]
    assert (type(refused), refused.actual) == (IncarnationConflict, 4)
    assert (type(wrong), wrong.actual) == (SequenceConflict, 6)
    assert texts(ledger.read("s")) == ["d", "f"]


def test_a_repeat_behind_others_of_its_transaction_is_still_one(
    ledger: Any, loop: LoopThread | None
) -> None:
    backend = ledger.backend if loop is None else Blocking(ledger.backend, loop)
    first = note("a", event_id="a")
    ledger.append("s", first)
    appends = [
        Append("s", [note("b")]),
        Append("s", [first], expected=1),
        Append("s", [NewEvent({}, "session.deleted")]),
        Append("s", [first], incarnation=0),
    ]
    units = [ledger.door.batch([append]).unit for append in appends]
    numbered = [numbers[0] for numbers in backend.append(units, wait=True)]
    assert [(one.sequence, one.stored) for one in numbered] == [
        (2, True),
        (1, False),
        (3, True),
        (1, False),
    ]


def test_appends_and_deletions_at_once_leave_no_event_in_a_later_incarnation(ledger: Any) -> None:
    ledger.append("s", note("0"))
    start = threading.Barrier(8)

    def write(number: int) -> Any:
        start.wait()
        if number % 4 == 3:
            return ledger.delete("s")
        head = ledger.heads(["s"])["s"]
        event = note(str(head.incarnation))
        return ledger.append("s", event, incarnation=head.incarnation)

    outcomes = together([partial(write, number) for number in range(8)])
    refused = [one for one in outcomes if isinstance(one, Exception)]
    assert all(isinstance(one, IncarnationConflict) for one in refused)
    assert all(one.expected < one.actual for one in refused)
    incarnation = 0
    for event in ledger.read("s", deleted=True):
        if event.type == "session.deleted":
            incarnation = event.sequence
        else:
            assert event.data["text"] == str(incarnation)


def test_an_incarnation_that_is_none_is_refused(ledger: Any) -> None:
    calls: list[Callable[[], Any]] = [
        partial(ledger.append, "s", note(), incarnation=value)
        for value in (-1, "0", True, 1.0, 2**63, 10**5_000)
    ]
    several = [Append("s", note()), Append("s", note(), incarnation=0)]
    for call in (*calls, partial(ledger.append_many, several)):
        with pytest.raises(InvalidArgument) as caught:
            call()
        assert caught.value.argument == "incarnation"
    assert ledger.head("s") == 0
