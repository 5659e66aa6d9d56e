"""The digest of a fold that carries values: changed by what they are, by nothing else."""

import dataclasses
import datetime as dt
import enum
import functools
import logging
import operator
import re
import threading
import types
import uuid
from collections import Counter, OrderedDict, UserDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from projections.engine.fold_digest import fold_digest
from projections.engine.projection import Projection
from tests.support.hash_seeds import printed_with_other_seeds
from tests.support.views import TALLY


def of(apply: Any, **others: Any) -> str:
    declared = {"view": TALLY.view, "keys": TALLY.keys} | others
    return fold_digest(Projection(name="t", version=1, key=TALLY.key, apply=apply, **declared))


def make(rate: Any) -> Any:
    """Return a fold that has a value in its closure."""

    def apply(view: Any, event: Any) -> Any:
        return rate

    return apply


def make_with_default(value: Any) -> Any:
    def apply(view: Any, event: Any, rate: Any = value, *, more: Any = None) -> Any:
        return rate

    return apply


def make_one_of(which: int) -> Any:
    def first(view: Any, event: Any) -> Any:
        return view

    def second(view: Any, event: Any) -> Any:
        return None

    return (first, second)[which - 1]


def make_one_of_lambdas(which: int) -> Any:
    if which == 1:
        return lambda view, event: view
    return lambda view, event: None


def make_class(rate: Any) -> Any:
    """Return a callable object whose class has the value, in a method's closure."""

    class Local:
        def __call__(self, view: Any, event: Any) -> Any:
            return rate

    return Local()


def make_class_with_constant(value: Any) -> Any:
    class Local:
        rate = value

        def __call__(self, view: Any, event: Any) -> Any:
            return self.rate

    return Local()


def times(rate: Any) -> Callable[[Any], Any]:
    def decorate(fold: Any) -> Any:
        @functools.wraps(fold)
        def decorated(view: Any, event: Any) -> Any:
            return fold(view, event), rate

        return decorated

    return decorate


def generic(implementation: Any, kind: type = int) -> Any:
    def apply(view: Any, event: Any) -> Any:
        return view

    dispatched = functools.singledispatch(apply)
    dispatched.register(kind, implementation)
    return dispatched


class Fold:
    def __init__(self, rate: Any) -> None:
        self.rate = rate

    def __call__(self, view: Any, event: Any) -> Any:
        return self.rate

    def apply(self, view: Any, event: Any) -> Any:
        return self.rate


class Derived(Fold):
    """Has its method from another class."""


class Slotted:
    __slots__ = ("__hidden", "rate", "unset")

    def __init__(self, rate: Any) -> None:
        self.rate = 0
        self.__hidden = rate

    def __call__(self, view: Any, event: Any) -> Any:
        return self.__hidden


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Flags(enum.Flag):
    ONE = 1
    TWO = 2


class Struct(msgspec.Struct, frozen=True):
    rate: Any


@dataclasses.dataclass(frozen=True)
class Data:
    rate: Any


class Given(functools.partial):
    """Is what it is derived from."""


class Whole(int):
    """Says nothing of its number."""

    def __repr__(self) -> str:
        return object.__repr__(self)


class Place(type(Path())):  # type: ignore[misc]  # which class a path has differs with the system
    """A path, which keeps its hash and its text once it is asked for them."""


Pair = namedtuple("Pair", "rate other")


def partial(value: Any) -> Any:
    return functools.partial(make(0), rate=value)


def helped(value: Any) -> Any:
    return make(make(value))


