"""Payloads: models, mappings of any type, and opaque bytes, each as they were given."""

from collections.abc import Callable, ItemsView, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, Field

from ledger import InvalidEvent, NewEvent
from ledger.catalogue import (
    Fact,
    MessageAppended,
    SessionCreated,
    ToolCall,
    ToolFinished,
    default_catalogue,
)
from tests.support.builders import on_memory, whole_feed

Open = Callable[..., Any]
VALUES: dict[str, Any] = {
    "null": None,
    "booleans": [True, False],
    "integers": [0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1],
    "floats": [0.1, -2.5, 1e-300, 1.7976931348623157e308, 1.0],
    "text": ["", "ü🙂", '\u2028\u0007\\"/', "e\u0301", "\ufeff", "\x7f"],
    "keys": {"": 1, "\n": 6, " ": 2, "__proto__": 5, "a.b": 4, "ü": 3},
    "nested": {"a": [[], {}, [{"b": [None]}]]},
    "looks like something": ["2024-01-01T00:00:00Z", "NaN", "null", "0x10", "1e5", "AAEC"],
}
# Text that spells out the escape of a NUL holds none, nor does what stands beside it.
VALUES["an escape spelled out"] = {"\\u0000": ["\\u0000", *VALUES.values()]}


class OrderPaid(Fact, type="order.paid", version=3):
    """A fact of an application's own."""

    order: str
    amount: int = Field(ge=0)
    note: str | None = None


class Plain(BaseModel):
    """A pydantic model that knows nothing of the ledger."""

    name: str
    size: float = 1.0


@dataclass(frozen=True)
class Frozen(Mapping[str, Any]):
    """A mapping that an encoder could also take for the attributes of a data class."""

    inside: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.inside[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.inside)

    def __len__(self) -> int:
        return len(self.inside)


class Firsts(dict[str, Any]):
    """A dict with more in it than it says, as those of web frameworks are."""

    def items(self) -> ItemsView[str, Any]:
        """Return the first of the values of each key."""
        return {key: values[0] for key, values in super().items()}.items()


def test_asm_40_an_unknown_type_comes_back_exactly(ledger: Any) -> None:
    for name, value in VALUES.items():
        answer = ledger.append(
            "s", NewEvent({"v": value}, "nobody.knows", schema_version=9), tenant=name
        )
        for event in (
            answer.event,
            *ledger.read("s", tenant=name),
            *whole_feed(ledger, tenant=name),
        ):
            assert (event.type, event.schema_version) == ("nobody.knows", 9)
            # By repr, for 1, 1.0 and True are three things; the keys above are in sorted order.
            assert repr(event.data) == repr({"v": value})


def test_a_model_of_the_catalogue_brings_its_type_along(ledger: Any) -> None:
    event = ledger.append("s", MessageAppended(role="user", content="hello")).event
    assert (event.type, event.schema_version) == ("message.appended", 1)
    assert event.data == {"role": "user", "content": "hello"}
    assert ledger.read("s") == [event]


@on_memory
@pytest.mark.parametrize("given", [Frozen({"a": 1.0}), Firsts(a=[1.0, float("nan")])], ids=repr)
def test_a_mapping_is_stored_as_what_was_looked_at(ledger: Any, given: Mapping[str, Any]) -> None:
    call = {"call_id": "c", "tool_output": [given]}
    for new in (
        NewEvent({"v": given}, "nobody.knows", metadata={"v": [given]}),
        NewEvent(call, "tool.finished"),
        ToolFinished(call_id="c", tool_output=[given]),
    ):
        ledger.append("s", new)
    first, *calls = ledger.read("s")
    assert (first.data, first.metadata) == ({"v": {"a": 1.0}}, {"v": [{"a": 1.0}]})
    assert [one.data["tool_output"] for one in calls] == [[{"a": 1.0}]] * 2


def test_a_list_may_mix_models_and_events(ledger: Any) -> None:
    calls = [ToolCall(id="1", name="search", arguments={"q": "x"})]
    model = MessageAppended(role="assistant", tool_calls=calls)
    answers = ledger.append(
        "s", [SessionCreated(agent_id="a"), NewEvent(model, event_id="m", run_id="r")]
    )
    assert [answer.event.type for answer in answers] == ["session.created", "message.appended"]
    assert ledger.get("s", "m").data["tool_calls"] == [
        {"id": "1", "name": "search", "arguments": {"q": "x"}}
    ]


def test_absent_null_and_a_value_are_three_things(ledger: Any) -> None:
    for payload in ({"role": "user"}, {"role": "user", "content": None}):
        ledger.append("s", MessageAppended(**payload))
        ledger.append("s", NewEvent(payload, "message.appended"))
    assert [event.data for event in ledger.read("s")] == [
        {"role": "user"},
        {"role": "user"},
        {"role": "user", "content": None},
        {"role": "user", "content": None},
    ]


