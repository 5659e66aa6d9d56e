"""Appending to one session: numbers, answers, expectations and atomicity."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from ledger import InvalidArgument, InvalidEvent, NewEvent, SequenceConflict, new_event_id
from tests.support.builders import note, notes, sequences, texts, whole_feed

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def test_the_first_event_of_a_session_gets_sequence_1(ledger: Any) -> None:
    appended = ledger.append("s", note("a"))
    assert (appended.sequence, appended.stored) == (1, True)


def test_asm_35_two_appends_get_1_and_2(ledger: Any) -> None:
    assert (ledger.append("s", note()).sequence, ledger.append("s", note()).sequence) == (1, 2)
    assert ledger.head("s") == 2


def test_asm_37_every_session_starts_at_1(ledger: Any) -> None:
    assert sequences(ledger.append(session, note()) for session in "abc") == [1, 1, 1]


def test_asm_44_a_batch_is_numbered_in_its_order(ledger: Any) -> None:
    assert sequences(ledger.append("s", notes("ab"))) == [1, 2]
    assert sequences(ledger.append("s", notes("cde"))) == [3, 4, 5]
    assert texts(ledger.read("s")) == list("abcde")


def test_asm_48_a_batch_may_have_3_000_events(ledger: Any) -> None:
    answers = ledger.append("s", notes(map(str, range(3_000))))
    assert sequences(answers) == list(range(1, 3_001))
    assert texts(ledger.read("s")) == [str(number) for number in range(3_000)]


def test_u_01_sequences_are_dense_per_session(ledger: Any) -> None:
    for text in "abc":
        ledger.append("s", note(text))
        ledger.append("other", note(text))
    assert sequences(ledger.read("s")) == sequences(ledger.read("other")) == [1, 2, 3]


def test_positions_are_dense_per_bucket(open_ledger: Callable[..., Any]) -> None:
    ledger = open_ledger(buckets=2)
    for number in range(20):
        ledger.append(f"s{number}", note())
    for bucket in range(2):
        positions = [e.position for e in whole_feed(ledger) if e.bucket == bucket]
        assert positions == list(range(1, len(positions) + 1))


def test_asm_42_a_session_needs_no_announcement(ledger: Any) -> None:
    assert ledger.append("never mentioned before", note()).sequence == 1


def test_appended_events_equal_the_events_read_back(ledger: Any) -> None:
    answers = ledger.append("s", [note("a"), note("b", run_id="r", metadata={"k": [1]})])
    assert [answer.event for answer in answers] == ledger.read("s")


def test_asm_39_every_field_comes_back_as_it_was_given(ledger: Any) -> None:
    header = {
        "event_id": "e-1",
        "run_id": "r-1",
        "schema_version": 7,
        "actor": "someone",
        "causation_id": "c-0",
        "correlation_id": "c-1",
        "trace_id": "t-1",
        "span_id": "p-1",
        "metadata": {"b": [1, {"c": None}], "a": "ü"},
    }
    ledger.append("s", NewEvent({"x": 1.5}, "thing", occurred_at=NOON, **header), tenant="t")
    (event,) = ledger.read("s", tenant="t")
    assert {name: getattr(event, name) for name in header} == header
    assert (event.tenant, event.session_id, event.type, event.data) == (
        "t",
        "s",
        "thing",
        {"x": 1.5},
    )
    assert (event.occurred_at, event.content_type) == (NOON, "application/json")


def test_what_was_left_out_stays_out(ledger: Any) -> None:
    event = ledger.append("s", note()).event
    optional = ("run_id", "actor", "causation_id", "correlation_id", "trace_id", "span_id")
    assert {getattr(event, name) for name in optional} == {None}
    assert (event.schema_version, event.metadata) == (1, {})


def test_an_event_gets_an_id_before_it_is_appended(ledger: Any) -> None:
    event = note()
    assert ledger.append("s", event).event.event_id == event.event_id


def test_new_event_ids_are_version_7_and_grow() -> None:
    ids = [new_event_id() for _ in range(1_000)]
    assert {(one[14], one[19] in "89ab") for one in ids} == {("7", True)}
    assert len(set(ids)) == 1_000
    assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)


def test_a_time_keeps_its_microseconds_and_becomes_utc(ledger: Any) -> None:
    moment = NOON.replace(microsecond=123_456).astimezone(timezone(timedelta(hours=5, minutes=30)))
    event = ledger.append("s", note(occurred_at=moment)).event
    assert event.occurred_at == moment
    assert ledger.read("s") == [event]


@pytest.mark.parametrize(
    "moment",
    [datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)],
    ids=["first", "last"],
)
def test_every_time_from_1970_on_is_kept(ledger: Any, moment: datetime) -> None:
    ledger.append("s", note(occurred_at=moment))
    assert [event.occurred_at for event in ledger.read("s")] == [moment]


def test_without_a_time_the_event_occurs_when_it_is_appended(ledger: Any) -> None:
    before = datetime.now(UTC)
    event = ledger.append("s", note()).event
    assert before <= event.occurred_at <= datetime.now(UTC)


def test_u_06_order_is_by_sequence_whatever_the_clock_says(ledger: Any) -> None:
    for text, seconds in (("a", 0), ("b", 0), ("c", -60), ("d", 60), ("e", -120)):
        ledger.append("s", note(text, occurred_at=NOON + timedelta(seconds=seconds)))
    assert texts(ledger.read("s")) == texts(whole_feed(ledger)) == list("abcde")


def test_recorded_times_never_go_backwards(ledger: Any) -> None:
    for text in "abcdef":
        ledger.append("s", note(text))
    recorded = [event.recorded_us for event in ledger.read("s")]
    assert recorded == sorted(recorded)


def test_u_02_a_stale_expectation_conflicts_and_stores_nothing(ledger: Any) -> None:
    ledger.append("s", note("a"))
    with pytest.raises(SequenceConflict, match="read the session") as caught:
        ledger.append("s", notes("bc"), expected=0)
    error = caught.value
    assert (error.tenant, error.session_id, error.expected, error.actual) == ("", "s", 0, 1)
    assert texts(ledger.read("s")) == ["a"]


def test_u_02_the_current_expectation_is_met(ledger: Any) -> None:
    ledger.append("s", note("a"), expected=0)
    assert ledger.append("s", note("b"), expected=1).sequence == 2


def test_an_expectation_ahead_of_the_session_conflicts(ledger: Any) -> None:
    with pytest.raises(SequenceConflict) as caught:
        ledger.append("s", note(), expected=1)
    assert caught.value.actual == 0


def test_an_expectation_may_be_as_large_as_a_sequence(ledger: Any) -> None:
    with pytest.raises(SequenceConflict):
        ledger.append("s", note(), expected=2**63 - 1)
    assert ledger.head("s") == 0


@pytest.mark.parametrize("expected", [-1, 1.0, True, "1", 2**63])
def test_an_expectation_that_is_no_sequence_is_refused(ledger: Any, expected: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ledger.append("s", note(), expected=expected)
    assert caught.value.argument == "expected"


def test_after_a_refusal_the_session_goes_on(ledger: Any) -> None:
    with pytest.raises(InvalidEvent):
        ledger.append("s", [note("a"), note("b", occurred_at=datetime(2024, 5, 1))])
    assert ledger.append("s", note("c")).sequence == 1


def test_nothing_to_append_is_refused(ledger: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ledger.append("s", [])
    assert caught.value.argument == "events"


def test_u_16_what_the_caller_does_later_changes_nothing(ledger: Any) -> None:
    payload: dict[str, Any] = {"list": [1]}
    answer = ledger.append("s", NewEvent(payload, "x", event_id="e"))
    payload["list"].append(2)
    answer.event.data["list"].append(3)
    ledger.read("s")[0].data["list"].append(4)
    ledger.get("s", "e").metadata["x"] = 5
    event = ledger.get("s", "e")
    assert (event.data, event.metadata) == ({"list": [1]}, {})
    assert whole_feed(ledger) == [event]