#: Folds of a number; those of 1 and of 2 differ.
FOLDS: dict[str, Callable[[int], Any]] = {
    "a closure": make,
    "a closure's function": helped,
    "a default": make_with_default,
    "a function of several in a closure": make_one_of,
    "a lambda of several in a closure": make_one_of_lambdas,
    "a decorated function": lambda n: times(n)(TALLY.apply),
    "a cached function": lambda n: functools.lru_cache(make(n)),
    "a callable object": Fold,
    "a callable object with slots": Slotted,
    "a callable object of a class within a function": make_class,
    "a constant of a class within a function": make_class_with_constant,
    "a bound method": lambda n: Fold(n).apply,
    "a method of a class": lambda n: types.MethodType(Fold.apply, (Fold, Derived)[n - 1](0)),
    "an implementation": lambda n: generic(make(n)),
    "an implementation's type": lambda n: generic(TALLY.apply, (int, str)[n - 1]),
    "a generic function in a closure": lambda n: make(generic(make(n))),
    "a partial object's number": partial,
    "a partial object's function": lambda n: partial((TALLY.apply, TALLY.keys)[n - 1]),
    "which of two is which": lambda n: partial((make(n), make(3 - n))),
}
#: Values of a number; those of 1 and of 2 differ, and two of 1 are equal.
VALUES: dict[str, Callable[[int], Any]] = {
    "a dict": lambda n: {"r": n},
    "a dict's keys": lambda n: {n: "r", str(n): (n,)},
    "a list": lambda n: [n],
    "a tuple": lambda n: (n, "b"),
    "a set": lambda n: {"a", "b", "c", ("d", n)},
    "a frozenset": lambda n: frozenset(map(str, range(n, 9))),
    "nested": lambda n: {"a": [({"b": frozenset({("c", n)})},)]},
    "a named tuple": lambda n: Pair(n, None),
    "a queue": lambda n: deque([n], maxlen=3),
    "a counter": lambda n: Counter({"a": n}),
    "a dict with a default": lambda n: defaultdict(list, {"a": n}),
    "an ordered dict": lambda n: OrderedDict([(n, 0), (3 - n, 0)]),
    "a dict of its own": lambda n: UserDict({"a": n}),
    "a proxy": lambda n: types.MappingProxyType({"a": n}),
    "a namespace": lambda n: types.SimpleNamespace(rate=n),
    "a member of an enum": Colour,
    "flags": Flags,
    "a class": lambda n: (Colour, Flags)[n - 1],
    "a class of Python": lambda n: (int, str)[n - 1],
    "a function of Python": lambda n: (len, sorted)[n - 1],
    "a method of Python": lambda n: (str.upper, str.lower)[n - 1],
    "a method of a dict": lambda n: {"a": n}.get,
    "a getter": operator.itemgetter,
    "a date": lambda n: dt.date(2026, 1, n),
    "a moment": lambda n: dt.datetime(2026, 1, n, tzinfo=dt.UTC),
    "a moment's zone": lambda n: dt.datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONES[n])),
    "a time": lambda n: dt.time(n, tzinfo=dt.UTC),
    "a duration": lambda n: dt.timedelta(seconds=n),
    "a zone": lambda n: dt.timezone(dt.timedelta(hours=n)),
    "a decimal": lambda n: Decimal(n) / 10,
    "a fraction": lambda n: Fraction(n, 7),
    "a uuid": lambda n: uuid.UUID(int=n),
    "a path": lambda n: Path(f"a{n}"),
    "a path of its own class": lambda n: Place(f"a{n}"),
    "bytes": lambda n: bytearray([n]),
    "a pattern": lambda n: re.compile(f"a{n}"),
    "a pattern's flags": lambda n: re.compile("a", (re.I, re.M)[n - 1]),
    "a partial object of its own class": lambda n: Given(make(n), n),
    "a range": range,
    "a number of its own class": Whole,
    "a struct": Struct,
    "a struct's list": lambda n: Struct([n]),
    "a data class": Data,
    "an object": lambda n: Fold({"rate": n}),
    "an object with slots": Slotted,
    "one object in another": lambda n: Fold(Slotted(Data(n))),
}
ZONES = ("", "Europe/Berlin", "Asia/Tokyo")
#: What may carry a value.
CARRIERS = {"a partial object": partial, "a closure": make, "an object": Fold}


def every_fold(number: int) -> dict[str, Any]:
    return {name: fold(number) for name, fold in FOLDS.items()} | {
        f"{name} in {carrier}": carry(value(number))
        for name, value in VALUES.items()
        for carrier, carry in CARRIERS.items()
    }


