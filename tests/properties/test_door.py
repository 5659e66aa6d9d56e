"""The door, fed with anything: one error that a caller can act on, or an event that comes back."""

import math
from collections import OrderedDict, UserDict, defaultdict, deque
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from types import MappingProxyType, SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from ledger import Append, CallError, Ledger, NewEvent
from ledger.catalogue import FACTS, default_catalogue
from tests.properties.profile import SEED, examples


class Word(StrEnum):
    """Text that is something else."""

    A = "a"


class Digit(IntEnum):
    """A number that is something else."""

    ONE = 1


class Awkward:
    """Raises at whatever is done to it."""

    def _refuse(self, *_: object) -> Any:
        raise RuntimeError("do not touch")

    __eq__ = __bool__ = __len__ = __iter__ = __repr__ = __str__ = __int__ = __getattr__ = _refuse
    __hash__ = object.__hash__


class Text(str):
    """Text that is not Python's own."""


def nested(levels: int) -> dict[str, Any]:
    """An object of so many levels."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"k": value}
    return value


CYCLE: dict[str, Any] = {}
CYCLE["me"] = [CYCLE]
STRANGE = [
    math.nan, math.inf, -math.inf, -0.0, 5e-324, 2**64, -(2**63) - 1, 10**5_000, True, 1j,
    "\0", "\ud800", "a\udfff", "", " ", "\n", "x" * 2_000, "ü" * 600, Text("x"), Word.A, Digit.ONE,
    b"", b"\xff", bytearray(b"x"), memoryview(b"x"), b'{"a":1,"a":2}', b'{"a":1}',
    Decimal("NaN"), Fraction(1, 3), UUID(int=7), object(), object, len, NotImplemented, ..., range(3),
    {1, 2}, frozenset(), (1, (2,)), deque([1]), iter([1]), Awkward(), SimpleNamespace(a=1),
    {1: 2}, {None: 1}, {("a",): 1}, {"\udfff": 1}, {Text("k"): 1}, {Word.A: 1}, {10**5_000: 1},
    OrderedDict(b=1, a=2), defaultdict(list, a=[1]), MappingProxyType({"a": 1}), UserDict(a=1),
    nested(62), nested(63), nested(64), nested(5_000), CYCLE,
    datetime.max, datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))), datetime.min,
    datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), datetime(2024, 5, 1, tzinfo=UTC),
    date(2024, 1, 1), timedelta(1), Enum, ValueError("x"), NewEvent({}, "x"), Append("s", []),
    "application/json", "text/plain", "session.forked", "session.deleted", "message.appended",
]  # fmt: skip
TYPES = st.sampled_from(default_catalogue().types())
FIELDS = [name for name in NewEvent.__struct_fields__ if name not in ("payload", "type")]

anything: st.SearchStrategy[Any] = st.recursive(
    # by number, because hypothesis asks values for their repr
    st.sampled_from(range(len(STRANGE))).map(lambda number: STRANGE[number])
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def models(draw: st.DrawFn) -> Any:
    """A fact that nobody validated."""
    model = draw(st.sampled_from(FACTS))
    names = st.sampled_from(sorted(model.model_fields))
    return model.model_construct(**draw(st.dictionaries(names, anything, max_size=4)))


@st.composite
def known(draw: st.DrawFn) -> NewEvent:
    """A mapping of a known type, with its fields and anything in them."""
    model = draw(st.sampled_from(FACTS))
    names = st.sampled_from(sorted(model.model_fields))
    return NewEvent(draw(st.dictionaries(names, anything, max_size=4)), model.event_type)


events = st.builds(
    lambda payload, fields: NewEvent(payload, **fields),
    anything | models() | st.dictionaries(st.text(max_size=5), anything, max_size=3),
    st.fixed_dictionaries(
        {"type": st.just("note") | TYPES | anything},
        optional=dict.fromkeys(FIELDS, anything),
    ),
)


class Box:
    """A drawn value; some of them cannot be shown."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        try:
            return repr(self.value)[:2_000]
        except (RuntimeError, ValueError):
            return f"a {type(self.value).__name__} that cannot be shown"


one_field = st.builds(
    lambda name, value: NewEvent(**({"payload": {"a": 1}, "type": "note"} | {name: value})),
    st.sampled_from(NewEvent.__struct_fields__),
    anything,
)
given_to_append = (one_field | events | known() | models() | anything).map(Box)
facts = (models() | known()).map(Box)
boxed = anything.map(Box)


def nothing_or_whole(ledger: Ledger, append: Any) -> None:
    """Append; if it is refused nothing may be there, and if not all of it, in good order."""
    try:
        append()
    except CallError:
        assert ledger.feed().events == []
        return
    events = ledger.feed().events
    assert ledger.verify().ok
    assert all(isinstance(event.occurred_at, datetime) for event in events)
    lines = list(ledger.export_lines())
    with Ledger.open("memory:") as other:
        assert other.import_lines(lines).stored == len(events)
        assert [event.data for event in other.feed().events] == [event.data for event in events]
        assert list(other.export_lines()) == lines


@pytest.mark.filterwarnings("error")
@seed(SEED)
@examples(400)
@given(given_to_append)
def test_anything_at_all_is_stored_whole_or_refused_in_one_way(event: Box) -> None:
    with Ledger.open("memory:") as ledger:
        nothing_or_whole(ledger, lambda: ledger.append("s", event.value))


@seed(SEED)
@examples(200)
@given(st.lists(given_to_append, max_size=3), given_to_append, boxed, boxed, boxed)
def test_several_appends_are_stored_whole_or_refused_in_one_way(
    first: list[Box], second: Box, session_id: Box, tenant: Box, expected: Box
) -> None:
    appends = [
        Append("s", [box.value for box in first]),
        Append(session_id.value, second.value, tenant.value, expected.value),
    ]
    with Ledger.open("memory:") as ledger:
        nothing_or_whole(ledger, lambda: ledger.append_many(appends))


@seed(SEED)
@examples(200)
@given(facts)
def test_a_fact_that_is_stored_comes_back_as_the_same_fact(fact: Box) -> None:
    with Ledger.open("memory:") as ledger:
        try:
            event = ledger.append("s", fact.value).event
        except CallError:
            return
        model, _ = ledger.door.catalogue.model_of(event.type) or (None, 0)
        assert model is not None
        again = model.model_validate(event.data)
        assert again.model_dump(mode="json", exclude_unset=True) == event.data
