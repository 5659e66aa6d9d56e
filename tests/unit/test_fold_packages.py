"""The digest of a fold whose helpers are in packages of any kind: changed by what they hold."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fold_modules import digest_of_files, package_name

VIEW = """
import msgspec
from projections.engine.projection import Projection
{imported}

class Thing(msgspec.Struct, frozen=True):
    tenant: str
    count: int = 0

def keys(event):
    return [(event.tenant,)]

def apply(view, event):
    return Thing(event.tenant, {used})

THING = Projection(name="thing", version=1, view=Thing, key=("tenant",), keys=keys, apply=apply)
"""
#: What `__init__.py` says, None where there is none.
PACKAGES = {"empty": "", "a docstring": '"""Shop."""\n', "a statement": "X = 5\n", "missing": None}
#: How a fold may come by what a module of its package holds, and what it uses then.
WAYS = {
    "from the package": ("from {package} import prices", "prices.of()"),
    "from here": ("from . import prices", "prices.of()"),
    "by a whole name": ("import {package}.prices", "{package}.prices.of()"),
    "by another name": ("import {package}.prices as p", "p.of()"),
    "kept by a name": ("from {package} import prices\nkept = prices", "kept.of()"),
    "a constant": ("from . import prices", "prices.PRICES['a']"),
    "its name": ("from .prices import of", "of()"),
    "a star": ("from .prices import *", "of()"),
    "a package below": ("from .below import deep", "deep.of()"),
    "a package below, later": (
        "def later():\n    from .below import deep\n    return deep.of()",
        "later()",
    ),
    "or a value": ("try:\n    from .prices import of\nexcept ImportError:\n    of = int", "of()"),
    "a value or": (
        "try:\n    import none\n    of = int\nexcept ImportError:\n    from .prices import of",
        "of()",
    ),
    "or a module": (
        "try:\n    from .prices import of\nexcept ImportError:\n    from .other import of",
        "of()",
    ),
    "a module or": (
        "try:\n    from .missing import of\nexcept ImportError:\n    from .prices import of",
        "of()",
    ),
    "or a star": (
        "try:\n    from .other import *\nexcept ImportError:\n    pass\nfrom .prices import *",
        "of()",
    ),
    "made another": ("from .prices import of\nof = staticmethod(of)", "of()"),
}
#: Where it cannot be told what is used of a module, all of it is.
AS_A_WHOLE = {"kept by a name"}
PRICES = "PRICES = {'a': 1}\n\ndef of():\n    return 1\n\ndef unused():\n    return 0\n"
OTHER = "def of():\n    return 3\n"
LATER = "def of():\n    from .m0 import of\n    return of()"

Digest = Callable[..., str]


@pytest.fixture
def digest_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Digest:
    """A function that returns the digest as the next process would have it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    package = package_name("packed", tmp_path)
    (tmp_path / package / "below").mkdir(parents=True)

    def digest(way: str, init: str | None, old: str = "", new: str = "") -> str:
        imported, used = (part.format(package=package) for part in WAYS[way])
        prices = PRICES.replace(old, new)
        files = {
            "__init__": init,
            "prices": prices,
            "other": OTHER,
            "below/__init__": init,
            "below/deep": prices,
            "view": VIEW.format(imported=imported, used=used),
        }
        return digest_of_files(tmp_path, package, files)

    return digest


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("way", WAYS)
def test_a_helper_counts_in_a_package_of_any_kind(
    digest_of: Digest, way: str, package: str
) -> None:
    init = PACKAGES[package]
    before = digest_of(way, init)
    assert before == digest_of(way, init) != ""
    assert (
        digest_of(
            way, init, "'a': 1}\n\ndef of():\n    return 1", "'a': 2}\n\ndef of():\n    return 2"
        )
        != before
    )
    assert (digest_of(way, init, "return 0", "return 1") == before) == (way not in AS_A_WHOLE)


def test_modules_that_import_a_name_from_each_other_lead_to_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In as many ways as there are here, whoever went all of them would never come back."""
    monkeypatch.syspath_prepend(str(tmp_path))
    package = package_name("round", tmp_path)
    (tmp_path / package).mkdir()
    modules = [f"m{number}" for number in range(12)]
    files = {"__init__": "", "view": VIEW.format(imported=LATER, used="of()")}
    for module in modules:
        others = "".join(f"    from .{one} import of\n" for one in modules if one != module)
        files[module] = f"def load():\n{others}\nprint\n"
    assert digest_of_files(tmp_path, package, files) != ""
