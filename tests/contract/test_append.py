"""Appending: numbers, answers and atomicity."""

from typing import Any

import pytest

from ledger import Append, EventIdReused, NewEvent, SequenceConflict


def note(text: str, **header: Any) -> NewEvent:
    return NewEvent({"text": text}, "note", **header)


def test_the_first_event_of_a_session_gets_sequence_1(ledger: Any) -> None:
    appended = ledger.append("s", note("a"))
    assert (appended.sequence, appended.stored) == (1, True)


def test_sequences_are_dense_per_session(ledger: Any) -> None:
    for text in "abc":
        ledger.append("s", note(text))
    ledger.append("other", note("x"))
    assert [event.sequence for event in ledger.read("s")] == [1, 2, 3]
    assert [event.sequence for event in ledger.read("other")] == [1]


def test_appended_events_equal_the_events_read_back(ledger: Any) -> None:
    answers = ledger.append("s", [note("a"), note("b", run_id="r", metadata={"k": [1]})])
    assert [answer.event for answer in answers] == ledger.read("s")


def test_a_stale_expectation_conflicts_and_stores_nothing(ledger: Any) -> None:
    ledger.append("s", note("a"))
    with pytest.raises(SequenceConflict) as caught:
        ledger.append("s", note("b"), expected=0)
    assert (caught.value.expected, caught.value.actual) == (0, 1)
    assert ledger.head("s") == 1


def test_the_current_expectation_is_met(ledger: Any) -> None:
    ledger.append("s", note("a"), expected=0)
    assert ledger.append("s", note("b"), expected=1).sequence == 2


def test_repeating_an_id_returns_the_first_record(ledger: Any) -> None:
    first = ledger.append("s", note("a", event_id="e"))
    again = ledger.append("s", note("a", event_id="e"))
    assert (again.stored, again.event) == (False, first.event)
    assert ledger.head("s") == 1


def test_an_id_with_other_content_is_refused(ledger: Any) -> None:
    ledger.append("s", note("a", event_id="e"))
    with pytest.raises(EventIdReused):
        ledger.append("s", [note("new"), note("b", event_id="e")])
    assert ledger.head("s") == 1


def test_a_batch_over_sessions_is_all_or_nothing(ledger: Any) -> None:
    ledger.append("b", note("x"))
    with pytest.raises(SequenceConflict):
        ledger.append_many([Append("a", [note("1")]), Append("b", [note("2")], expected=0)])
    assert (ledger.head("a"), ledger.head("b")) == (0, 1)
