"""The door: what breaks a rule is refused by name, and nothing of the call is stored."""

import json
import types
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from ledger import Append, InvalidArgument, InvalidEvent, Limits, NewEvent
from ledger import limits as bounds
from ledger.catalogue import RunFinished, SessionClosed
from tests.support.awkward import Awkward, Lying
from tests.support.builders import note, on_memory, texts, whole_feed

Open = Callable[..., Any]
UUID = uuid4()
FORK = {"parent": "p", "at": 1}


def objects(levels: int) -> dict[str, Any]:
    """An object of so many levels."""
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"k": value}
    return value


def lists(levels: int) -> dict[str, Any]:
    """An object of so many levels, all but the first of them lists."""
    value: list[Any] = []
    for _ in range(levels - 2):
        value = [value]
    return {"k": value}


def itself() -> dict[str, Any]:
    """An object that holds itself."""
    value: dict[str, Any] = {}
    value["me"] = value
    return value


NOON = datetime(2024, 5, 1, 12)
AFTER_ALL = datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))
BEFORE_ALL = datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))
MODEL: dict[str, Any] = {"payload": SessionClosed(), "type": None}


# name → the field that is named, and an event that breaks a rule in it
REFUSED: dict[str, tuple[str, NewEvent]] = {
    name: (field, NewEvent(**({"payload": {"text": "x"}, "type": "note"} | arguments)))
    for name, field, arguments in [
        ("nan", "payload.x", {"payload": {"x": float("nan")}}),
        ("infinity", "payload.a[1].b", {"payload": {"a": [0, {"b": float("inf")}]}}),
        ("minus infinity", "payload.x", {"payload": {"x": float("-inf")}}),
        ("lone surrogate", "payload.x", {"payload": {"x": "a\ud800"}}),
        ("lone surrogate in a key", "payload.'\\udfff'", {"payload": {"\udfff": 1}}),
        ("nul", "payload.x", {"payload": {"x": "a\0b"}}),
        ("nul in a key", "payload.'\\x00'", {"payload": {"\0": 1}}),
        ("key that is a number", "payload", {"payload": {1: "x"}}),
        ("key that is none", "payload.a", {"payload": {"a": {None: "x"}}}),
        ("integer of 65 bits", "payload.x", {"payload": {"x": 2**64}}),
        ("integer below 64 bits", "payload.x", {"payload": {"x": -(2**63) - 1}}),
        ("bytes inside", "payload.x", {"payload": {"x": b"x"}}),
        ("datetime inside", "payload.x", {"payload": {"x": datetime(2024, 1, 1)}}),
        ("date inside", "payload.x", {"payload": {"x": date(2024, 1, 1)}}),
        ("decimal inside", "payload.x", {"payload": {"x": Decimal("1.5")}}),
        ("set inside", "payload.x", {"payload": {"x": {1}}}),
        ("uuid inside", "payload.x", {"payload": {"x": UUID}}),
        ("object inside", "payload.x", {"payload": {"x": object()}}),
        ("65 levels of objects", "payload" + ".k" * 64, {"payload": objects(65)}),
        ("65 levels of lists", "payload.k" + "[0]" * 63, {"payload": lists(65)}),
        ("an object inside itself", "payload" + ".me" * 64, {"payload": itself()}),
        ("payload is a list", "payload", {"payload": [1]}),
        ("payload is text", "payload", {"payload": "x"}),
        ("payload is none", "payload", {"payload": None}),
        ("payload is a class", "payload", {"payload": dict}),
        ("payload is a model class", "payload", {"payload": SessionClosed, "type": None}),
        ("payload too large", "payload", {"payload": {"x": "x" * 1_048_576}}),
        ("bytes too large", "payload", {"payload": bytes(1_048_577), "content_type": "x"}),
        ("type missing", "type", {"type": None}),
        ("type blank", "type", {"type": " "}),
        ("type not printable", "type", {"type": "a\nb"}),
        ("type too long", "type", {"type": "x" * 129}),
        ("type is a number", "type", {"type": 7}),
        ("type is reserved", "type", {"type": "session.forked", "payload": FORK}),
        ("event id empty", "event_id", {"event_id": ""}),
        ("event id blank", "event_id", {"event_id": "\t "}),
        ("event id with nul", "event_id", {"event_id": "a\0"}),
        ("event id with surrogate", "event_id", {"event_id": "\udc00"}),
        ("event id too long", "event_id", {"event_id": "ü" * 257}),
        ("event id is a uuid", "event_id", {"event_id": UUID}),
        ("event id is none", "event_id", {"event_id": None}),
        ("run id blank", "run_id", {"run_id": ""}),
        ("run id too long", "run_id", {"run_id": "x" * 513}),
        ("actor is a number", "actor", {"actor": 7}),
        ("causation id blank", "causation_id", {"causation_id": " "}),
        ("correlation id with nul", "correlation_id", {"correlation_id": "\0"}),
        ("trace id too long", "trace_id", {"trace_id": "x" * 513}),
        ("span id with surrogate", "span_id", {"span_id": "\ud800"}),
        ("naive datetime", "occurred_at", {"occurred_at": datetime(2024, 1, 1)}),
        ("time as text", "occurred_at", {"occurred_at": "2024-01-01T00:00:00Z"}),
        ("time as number", "occurred_at", {"occurred_at": 0}),
        (
            "time before 1970",
            "occurred_at",
            {"occurred_at": datetime.fromisoformat("1969-12-31T23:59:59.999999+00:00")},
        ),
        ("after 9999 in UTC", "occurred_at", {"occurred_at": AFTER_ALL}),
        ("before the year 1 in UTC", "occurred_at", {"occurred_at": BEFORE_ALL}),
        (
            "a zone that knows no offset",
            "occurred_at",
            {"occurred_at": NOON.replace(tzinfo=tzinfo())},
        ),
        ("a zone that lies", "occurred_at", {"occurred_at": NOON.replace(tzinfo=Lying())}),
        ("version of 5,000 digits", "schema_version", {"schema_version": 10**5_000}),
        ("key of 5,000 digits", "payload", {"payload": {10**5_000: 1}}),
        ("key that cannot be shown", "metadata", {"metadata": {Awkward(): 1}}),
        ("payload that cannot be compared", "payload", {"payload": Awkward()}),
        ("value that cannot be compared", "payload.x", {"payload": {"x": Awkward()}}),
        ("type that cannot be compared", "type", {"type": Awkward()}),
        ("actor that cannot be compared", "actor", {"actor": Awkward()}),
        ("span id that cannot be compared", "span_id", {"span_id": Awkward()}),
        ("metadata that cannot be compared", "metadata", {"metadata": Awkward()}),
        ("content type that cannot be compared", "content_type", {"content_type": Awkward()}),
        ("version that cannot be compared", "schema_version", {"schema_version": Awkward()}),
        ("time that cannot be compared", "occurred_at", {"occurred_at": Awkward()}),
        ("model's type that cannot be compared", "type", MODEL | {"type": Awkward()}),
        ("model's version", "schema_version", MODEL | {"schema_version": Awkward()}),
        ("model's content type", "content_type", MODEL | {"content_type": Awkward()}),
        ("version 0", "schema_version", {"schema_version": 0}),
        ("version too large", "schema_version", {"schema_version": 65_536}),
        ("version as text", "schema_version", {"schema_version": "1"}),
        ("version is true", "schema_version", {"schema_version": True}),
        ("metadata is a list", "metadata", {"metadata": []}),
        ("metadata is text", "metadata", {"metadata": ""}),
        ("metadata with nan", "metadata.x", {"metadata": {"x": float("nan")}}),
        ("metadata with nul", "metadata.x", {"metadata": {"x": "\0"}}),
        ("metadata too large", "metadata", {"metadata": {"x": "x" * 16_384}}),
        ("metadata too deep", "metadata" + ".k" * 64, {"metadata": objects(65)}),
        ("bytes without content type", "content_type", {"payload": b"x"}),
        ("content type blank", "content_type", {"payload": b"x", "content_type": ""}),
        ("content type too long", "content_type", {"payload": b"x", "content_type": "x" * 257}),
        ("mapping of another content type", "content_type", {"content_type": "text/plain"}),
    ]
}
JSON_TEXTS = {
    "duplicate keys": b'{"a": 1, "a": 1}',
    "duplicate keys inside": b'{"a": [{"b": 1, "b": 2}]}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "a number beyond float": b'{"a": 1e999}',
    "an integer beyond 64 bits": b'{"a": 18446744073709551616}',
    "an integer of 5,000 digits": b'{"a": ' + b"1" * 5_000 + b"}",
    "an escaped lone surrogate": b'{"a": "\\ud800"}',
    "an escaped nul": b'{"a": "\\u0000"}',
    "a list": b"[1]",
    "a bare value": b"1",
    "nothing": b"",
    "half an object": b'{"a": ',
    "two objects": b"{}{}",
    "text that is no UTF-8": b'{"a": "\xff"}',
    "100,000 levels": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
}