@pytest.mark.parametrize("name", every_fold(1))
def test_a_fold_with_another_value_has_another_digest(name: str) -> None:
    assert of(every_fold(1)[name]) != of(every_fold(2)[name])


@pytest.mark.parametrize("name", every_fold(1))
def test_a_fold_with_an_equal_value_has_the_same_digest(name: str) -> None:
    assert of(every_fold(1)[name]) == of(every_fold(1)[name]) != ""


def test_digests_of_folds_with_values_are_the_same_in_every_process() -> None:
    program = (
        "from tests.unit.test_fold_values import every_fold, of\n"
        "print(*[of(one) for one in every_fold(1).values()])"
    )
    assert printed_with_other_seeds(program) == {
        " ".join(of(one) for one in every_fold(1).values())
    }


def test_the_order_in_which_a_dict_was_filled_does_not_count() -> None:
    assert of(make({"a": 1, "b": 2})) == of(make({"b": 2, "a": 1}))


def test_what_a_fold_has_counted_in_a_cache_does_not_count() -> None:
    class Cached(Fold):
        @functools.cached_property
        def twice(self) -> Any:
            return self.rate * 2

    fold, cached, dispatched = Cached(1), functools.lru_cache(make(1)), generic(make(1))
    before = [of(fold), of(cached), of(dispatched)]
    places = [Place("a"), Place("a")]
    hash(places[0]), str(places[0])
    assert of(make(places[0])) == of(make(places[1]))
    fold.twice, cached(None, None), dispatched(1, None)
    assert [of(fold), of(cached), of(dispatched)] == before


def test_what_the_keys_and_several_events_are_given_counts() -> None:
    same = TALLY.apply
    for role in ("keys", "apply_all"):
        assert of(same, **{role: make(1)}) == of(same, **{role: make(1)}) != ""
        assert of(same, **{role: make(1)}) != of(same, **{role: make(2)})


def test_a_default_of_a_struct_within_a_function_counts() -> None:
    def view(count: int) -> Any:
        class Local(msgspec.Struct, frozen=True):
            tenant: str
            total: int = count

        return Local

    assert of(TALLY.apply, view=view(1)) == of(TALLY.apply, view=view(1)) != ""
    assert of(TALLY.apply, view=view(1)) != of(TALLY.apply, view=view(2))


def test_values_that_hold_themselves_are_told_apart() -> None:
    def circle(rate: int) -> Any:
        fold = Fold(rate)
        listed: list[Any] = [rate, fold]
        listed.append({"again": listed})
        fold.listed = listed  # type: ignore[attr-defined]  # an object may have what it will
        return fold

    def recursive(rate: int) -> Any:
        def apply(view: Any, event: Any) -> Any:
            return apply(view, rate)

        return apply

    for made in (circle, recursive):
        assert of(made(1)) == of(made(1)) != of(made(2))


def test_what_has_no_text_that_lasts_is_left_out() -> None:
    """The lock and the thread are others in each process, as the address of a plain object is."""
    for left_out in (object, threading.Lock, threading.Thread, logging.getLogger):
        assert of(make(left_out())) == of(make(left_out())) != ""
        assert of(Fold([left_out(), 1])) != of(Fold([left_out(), 2]))


def test_objects_of_other_packages_are_left_out() -> None:
    """An engine or a logger that a fold's object has is full of what no fold looks at."""

    class Engine:
        def __init__(self, started: int) -> None:
            self.started = started

    Engine.__module__ = "another.engine"
    assert of(Fold(Engine(1))) == of(Fold(Engine(2))) != ""


def test_a_fold_that_carries_too_much_has_no_digest() -> None:
    assert of(make([[]] * 9_000)) != ""
    assert of(make([[]] * 11_000)) == ""
    assert of(make(functools.reduce(lambda inner, _: [inner], range(100), []))) == ""


def test_a_carried_function_without_a_source_leaves_the_fold_without_a_digest() -> None:
    made: dict[str, Any] = {}
    exec("def helper(view): return view", made)  # noqa: S102 - what a prompt would do
    assert of(make(made["helper"])) == ""
