"""Digests that are kept with tables are the same on every version of Python."""

import dataclasses
import enum
import functools
import json
import re
import statistics
import sys
import typing
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from ledger.upcasts import Upcasts
from projections.engine import fold_digest
from projections.engine.fold_values import FoldValues
from projections.engine.upcast_digest import UpcastDigests


def local_classes() -> dict[str, type]:
    """Return classes into which Python puts methods, in each version other ones."""

    @dataclasses.dataclass
    class Data:
        rate: int = 1

    class Named(typing.NamedTuple):
        rate: int = 1

    class Colour(enum.Enum):
        RED = 1

    class Rated(typing.Protocol):
        def rate(self) -> int: ...

    return {"data": Data, "named": Named, "colour": Colour, "rated": Rated}


TEXTS = {
    "data": "<Data <tuple <builtins.object > > <tuple > rate 1 >",
    "named": (
        "<Named <tuple <builtins.tuple > > <tuple >"
        " _field_defaults <'rate': 1 > _fields <tuple 'rate' > rate <> >"
    ),
    "colour": "<Colour <tuple <enum.Enum > > <tuple > RED <Colour 'RED' 1 > >",
    "rated": (
        "<Rated <tuple <typing.Protocol > > <tuple > _abc_impl <> _is_protocol True"
        " rate <Rated.rate ['def rate(self) -> int: ...'] <list > None None > >"
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_class_is_told_without_what_python_puts_into_it(name: str) -> None:
    text = FoldValues(["tests"]).text(local_classes()[name]).replace("<\0", "<")
    assert text.replace("\0", " ").replace("local_classes.<locals>.", "") == TEXTS[name]


def test_a_function_of_pythons_own_is_told_by_its_name() -> None:
    assert FoldValues(["tests"]).text(re.sub) == "<\0re.sub\0>"


def combined_by(combine: Any) -> type:
    class Combined:
        combined = staticmethod(combine)

    return Combined


def test_a_function_of_pythons_own_that_a_class_was_made_with_is_told() -> None:
    of_mean, of_median = (
        FoldValues(["tests"]).text(combined_by(one)) for one in (statistics.mean, statistics.median)
    )
    assert "statistics.mean" in of_mean
    assert "statistics.median" in of_median


def test_a_function_within_a_comprehension_is_told_without_it() -> None:
    """A comprehension was a function of its own before Python 3.12."""
    made = [lambda: None for _ in range(1)]
    text = FoldValues(["tests"]).text(made)
    assert "comp>" not in text


def parsed_by(parse: Any) -> Any:
    return lambda data: {**data, "parsed": parse(data)}


def lasting(upcaster: Any) -> str | None:
    upcasts = Upcasts()
    upcasts.register("a.b", from_version=1, upcaster=upcaster)
    return UpcastDigests(upcasts).lasting(None)


def test_the_source_of_pythons_own_functions_is_in_no_lasting_digest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Other:
        def get_source(self, name: str) -> str:
            return f"# {name} of another version\ndef loads(s):\n    return None\n"

    before = lasting(parsed_by(json.loads))
    monkeypatch.setattr(json.loads, "__kwdefaults__", {"strict": True})
    monkeypatch.setattr(json, "__spec__", ModuleSpec("json", Other()))  # type: ignore[arg-type]  # all that is asked of it
    fold_digest.forget()
    try:
        assert lasting(parsed_by(json.loads)) == before
        assert None is not before != lasting(parsed_by(json.dumps))
    finally:
        fold_digest.forget()


def test_a_module_that_hides_one_of_pythons_own_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = []
    for rate in (1, 2):
        path = tmp_path / str(rate) / "trace.py"
        path.parent.mkdir()
        path.write_text(f"def lift(data):\n    return {{**data, 'rate': {rate}}}\n")
        spec = spec_from_file_location("trace", path)
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setitem(sys.modules, "trace", module)
        fold_digest.forget()
        found.append(lasting(module.lift))
    fold_digest.forget()
    assert None is not found[0] != found[1]


def test_what_a_cache_copies_from_its_function_is_in_no_digest() -> None:
    cached: Any = functools.cache(local_classes)
    before = lasting(parsed_by(cached))
    cached.__type_params__ = ("copied since 3.12",)
    assert lasting(parsed_by(cached)) == before
    assert None is not before != lasting(parsed_by(functools.cache(parsed_by)))