@on_memory
@pytest.mark.parametrize("name", REFUSED)
def test_what_breaks_a_rule_is_refused_by_its_field(ledger: Any, name: str) -> None:
    field, event = REFUSED[name]
    for place, call in (
        ("", lambda: ledger.append("s", event)),
        ("events[0]", lambda: ledger.append("s", [event])),
        ("events[1]", lambda: ledger.append("s", [note(), event])),
        ("appends[0].events[0]", lambda: ledger.append_many([Append("s", event)])),
        (
            "appends[1].events[2]",
            lambda: ledger.append_many([Append("a", note()), Append("s", [note(), note(), event])]),
        ),
    ):
        with pytest.raises(InvalidEvent, match="Correct the named field") as caught:
            call()
        assert caught.value.field == (f"{place}.{field}" if place else field)
        assert (caught.value.place, caught.value.event_field) == (place, field)
        assert str(caught.value).startswith(f"{caught.value.field}: {caught.value.reason}.")
        assert isinstance(caught.value, ValueError)
    assert (ledger.head("s"), ledger.head("a"), ledger.feed().events) == (0, 0, [])


@on_memory
@pytest.mark.parametrize("name", JSON_TEXTS)
def test_bytes_that_say_they_are_json_are_held_to_it(ledger: Any, name: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        ledger.append("s", NewEvent(JSON_TEXTS[name], "x", content_type="application/json"))
    assert caught.value.field.split(".")[0] == "payload"
    assert ledger.head("s") == 0


@on_memory
@pytest.mark.parametrize(("type_name", "said"), [("note", float("nan")), ("session.closed", 1)])
def test_a_name_that_an_agent_wrote_is_told_and_not_obeyed(
    ledger: Any, type_name: str, said: float
) -> None:
    name = "\x1b[2J\nall is well\u202e" * 1_000
    with pytest.raises(InvalidEvent) as caught:
        ledger.append("s", NewEvent({name: said}, type_name))
    assert caught.value.field == f"payload.{name}"
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 6_000
    assert caught.value.reason in str(caught.value)


@pytest.mark.parametrize("value", ["", " ", "\0", "\ud800", "x" * 1_025, "🙂" * 257, None, 7, UUID])
def test_u_17_what_is_no_session_id_is_refused(ledger: Any, value: Any) -> None:
    with pytest.raises(InvalidEvent) as caught:
        ledger.append(value, note())
    assert (caught.value.field, whole_feed(ledger)) == ("session_id", [])


@on_memory
def test_an_append_of_many_is_named_whose_session_is_none(ledger: Any) -> None:
    for field, wrong in (
        ("session_id", Append(" ", note())),
        ("tenant", Append("s", note(), "\0")),
    ):
        for before in ([], [Append("a", note())]):
            with pytest.raises(InvalidEvent) as caught:
                ledger.append_many([*before, wrong])
            assert caught.value.field == f"appends[{len(before)}].{field}"
        with pytest.raises(InvalidEvent) as caught:
            ledger.append(wrong.session_id, [note()], tenant=wrong.tenant)
        assert (caught.value.field, whole_feed(ledger)) == (field, [])


#: What a newcomer appends instead of an event -> what to write.
INSTEAD: dict[str, tuple[Any, str]] = {
    "a class": (SessionClosed, "payload: got the class SessionClosed; append an instance of it."),
    "a mapping": ({"text": "x"}, "type: a payload that is no model needs one: NewEvent(payload,"),
    "no type": (NewEvent({"text": "x"}), "needs one: NewEvent(payload, 'my.type')."),
    "swapped": (
        NewEvent("note", {"text": "x"}),  # type: ignore[arg-type]  # that is the point
        "payload: got text; the payload comes first, then the type: NewEvent(payload, 'my.type').",
    ),
    "a generator": ((note() for _ in "ab"), "got generator; to append several events pass a list."),
    "a naive time": (
        note(occurred_at=NOON),
        "occurred_at: expected a datetime, got a naive datetime; give it a tzinfo.",
    ),
}


@on_memory
@pytest.mark.parametrize("name", INSTEAD)
def test_a_refusal_says_what_to_write_instead(ledger: Any, name: str) -> None:
    given, says = INSTEAD[name]
    with pytest.raises(InvalidEvent) as caught:
        ledger.append("s", given)
    assert says in str(caught.value)


@on_memory
@pytest.mark.parametrize("value", ["\0", "\ud800", "x" * 1_025, None, 7, UUID])
def test_what_is_no_tenant_is_refused(ledger: Any, value: Any) -> None:
    with pytest.raises(InvalidEvent) as caught:
        ledger.append("s", note(), tenant=value)
    assert (caught.value.field, whole_feed(ledger)) == ("tenant", [])


def test_asm_38_refusals_leave_the_session_in_order(ledger: Any) -> None:
    for field, event in REFUSED.values():
        with pytest.raises(InvalidEvent) as caught:
            ledger.append("s", event)
        assert caught.value.field == field
    assert (ledger.head("s"), ledger.feed().events) == (0, [])
    assert ledger.append("s", note("a")).sequence == 1


def test_u_17_a_blank_id_is_refused_even_by_a_closed_ledger(ledger: Any) -> None:
    ledger.close()
    with pytest.raises(InvalidEvent):
        ledger.append(" ", note())


# Just inside the bounds.


INSIDE: list[dict[str, Any]] = [
    {"occurred_at": datetime.max.replace(tzinfo=UTC)},
    {"occurred_at": datetime(1970, 1, 1, tzinfo=UTC)},
    {"payload": objects(64)},
    {"payload": lists(64)},
    {"payload": {"x": [2**64 - 1, -(2**63), 0, -0.0, 1e308, 5e-324]}},
    {"payload": {"x": "\U0010ffff\ufffe\u2028\u0001"}},
    {"payload": {"": {"": ""}}},
    {"payload": {}},
    {"payload": {"x": "x" * (1_048_576 - len('{"x":""}'))}},
    {"event_id": "x" * 512},
    {"run_id": "ü" * 256},
    {"type": "x" * 128},
    {"schema_version": 65_535},
    {"metadata": {"x": "x" * (16_384 - len('{"x":""}'))}},
    {"metadata": objects(64)},
]


def test_what_is_just_inside_a_bound_is_stored(ledger: Any) -> None:
    plain = {"payload": {"text": "x"}, "type": "note"}
    events = [NewEvent(**(plain | arguments)) for arguments in INSIDE]
    ledger.append("s", events)
    for given, stored in zip(events, ledger.read("s"), strict=True):
        assert (stored.data, stored.metadata) == (given.payload, given.metadata or {})
        assert (stored.event_id, stored.run_id) == (given.event_id, given.run_id)
        assert given.occurred_at in (None, stored.occurred_at)
        assert (stored.type, stored.schema_version) == (given.type, given.schema_version or 1)


def test_the_longest_ids_fit_together(ledger: Any) -> None:
    tenant, session, one = "🙂" * 256, "ü" * 512, "x" * 512
    ledger.append(session, note("a", event_id=one, run_id=one), tenant=tenant)
    assert texts([ledger.get(session, one, tenant=tenant)]) == ["a"]
    assert ledger.list_session_ids(tenant=tenant).session_ids == [session]


def test_any_mapping_is_a_payload(ledger: Any) -> None:
    frozen = types.MappingProxyType({"a": types.MappingProxyType({"b": 1})})
    event = ledger.append("s", NewEvent(frozen, "x", metadata=frozen)).event
    assert (event.data, event.metadata) == ({"a": {"b": 1}}, {"a": {"b": 1}})
    for known in (NewEvent({"output": frozen}, "run.finished"), RunFinished(output=frozen)):
        assert ledger.append("s", known).event.data == {"output": {"a": {"b": 1}}}


def test_a_fact_s_refusal_names_the_innermost_place_in_plain_words(ledger: Any) -> None:
    for given, place, reason in (
        ({"output": {"a": [0, {"b": b""}]}}, ".output.a[1].b", "bytes has no JSON form"),
        ({"error_event_id": " "}, ".error_event_id", "must not be empty or blank"),
    ):
        type = "run.finished" if "output" in given else "error.recovered"
        with pytest.raises(InvalidEvent) as refused:
            ledger.append("s", NewEvent(given, type))
        assert (refused.value.field, refused.value.reason) == (f"payload{place}", reason)
    assert ledger.head("s") == 0


def test_json_text_and_a_mapping_are_the_same_payload(ledger: Any) -> None:
    text = json.dumps({"b": [1, 2.5, None], "a": "ü"}, indent=4).encode()
    first = NewEvent(text, "x", "e", content_type="application/json")
    ledger.append("s", first)
    again = ledger.append("s", NewEvent({"a": "ü", "b": [1, 2.5, None]}, "x", "e"))
    assert (again.stored, again.event.content_type) == (False, "application/json")


# The bounds a ledger can be opened with.


def test_the_payload_bound_can_be_set(open_ledger: Open) -> None:
    ledger = open_ledger(limits=Limits(payload_bytes_max=10))
    with pytest.raises(InvalidEvent, match="at most 10") as caught:
        ledger.append("s", NewEvent({"a": "12345"}, "x"))
    assert (caught.value.field, ledger.head("s")) == ("payload", 0)
    assert ledger.append("s", NewEvent({"a": "12"}, "x")).sequence == 1


def test_the_number_of_events_of_a_batch_is_bounded(open_ledger: Open) -> None:
    ledger = open_ledger(limits=Limits(batch_events_max=3))
    with pytest.raises(InvalidArgument, match="4 events, at most 3"):
        ledger.append("s", [note() for _ in range(4)])
    with pytest.raises(InvalidArgument):
        ledger.append_many([Append("a", [note(), note()]), Append("b", [note(), note()])])
    assert whole_feed(ledger) == []
    ledger.append("s", [note() for _ in range(3)])


def test_the_bytes_of_a_batch_are_bounded(open_ledger: Open) -> None:
    ledger = open_ledger(limits=Limits(batch_bytes_max=100))
    with pytest.raises(InvalidArgument, match="at most 100"):
        ledger.append("s", [NewEvent({"a": "x" * 50}, "x") for _ in range(2)])
    assert whole_feed(ledger) == []
    ledger.append("s", [NewEvent({"a": "x" * 42}, "x") for _ in range(2)])  # 50 bytes each


@on_memory
def test_every_bound_has_a_name(ledger: Any) -> None:
    assert (Limits().payload_bytes_max, Limits().batch_events_max) == (1_048_576, 10_000)
    assert Limits().batch_bytes_max == 67_108_864
    assert (bounds.TENANT_BYTES_MAX, bounds.SESSION_ID_BYTES_MAX) == (1_024, 1_024)
    assert (bounds.ID_BYTES_MAX, bounds.TYPE_BYTES_MAX) == (512, 128)
    assert (bounds.METADATA_BYTES_MAX, bounds.NESTING_DEPTH_MAX) == (16_384, 64)


# Calls that are no appends.
