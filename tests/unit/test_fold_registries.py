"""The digest of a fold that calls what others register with: changed by what they register."""

import importlib
import sys
from pathlib import Path

import pytest

from projections.engine import fold_digest as fold_digest_module
from projections.engine.fold_digest import fold_digest

GENERIC = """
import functools
import msgspec
from projections.engine.projection import Projection

class Thing(msgspec.Struct, frozen=True):
    tenant: str
    count: int = 0

@functools.singledispatch
def amount(value):
    return 0

class Amounts:
    @functools.singledispatchmethod
    def of(self, value):
        return 0

def keys(event):
    return [(event.tenant,)]

def apply(view, event):
    return Thing(event.tenant, {call}(event.data["amount"]))

THING = Projection(name="thing", version=1, view=Thing, key=("tenant",), keys=keys, apply=apply)
"""
#: What the fold calls, and how an implementation is registered for it.
REGISTERED = {
    "a function": ("amount", "@amount.register\ndef _(value: int):\n    return STEP\n"),
    "a function for a type": ("amount", "@amount.register(int)\ndef _(value):\n    return STEP\n"),
    "a function by a call": ("amount", "def one(value): return STEP\namount.register(int, one)\n"),
    "a method": ("Amounts().of", "@Amounts.of.register\ndef _(self, value: int): return STEP\n"),
}
ELSEWHERE = "from .view import amount\n\n"


#: A method's implementations are found in its own module alone.
PLACES = [(way, False) for way in REGISTERED] + [(way, True) for way in REGISTERED if way[2] == "f"]


@pytest.mark.parametrize(("way", "elsewhere"), PLACES)
def test_an_implementation_that_is_registered_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, elsewhere: bool
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    package = f"generic{tmp_path.name.translate(str.maketrans('-.', '__'))}"
    (tmp_path / package).mkdir()
    call, registered = REGISTERED[way]

    def digest(old: str = "", new: str = "") -> str:
        """Return the digest as the next process would have it, after a change."""
        text = registered.replace("STEP", "1").replace(old, new)
        view = GENERIC.format(call=call)
        files = {"__init__": "", "view": view, "more": ELSEWHERE + text}
        if not elsewhere:
            files["view"], files["more"] = view + text, ""
        for name, one in files.items():
            (tmp_path / package / f"{name}.py").write_text(one)
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]
        fold_digest_module.forget()
        importlib.invalidate_caches()
        thing = importlib.import_module(f"{package}.view").THING
        importlib.import_module(f"{package}.more")
        return fold_digest(thing)

    assert digest() == digest() != ""
    assert digest("return 1", "return 2") != digest()
    assert digest("int", "str") != digest()
