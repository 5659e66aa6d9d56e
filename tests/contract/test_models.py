"""Models as payloads: what comes back from the log is the model that was appended, or none is."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    computed_field,
    field_validator,
)

from ledger import Append, InvalidEvent, NewEvent
from ledger.catalogue import (
    Catalogue,
    Fact,
    MessageAppended,
    RunAmended,
    SessionCreated,
    default_catalogue,
)
from tests.support.builders import note, on_durable, on_memory, whole_feed

Open = Callable[..., Any]


class Colour(Enum):
    """Something that JSON has no word for."""

    RED = "red"


class Card(BaseModel):
    """One of two ways to pay."""

    kind: Literal["card"] = "card"
    last_digits: str = "0000"


class Cash(BaseModel):
    """The other one."""

    kind: Literal["cash"] = "cash"
    coins: list[int] = Field(default_factory=list)


class Order(BaseModel):
    """A model of an application that never heard of the log."""

    id: UUID = Field(default_factory=uuid4)
    customer: str | None = Field(default=None, alias="customerName")
    payment: Annotated[Card | Cash, Field(discriminator="kind")] = Card()
    amount: float = 1.0
    price: Decimal | None = None
    ordered_at: datetime | None = None
    colour: Colour = Colour.RED
    raw: bytes | None = None
    by_shelf: dict[int, str] = Field(default_factory=dict)
    tags: set[str] = Field(default_factory=set)
    anything: Any = None


class Alike(BaseModel):
    """Validates whatever a Twin does."""

    name: str = "n"


class Twin(BaseModel):
    """Has the same fields as Alike, and something of its own beside them."""

    name: str = "n"
    _seen: int = PrivateAttr(default=0)


class Strange(BaseModel):
    """A model with what pydantic allows and few use."""

    model_config = ConfigDict(extra="forbid")

    one: Alike | Twin = Alike()
    secret: SecretStr | None = None

    @computed_field  # type: ignore[prop-decorator]  # pydantic's documented way
    @property
    def twice(self) -> str:
        """Follows from the other fields, so nobody may give it."""
        return self.one.name * 2


class Renamed(BaseModel):
    """A model that is written under other names than it is read."""

    seen: str = Field(validation_alias="sent")


class Loose(Fact, type="loose.said", version=3):
    """A fact that did not say that it holds JSON alone."""

    value: Any = None


@pytest.fixture
def catalogue() -> Catalogue:
    """The built-in facts and the models above."""
    own = default_catalogue().copy()
    own.register(Order, "order.placed")
    own.register(Strange, "strange.thing")
    own.register(Renamed, "renamed.thing")
    own.register(Loose)
    return own


ORDERS: dict[str, dict[str, Any]] = {
    "nothing but defaults": {},
    "an alias": {"customerName": "bob"},
    "a nested model": {"payment": Cash(coins=[1, 2])},
    "what JSON has no word for": {
        "price": Decimal("1.10"),
        "ordered_at": datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=2))),
        "raw": b"abc",
        "by_shelf": {1: "a", -7: "b"},
        "tags": {"a", "b"},
    },
    "JSON": {"anything": {"a": [1, None, {"b": 2.5}]}},
    "a tuple": {"anything": (1, 2)},
}


@pytest.mark.parametrize("name", ORDERS)
def test_a_registered_model_comes_back_as_it_was(
    open_ledger: Open, catalogue: Catalogue, name: str
) -> None:
    ledger = open_ledger(catalogue=catalogue)
    order = Order(**ORDERS[name])
    appended = ledger.append("s", order).event
    [read] = ledger.read("s")
    assert (appended, read.type) == (read, "order.placed")
    expected = order if name != "a tuple" else order.model_copy(update={"anything": [1, 2]})
    assert Order.model_validate(read.data) == expected


def test_a_mapping_of_a_registered_model_is_stored_whole(
    open_ledger: Open, catalogue: Catalogue
) -> None:
    ledger = open_ledger(catalogue=catalogue)
    given = {"customerName": "bob", "payment": {"kind": "cash"}}
    ledger.append("s", NewEvent(given, "order.placed"))
    [event] = ledger.read("s")
    order = Order.model_validate(event.data)
    assert (order.customer, order.payment) == ("bob", Cash())
    assert order.id == Order.model_validate(event.data).id
    assert (event.data["customerName"], event.data["amount"]) == ("bob", 1.0)


class Curious(BaseModel):
    """A model whose validator looks into the context it may be given elsewhere."""

    name: str

    @field_validator("name")
    @classmethod
    def _in_context(cls, value: str, info: ValidationInfo) -> str:
        return str((info.context or {}).get("prefix", "")) + value


@on_memory
def test_a_validator_finds_no_context_that_is_not_its_own(
    open_ledger: Open, catalogue: Catalogue
) -> None:
    catalogue.register(Curious, "curious", 1)
    ledger = open_ledger(catalogue=catalogue)
    ledger.append("s", [NewEvent({"name": "n"}, "curious"), Curious(name="n")])
    assert [event.data for event in ledger.read("s")] == [{"name": "n"}] * 2


def test_models_that_say_the_same_are_the_same(open_ledger: Open, catalogue: Catalogue) -> None:
    ledger = open_ledger(catalogue=catalogue)
    ledger.append("s", Strange(one=Twin()))
    assert ledger.read("s")[0].data == {"one": {"name": "n"}, "secret": None}


def test_a_fact_keeps_to_what_was_said(ledger: Any) -> None:
    ledger.append("s", MessageAppended(role="user"))
    assert ledger.read("s")[0].data == {"role": "user"}


def test_a_moment_may_be_given_as_one(ledger: Any) -> None:
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    ledger.append("s", RunAmended(started_at=noon))
    ledger.append("s", NewEvent({"started_at": noon}, "run.amended"))
    assert [event.data for event in ledger.read("s")] == [
        {"started_at": "2024-05-01T12:00:00Z"}
    ] * 2


def changed(**metadata: Any) -> SessionCreated:
    """A fact whose metadata was changed after it had been validated."""
    fact = SessionCreated(metadata={"a": 1})
    fact.metadata.update(metadata)
    return fact


def itself() -> SessionCreated:
    """A fact that holds itself."""
    fact = SessionCreated(metadata={})
    fact.metadata["me"] = fact.metadata
    return fact


def deep() -> SessionCreated:
    """A fact that is nested deeper than any stack."""
    value: dict[str, Any] = {}
    for _ in range(100_000):
        value = {"k": value}
    return SessionCreated.model_construct(_fields_set={"metadata"}, metadata=value)


# name → the field that is named, and how to make a payload with what nobody can read back in it
UNREADABLE: dict[str, tuple[str, Callable[[], Any]]] = {
    "a wrong type": ("payload.role", lambda: MessageAppended.model_construct(role=123)),
    "a wrong value": ("payload.role", lambda: MessageAppended.model_construct(role="robot")),
    "nothing": ("payload.role", MessageAppended.model_construct),
    "a set": (
        "payload.content.str",
        lambda: MessageAppended.model_construct(role="user", content={1, 2}),
    ),
    "a copy": (
        "payload.turn_number",
        lambda: MessageAppended(role="user").model_copy(update={"turn_number": -1}),
    ),
    "nan in metadata": ("payload.metadata.x", lambda: changed(x=math.nan)),
    "a set in metadata": ("payload.metadata.x", lambda: changed(x={1})),
    "a date in metadata": ("payload.metadata.x", lambda: changed(x=datetime(2024, 1, 1))),
    "a number as key": ("payload.metadata.x", lambda: changed(x={5: "five"})),
    "an object in metadata": ("payload.metadata", lambda: changed(x=object())),
    "a lone surrogate": ("payload.metadata.x", lambda: changed(x="\ud800")),
    "nul": ("payload.metadata.x", lambda: changed(x="\0")),
    "bytes that are no text": ("payload.metadata", lambda: changed(x=b"\xff")),
    "itself": ("payload.metadata", itself),
    "100,000 levels": ("payload.metadata", deep),
    "nan in a model": ("payload.amount", lambda: Order(amount=math.nan)),
    "infinity in a model": ("payload.anything", lambda: Order(anything=math.inf)),
    "a set in a model": ("payload.anything", lambda: Order(anything={1})),
    "keys of a model": ("payload.anything", lambda: Order(anything={1: 2})),
    "bytes of a model": ("payload.raw", lambda: Order(raw=b"\xff")),
    "nul in a model": ("payload.customerName", lambda: Order(customerName="\0")),
    "a date beyond json": ("payload.anything", lambda: Order(anything=datetime.now(UTC))),
    "a secret": ("payload.secret", lambda: Strange(secret=SecretStr("x"))),
    "nan in a fact": ("payload.value", lambda: Loose(value=math.nan)),
    "nan in a mapping": ("payload.value", lambda: NewEvent({"value": math.nan}, "loose.said")),
    "a set in a mapping": ("payload.value", lambda: NewEvent({"value": {1}}, "loose.said")),
    "keys of a mapping": ("payload.value", lambda: NewEvent({"value": {1: 2}}, "loose.said")),
    "bytes in a mapping": ("payload.value", lambda: NewEvent({"value": b"\xff"}, "loose.said")),
    "a model as text": (
        "content_type",
        lambda: NewEvent(MessageAppended(role="user"), content_type="text/plain"),
    ),
}


@on_memory
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", UNREADABLE)
def test_a_model_that_would_not_come_back_is_refused_by_its_field(
    open_ledger: Open, catalogue: Catalogue, name: str
) -> None:
    ledger = open_ledger(catalogue=catalogue)
    field, make = UNREADABLE[name]
    for place, events in (("", make()), ("events[1].", [note(), make()])):
        with pytest.raises(InvalidEvent) as caught:
            ledger.append("s", events)
        assert caught.value.field == place + field, str(caught.value)[:300]
    with pytest.raises(InvalidEvent):
        ledger.append_many([Append("t", note()), Append("s", make())])
    assert whole_feed(ledger) == []


@on_memory
def test_a_field_that_is_read_under_another_name_than_it_is_written_is_refused(
    open_ledger: Open, catalogue: Catalogue
) -> None:
    ledger = open_ledger(catalogue=catalogue)
    with pytest.raises(InvalidEvent) as caught:
        ledger.append("s", NewEvent({"sent": "v"}, "renamed.thing"))
    assert (caught.value.field, ledger.head("s")) == ("payload.sent", 0)


@pytest.mark.parametrize(
    "event",
    [
        NewEvent({"junk": 1}, "message.appended", schema_version=2),
        NewEvent(b'{"role":"user"}', "message.appended", schema_version=2, content_type="x/y"),
        NewEvent({"value": 1}, "loose.said", schema_version=4),
    ],
)
@on_memory
def test_a_version_above_the_newest_known_is_refused(
    open_ledger: Open, catalogue: Catalogue, event: NewEvent
) -> None:
    ledger = open_ledger(catalogue=catalogue)
    with pytest.raises(InvalidEvent, match="up to version") as caught:
        ledger.append("s", event)
    assert (caught.value.field, ledger.head("s")) == ("schema_version", 0)


@on_durable
def test_what_a_newer_program_stored_is_read_as_it_is(open_ledger: Open) -> None:
    newer = open_ledger(catalogue=Catalogue())
    newer.append("s", NewEvent({"speaker": 1}, "message.appended", schema_version=2))
    [event] = open_ledger().read("s")
    assert (event.schema_version, event.data) == (2, {"speaker": 1})