def test_a_mapping_of_a_known_type_is_the_model(ledger: Any) -> None:
    ledger.append("s", NewEvent(MessageAppended(role="user", content="x"), event_id="e"))
    again = NewEvent({"role": "user", "content": "x"}, "message.appended", "e")
    assert not ledger.append("s", again).stored


@on_memory
@pytest.mark.parametrize(
    ("type_name", "payload", "field"),
    [
        ("message.appended", {}, "payload.role"),
        ("message.appended", {"role": "robot"}, "payload.role"),
        ("message.appended", {"role": "user", "colour": "red"}, "payload.colour"),
        (
            "message.appended",
            {"role": "assistant", "tool_calls": [{"id": "1"}]},
            "payload.tool_calls.0.name",
        ),
        ("message.appended", {"role": "user", "turn_number": "1"}, "payload.turn_number"),
        ("usage.recorded", {"cost_usd": float("nan")}, "payload.cost_usd"),
        ("usage.recorded", {"input_tokens": -1}, "payload.input_tokens"),
        ("tool.started", {"call_id": " ", "tool_name": "x"}, "payload.call_id"),
        ("session.deleted", {"because": "x"}, "payload.because"),
    ],
)
def test_a_known_type_is_held_to_its_model(
    ledger: Any, type_name: str, payload: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidEvent) as caught:
        ledger.append("s", NewEvent(payload, type_name))
    assert (caught.value.field, ledger.head("s")) == (field, 0)


@on_memory
@pytest.mark.parametrize(
    ("given", "field"),
    [({"type": "tool.started"}, "type"), ({"schema_version": 2}, "schema_version")],
)
def test_a_model_cannot_be_called_something_else(
    ledger: Any, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidEvent) as caught:
        ledger.append("s", NewEvent(MessageAppended(role="user"), **given))
    assert caught.value.field == field


def test_a_registered_model_is_one_of_the_catalogue(open_ledger: Open) -> None:
    catalogue = default_catalogue().copy()
    catalogue.register(OrderPaid)
    catalogue.register(Plain, "plain.thing", 2)
    ledger = open_ledger(catalogue=catalogue)
    answers = ledger.append("s", [OrderPaid(order="o", amount=1), Plain(name="n")])
    found = [(event.type, event.schema_version, event.data) for event in ledger.read("s")]
    assert found == [
        ("order.paid", 3, {"order": "o", "amount": 1}),
        ("plain.thing", 2, {"name": "n", "size": 1.0}),
    ]
    assert [answer.event for answer in answers] == ledger.read("s")
    with pytest.raises(InvalidEvent) as caught:
        ledger.append("s", NewEvent({"order": "o", "amount": -1}, "order.paid"))
    assert caught.value.field == "payload.amount"


def test_a_registered_model_is_unknown_to_other_ledgers(ledger: Any) -> None:
    for model, call in (
        (OrderPaid(order="o", amount=1), "OrderPaid"),
        (Plain(name="n"), "Plain, type='…'"),
    ):
        with pytest.raises(InvalidEvent) as caught:
            ledger.append("s", [model])
        says = (
            f"not registered in the catalogue; register it: catalogue.register({call}) and Ledger"
        )
        assert (caught.value.field, says in str(caught.value)) == ("events[0].payload", True)
    ledger.append("s", NewEvent({"anything": "goes"}, "order.paid"))
    assert ledger.read("s")[0].data == {"anything": "goes"}


def test_an_older_version_of_a_known_type_is_taken_as_it_is(open_ledger: Open) -> None:
    catalogue = default_catalogue().copy()
    catalogue.register(OrderPaid)
    ledger = open_ledger(catalogue=catalogue)
    ledger.append("s", NewEvent({"cents": "100"}, "order.paid", schema_version=1))
    (event,) = ledger.read("s")
    assert (event.schema_version, event.data) == (1, {"cents": "100"})


def test_bytes_come_back_as_bytes_with_their_content_type(ledger: Any) -> None:
    several = [b"", b"\0\xff\xfe", bytes(range(256)) * 64, b'{"a": 1}', b"\\x00"]
    events = [NewEvent(data, "image", content_type="image/png; q=ü") for data in several]
    answers = ledger.append("s", events)
    stored = ledger.read("s")
    assert [event.data for event in stored] == several
    assert {event.content_type for event in stored} == {"image/png; q=ü"}
    assert stored == [answer.event for answer in answers]


def test_bytes_of_a_known_type_are_not_looked_into(ledger: Any) -> None:
    ledger.append("s", NewEvent(b"sealed", "message.appended", content_type="application/x-sealed"))
    assert ledger.read("s")[0].data == b"sealed"


@on_memory
def test_every_fact_of_the_catalogue_has_a_type_of_its_own(ledger: Any) -> None:
    types = default_catalogue().types()
    assert len(types) == len(set(types)) >= 70
