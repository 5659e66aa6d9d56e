"""What tells the upcasters of one ledger from those of another."""

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

from ledger.upcasts import Upcasts
from projections.engine.nested_values import DEPTH_MAX
from projections.engine.upcast_digest import UpcastDigests

Payload = dict[str, Any]


def with_field(by: Any, data: Payload) -> Payload:
    return {**data, "by": by}


class Adding:
    """An upcaster that is an object."""

    def __init__(self, by: Any) -> None:
        self.by = by

    def __call__(self, data: Payload) -> Payload:
        return with_field(self.by, data)

    def again(self, data: Payload) -> Payload:
        return self(data)


def closed_over(by: Any) -> Callable[[Payload], Payload]:
    return lambda data: {**data, "by": by}


def recursive() -> Callable[[Payload], Payload]:
    def lift(data: Payload) -> Payload:
        return lift({**data, "by": 1}) if "by" not in data else data

    return lift


def nested(depth: int) -> list[Any]:
    return [nested(depth - 1)] if depth else []


def digest(upcaster: Any, *, type: str = "a.b", version: int = 1, types: Any = None) -> str | None:
    upcasts = Upcasts()
    upcasts.register(type, from_version=version, upcaster=upcaster)
    return UpcastDigests(upcasts).of(types)


def lasting(upcaster: Any) -> str | None:
    upcasts = Upcasts()
    upcasts.register("a.b", from_version=1, upcaster=upcaster)
    return UpcastDigests(upcasts).lasting(None)


def test_whatever_decides_on_a_payload_is_in_the_digest() -> None:
    different = [
        lambda data: {**data, "by": 1},
        lambda data: {**data, "by": 10},
        lambda data: {**data, "other": 1},
        lambda data, by=1: {**data, "by": by},
        lambda data, by=2: {**data, "by": by},
        lambda data: data if data["by"] in {1, 2} else {},
        lambda data: data if data["by"] in {1, 3} else {},
        closed_over(1),
        closed_over(10),
        closed_over({"a": [1, (2, None)]}),
        closed_over({"a": [1, (3, None)]}),
        closed_over({"x", "y"}),
        closed_over({"x", "z"}),
        closed_over(closed_over(1)),
        closed_over(closed_over(2)),
        closed_over(Adding),
        functools.partial(with_field, 1),
        functools.partial(with_field, 10),
        Adding(1),
        Adding(10),
        Adding(1).again,
        recursive(),
    ]
    for told in (digest, lasting):
        found = [told(one) for one in different]
        assert None not in found
        assert len(set(found)) == len(different)
    assert len({digest(Adding(1)), digest(Adding(1), version=2), digest(Adding(1), type="c")}) == 3
    assert digest(closed_over(1)) == digest(closed_over(1))
    assert digest(recursive()) == digest(recursive())


def test_only_the_types_of_a_fold_count_and_none_say_nothing() -> None:
    upcasts = Upcasts()
    digests = UpcastDigests(upcasts)
    assert digests.of(None) == ""
    upcasts.register("a.b", from_version=1, upcaster=Adding(1))
    first = digests.of(None)
    assert first not in ("", None)
    assert digests.of(frozenset({"a.b", "c.d"})) == first
    assert digests.of(frozenset({"c.d"})) == ""
    upcasts.register("c.d", from_version=1, upcaster=Adding(1))
    assert digests.of(frozenset({"a.b"})) == first
    assert len({first, digests.of(None), digests.of(frozenset({"c.d"}))}) == 3


def test_the_lasting_digest_does_not_see_what_was_compiled() -> None:
    """Another version of Python compiles the same source to something else."""
    for one in (with_field, closed_over(1), Adding(1).again):
        before = digest(one), lasting(one)
        function: Any = getattr(one, "__func__", one)
        code, compiled = function.__code__, function.__code__.co_code
        try:
            function.__code__ = code.replace(co_code=compiled + compiled[-2:])
            assert digest(one) != before[0]
            assert lasting(one) == before[1]
        finally:
            function.__code__ = code


def test_what_cannot_be_told_apart_has_no_digest() -> None:
    without_source = FunctionType(with_field.__code__, {"__name__": "nowhere"})
    for upcaster in (without_source, closed_over(object()), closed_over(len)):
        assert digest(upcaster) is None
        assert lasting(upcaster) is None
    assert digest(dict) is None
    assert digest(closed_over(nested(DEPTH_MAX // 2))) is not None
    assert digest(closed_over(nested(DEPTH_MAX + 1))) is None
    assert digest(closed_over(list(map(str, range(20_000))))) is not None
    assert digest(closed_over([[] for _ in range(20_000)])) is None


def test_all_processes_agree() -> None:
    code = (
        "from tests.unit.test_upcast_digests import *\n"
        "print(digest(closed_over({'x', 'y', 'z', 1})), lasting(Adding({'b', 'a'})))\n"
        "print(digest(lambda data: data) is None)"
    )
    here = f"{digest(closed_over({'x', 'y', 'z', 1}))} {lasting(Adding({'b', 'a'}))}"
    root = Path(__file__).parents[2]
    for seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-B", "-c", code],
            cwd=root,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.split("\n")[:2] == [here, "True"]
