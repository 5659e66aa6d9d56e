"""Appending to several sessions at once: all of it or nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger import Append, EventIdReused, InvalidArgument, InvalidEvent, SequenceConflict
from tests.support.builders import (
    note,
    notes,
    sequences,
    sessions_in_buckets,
    texts,
    together,
    whole_feed,
)


def test_asm_46_every_session_of_a_batch_gets_its_own_numbers(ledger: Any) -> None:
    ledger.append("a", note("0"))
    answers = ledger.append_many([Append("a", notes("12")), Append("b", notes("34"))])
    assert [sequences(part) for part in answers] == [[2, 3], [1, 2]]
    assert [texts(ledger.read(session)) for session in "ab"] == [["0", "1", "2"], ["3", "4"]]


def test_the_answer_is_what_a_reader_sees(ledger: Any) -> None:
    answers = ledger.append_many([Append("b", notes("12")), Append("a", note("3"))])
    assert [[answer.event for answer in part] for part in answers] == [
        ledger.read("b"),
        ledger.read("a"),
    ]


def test_a_batch_may_span_tenants(ledger: Any) -> None:
    ledger.append_many([Append("s", note("1"), "t"), Append("s", note("2"), "u")])
    assert texts(ledger.read("s", tenant="t")) == ["1"]
    assert texts(ledger.read("s", tenant="u")) == ["2"]
    assert ledger.read("s") == []


def test_asm_u7_interleaved_sessions_keep_the_callers_order(ledger: Any) -> None:
    answers = ledger.append_many(
        [Append(session, note(text)) for session, text in zip("xyxy", "1234", strict=True)]
    )
    assert [sequences(part) for part in answers] == [[1], [1], [2], [2]]
    assert [texts(ledger.read(session)) for session in "xy"] == [["1", "3"], ["2", "4"]]


def test_u_04_one_conflict_refuses_the_whole_batch(open_ledger: Callable[..., Any]) -> None:
    ledger = open_ledger(buckets=8)
    a, b, c = sessions_in_buckets(ledger, 3)
    ledger.append(b, note("x"))
    with pytest.raises(SequenceConflict) as caught:
        ledger.append_many(
            [Append(a, note("1")), Append(b, note("2"), expected=0), Append(c, note("3"))]
        )
    assert (caught.value.session_id, caught.value.actual) == (b, 1)
    assert texts(whole_feed(ledger)) == ["x"]
    assert [ledger.head(session) for session in (a, b, c)] == [0, 1, 0]


def test_u_04_one_reused_id_refuses_the_whole_batch(ledger: Any) -> None:
    ledger.append("b", note("x", event_id="e"))
    with pytest.raises(EventIdReused) as caught:
        ledger.append_many([Append("a", note("1")), Append("b", note("2", event_id="e"))])
    assert caught.value.session_id == "b"
    assert texts(whole_feed(ledger)) == ["x"]


def test_asm_50_one_invalid_event_refuses_the_whole_batch(ledger: Any) -> None:
    with pytest.raises(InvalidEvent):
        ledger.append_many([Append("a", note("1")), Append("b", note("2", run_id=""))])
    assert whole_feed(ledger) == []


def test_every_session_may_have_an_expectation(ledger: Any) -> None:
    ledger.append("a", note("0"))
    answers = ledger.append_many(
        [Append("a", note("1"), expected=1), Append("b", notes("23"), expected=0)]
    )
    assert [sequences(part) for part in answers] == [[2], [1, 2]]


def test_an_expectation_is_for_the_whole_batch(ledger: Any) -> None:
    answers = ledger.append_many([Append("a", note("1"), expected=0), Append("a", note("2"))])
    assert [sequences(part) for part in answers] == [[1], [2]]


def test_only_the_first_append_of_a_session_may_expect(ledger: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ledger.append_many([Append("a", note("1")), Append("a", note("2"), expected=1)])
    assert (caught.value.argument, ledger.head("a")) == ("expected", 0)


@pytest.mark.parametrize(
    "appends",
    [
        [],
        [Append("a", [])],
        [Append("a", note()), Append("b", [])],
        [Append("a", []), Append("b", note())],
    ],
)
def test_nothing_to_append_is_refused(ledger: Any, appends: list[Append]) -> None:
    with pytest.raises(InvalidArgument):
        ledger.append_many(appends)
    assert whole_feed(ledger) == []


def test_what_is_no_append_is_refused(ledger: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ledger.append_many([("s", note())])
    assert caught.value.argument == "appends"


def test_batches_that_cross_each_other_do_not_lock_up(open_ledger: Callable[..., Any]) -> None:
    ledger = open_ledger(buckets=8)
    sessions = sessions_in_buckets(ledger, 4)
    orders = [sessions, sessions[::-1], sessions[2:] + sessions[:2]] * 8
    answers = together(
        [lambda o=order: ledger.append_many([Append(one, note()) for one in o]) for order in orders]
    )
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert [ledger.head(session) for session in sessions] == [24] * 4
