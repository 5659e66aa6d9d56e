"""Event ids: repeating is safe, reusing is refused, and both only within a session."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger import Append, EventIdReused, NewEvent, SequenceConflict
from tests.support.builders import note, sequences, texts

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
FIELDS: dict[str, Any] = {
    "type": "other",
    "schema_version": 2,
    "run_id": "r",
    "occurred_at": NOON + timedelta(microseconds=1),
    "actor": "a",
    "causation_id": "c",
    "correlation_id": "c",
    "trace_id": "t",
    "span_id": "p",
    "metadata": {"k": 1},
    "payload": {"text": "b"},
}


def whole(**changed: Any) -> NewEvent:
    """An event with every field of its header set, changed as asked."""
    same = {"payload": {"text": "a"}, "type": "note", "schema_version": 1, "occurred_at": NOON}
    header = {name: "x" for name in FIELDS if name not in same} | {"metadata": {"k": 0}}
    return NewEvent(**(same | header | {"event_id": "e"} | changed))


def test_u_03_repeating_an_id_returns_the_first_record(ledger: Any) -> None:
    first = ledger.append("s", note("a", event_id="e"))
    again = ledger.append("s", note("a", event_id="e"))
    assert (again.stored, again.event) == (False, first.event)
    assert ledger.head("s") == 1


def test_asm_34_however_often_an_event_comes_it_is_there_once(ledger: Any) -> None:
    event = note("a")
    assert sequences(ledger.append("s", event) for _ in range(3)) == [1, 1, 1]
    assert texts(ledger.read("s")) == ["a"]


def test_a_repeat_of_every_field_is_the_same_event(ledger: Any) -> None:
    first = ledger.append("s", whole())
    again = ledger.append("s", whole())
    assert (again.stored, again.event) == (False, first.event)


def test_a_repeat_after_reopening_is_the_same_event(
    open_ledger: Callable[..., Any], url: str
) -> None:
    first = open_ledger()
    answer = first.append("s", whole())
    again = first
    if url != "memory:":
        first.close()
        again = open_ledger()
    assert again.append("s", whole()).event == answer.event


def test_another_value_in_any_field_is_another_event(ledger: Any) -> None:
    ledger.append("s", whole())
    for field, value in FIELDS.items():
        with pytest.raises(EventIdReused, match="id of its own") as caught:
            ledger.append("s", whole(**{field: value}))
        error = caught.value
        assert (error.tenant, error.session_id, error.event_id) == ("", "s", "e"), field
    assert ledger.head("s") == 1


def test_a_field_left_out_is_another_value(ledger: Any) -> None:
    ledger.append("s", whole())
    for field in ("run_id", "actor", "causation_id", "correlation_id", "trace_id", "span_id"):
        with pytest.raises(EventIdReused):
            ledger.append("s", whole(**{field: None}))
        ledger.append("s", whole(**{field: None, "event_id": field}))
        with pytest.raises(EventIdReused):
            ledger.append("s", whole(event_id=field))


def test_another_content_type_is_another_event(ledger: Any) -> None:
    ledger.append("s", NewEvent(b"{}", "x", event_id="e", content_type="text/plain"))
    with pytest.raises(EventIdReused):
        ledger.append("s", NewEvent(b"{}", "x", event_id="e", content_type="image/png"))
    with pytest.raises(EventIdReused):
        ledger.append("s", NewEvent({}, "x", event_id="e"))


def test_a_time_left_out_is_not_compared(ledger: Any) -> None:
    first = ledger.append("s", note("a", event_id="e", occurred_at=NOON))
    again = ledger.append("s", note("a", event_id="e"))
    assert (again.stored, again.event) == (False, first.event)


def test_a_time_given_later_is_compared(ledger: Any) -> None:
    ledger.append("s", note("a", event_id="e"))
    with pytest.raises(EventIdReused):
        ledger.append("s", note("a", event_id="e", occurred_at=NOON))


def test_the_same_moment_in_another_zone_is_the_same(ledger: Any) -> None:
    ledger.append("s", note(event_id="e", occurred_at=NOON))
    assert not ledger.append("s", note(event_id="e", occurred_at=NOON.astimezone())).stored


def test_the_order_of_keys_is_no_content(ledger: Any) -> None:
    ledger.append("s", NewEvent({"a": 1, "b": 2}, "x", "e", metadata={"c": 1, "d": 2}))
    again = NewEvent({"b": 2, "a": 1}, "x", "e", metadata={"d": 2, "c": 1})
    assert not ledger.append("s", again).stored


@pytest.mark.parametrize("other", [1.0, True, "1"], ids=repr)
def test_a_value_of_another_kind_is_another_content(ledger: Any, other: Any) -> None:
    ledger.append("s", NewEvent({"a": 1}, "x", "e"))
    with pytest.raises(EventIdReused):
        ledger.append("s", NewEvent({"a": other}, "x", "e"))


def test_ids_are_compared_letter_by_letter(ledger: Any) -> None:
    ids = ["e", "E", "e ", "é", "e\u0301"]
    assert sequences(ledger.append("s", note(event_id=one)) for one in ids) == [1, 2, 3, 4, 5]


def test_the_same_id_is_independent_in_another_session_or_tenant(ledger: Any) -> None:
    ledger.append("s", note("a", event_id="e"))
    ledger.append("s2", note("b", event_id="e"))
    ledger.append("s", note("c", event_id="e"), tenant="t")
    found = [ledger.get("s", "e"), ledger.get("s2", "e"), ledger.get("s", "e", tenant="t")]
    assert texts(found) == ["a", "b", "c"]


# Within batches.


def test_asm_45_the_same_event_twice_in_a_batch_is_there_once(ledger: Any) -> None:
    event = note("a")
    one, two = ledger.append("s", [event, event])
    assert (one.event, ledger.read("s")) == (two.event, [one.event])
    assert (one.stored, two.stored) == (True, False)
    several = [
        Append("s", [event, note("b", event_id="b")]),
        Append("t", note("b", event_id="b")),
        Append("s", [note("b", event_id="b"), note("c")]),
    ]
    stored = [[answer.stored for answer in answers] for answers in ledger.append_many(several)]
    assert stored == [[False, True], [True], [False, True]]


def test_asm_47_a_known_event_twice_in_a_batch_is_answered_twice(ledger: Any) -> None:
    event = note("a")
    first = ledger.append("s", event)
    answers = ledger.append("s", [event, note("b"), event])
    assert sequences(answers) == [1, 2, 1]
    assert [answer.stored for answer in answers] == [False, True, False]
    assert answers[0].event == first.event


def test_an_id_twice_in_a_batch_with_other_content_is_refused(ledger: Any) -> None:
    with pytest.raises(EventIdReused) as caught:
        ledger.append("s", [note("a", event_id="e"), note("b", event_id="e")])
    assert (caught.value.event_id, ledger.head("s")) == ("e", 0)


def test_a_batch_with_one_reused_id_is_refused_whole(ledger: Any) -> None:
    ledger.append("s", note("a", event_id="e"))
    with pytest.raises(EventIdReused):
        ledger.append("s", [note("new"), note("b", event_id="e")])
    assert texts(ledger.read("s")) == ["a"]


def test_what_a_batch_brings_anew_follows_what_is_there(ledger: Any) -> None:
    events = [note(text, event_id=text) for text in "abcd"]
    ledger.append("s", events[1])
    ledger.append("s", events[3])
    answers = ledger.append("s", events)
    assert sequences(answers) == [3, 1, 4, 2]
    assert [answer.stored for answer in answers] == [True, False, True, False]
    assert texts(ledger.read("s")) == ["b", "d", "a", "c"]
    assert [answer.event for answer in answers] == [ledger.get("s", text) for text in "abcd"]


# Together with expectations.


def test_a_repeat_is_answered_although_its_expectation_is_stale(ledger: Any) -> None:
    first = ledger.append("s", note("a", event_id="e"), expected=0)
    ledger.append("s", note("b"))
    again = ledger.append("s", note("a", event_id="e"), expected=0)
    assert (again.stored, again.event) == (False, first.event)


def test_a_batch_that_is_known_whole_needs_no_expectation(ledger: Any) -> None:
    events = [note("a"), note("b")]
    ledger.append("s", events, expected=0)
    assert [answer.stored for answer in ledger.append("s", events, expected=0)] == [False, False]


def test_a_batch_that_is_known_in_part_keeps_its_expectation(ledger: Any) -> None:
    known = note("a")
    ledger.append("s", known)
    with pytest.raises(SequenceConflict):
        ledger.append("s", [known, note("b")], expected=0)
    assert sequences(ledger.append("s", [known, note("b")], expected=1)) == [1, 2]


def test_other_content_is_told_before_a_stale_expectation(ledger: Any) -> None:
    ledger.append("s", note("a", event_id="e"))
    with pytest.raises(EventIdReused):
        ledger.append("s", note("b", event_id="e"), expected=0)


def test_a_repeat_of_a_deleted_event_is_still_known(ledger: Any) -> None:
    event = note("a")
    ledger.append("s", event)
    ledger.delete("s")
    again = ledger.append("s", event)
    assert (again.stored, again.sequence, ledger.head("s")) == (False, 1, 2)


def test_repeats_in_several_sessions_are_answered_in_order(ledger: Any) -> None:
    a, b = note("a"), note("b")
    ledger.append("x", a)
    answers = ledger.append_many([Append("y", [b]), Append("x", [b, a]), Append("y", [a, b])])
    assert [sequences(part) for part in answers] == [[1], [2, 1], [2, 1]]
