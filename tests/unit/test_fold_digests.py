"""The digest of a fold: changed by what the fold does, by nothing else."""

import ast
import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from projections.builtin import BUILTIN
from projections.engine.fold_digest import fold_digest
from projections.engine.fold_source import heads, read_source
from projections.engine.projection import Projection
from projections.engine.tables import Table
from tests.support.fold_modules import digest_of_files, package_name
from tests.support.hash_seeds import printed_with_other_seeds
from tests.support.views import TALLY

ROOT = Path(__file__).resolve().parents[2]
HELPER = """
STEP = 1

def more(count):
    return count + STEP

def unused():
    return 0
"""
VIEW = '''
"""What it is for."""
import msgspec
from projections.engine.projection import Projection
from {package}.helper import more

class Thing(msgspec.Struct, frozen=True):
    """A thing."""
    tenant: str
    count: int = 0

FOLDS = {{}}

def on(type):
    def register(fold):
        FOLDS[type] = fold
        return fold
    return register

@on("thing.counted")
def counted(view, event):
    # one more
    return msgspec.structs.replace(view, count=more(view.count))

def keys(event):
    return [(event.tenant,)]

def apply(view, event):
    """Count it."""
    return FOLDS[event.type](view or Thing(event.tenant), event)

THING = Projection(name="thing", version=1, view=Thing, key=("tenant",), keys=keys, apply=apply)
'''
#: What is replaced, in the view or in the helper, and by what.
CHANGES = {
    "a registered function": ("count=more(view.count)", "count=more(more(view.count))"),
    "a constant of a helper": ("STEP = 1", "STEP = 2"),
    "a helper": ("return count + STEP", "return count - STEP"),
    "a default of the struct": ("count: int = 0", "count: int = 1"),
    "the keys": ("[(event.tenant,)]", "[(event.session_id,)]"),
    "the declaration": ('key=("tenant",)', 'key=("tenant",), indexes=(("count",),)'),
}
SAME = {
    "a comment": ("# one more", "# one thing more"),
    "a docstring": ('"""Count it."""', '"""Count the thing."""'),
    "the module's docstring": ("What it is for.", "What it was for."),
    "blank lines": ("def keys", "\n\n\ndef keys"),
    "code that it does not use": ("return 0", "return 1"),
}


@pytest.fixture
def digest_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that returns the digest of the view after a replacement in its source."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = 0

    def digest(old: str = "", new: str = "") -> str:
        nonlocal made
        made += 1
        package = package_name("digested", tmp_path) + f"_{made}"
        (tmp_path / package).mkdir()
        files = {"helper": HELPER, "view": VIEW.format(package=package)}
        assert not old or old in "".join(files.values())
        changed = {name: text.replace(old, new) if old else text for name, text in files.items()}
        return digest_of_files(tmp_path, package, {"__init__": "", **changed})

    return digest


def test_the_same_source_has_the_same_digest(digest_of: Any) -> None:
    assert digest_of() == digest_of() != ""


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_the_fold_changes_the_digest(digest_of: Any, change: str) -> None:
    assert digest_of(*CHANGES[change]) != digest_of()


@pytest.mark.parametrize("change", SAME)
def test_what_does_not_change_the_fold_does_not_change_the_digest(
    digest_of: Any, change: str
) -> None:
    assert digest_of(*SAME[change]) == digest_of()


#: How a fold may come by a helper of its package: an import, and the helper's name then.
WAYS = {
    "its name": ("from {package}.helper import more", "more"),
    "another name": ("from .helper import more as other", "other"),
    "a module": ("from . import helper", "helper.more"),
    "a module by another name": ("from . import helper as h", "h.more"),
    "a module's whole name": ("import {package}.helper", "{package}.helper.more"),
    "a whole name by another": ("import {package}.helper as h", "h.more"),
    "what the package imports": ("import {package} as p", "p.shared.more"),
    "a package's import": ("from . import again", "again"),
    "a star": ("from .helper import *", "more"),
    "a method": ("from . import helper", "helper.Counter().more"),
    "a method by a constant": ("from . import helper", "helper.COUNTER.more"),
    "an attribute of a class": ("from .helper import Counter", "Counter.more_of"),
    "a module handed on": ("from . import helper", "getattr(helper, 'more')"),
    "a module several lines long": ("from . import helper", "(helper\n    .more)"),
    "an import of its own": ("", "__late"),
    "a base class": ("from . import helper", "type('C', (helper.Counter,), {{}})().more"),
}
OFTEN_HELPER = """
STEP = 1
TEXT = "a #1"

def more(count):
    return count + STEP

class Counter:
    more_of = staticmethod(more)
    def more(self, count):
        return more(count) + len(f"{TEXT}")

COUNTER = Counter()

def unused():
    return 0
"""
OFTEN_VIEW = """
import msgspec
from projections.engine.projection import Projection
{imported}

class Thing(msgspec.Struct, frozen=True):
    tenant: str
    count: int = 0

def __late(count):
    from . import helper
    return helper.more(count)

def keys(event):
    return [(event.tenant,)]

def apply(view, event):
    return Thing(event.tenant, {call}(view.count))

THING = Projection(name="thing", version=1, view=Thing, key=("tenant",), keys=keys, apply=apply)
"""


#: Where it cannot be told what is used of a module, all of it is.
AS_A_WHOLE = {"a module handed on", "a module several lines long"}


def test_helpers_are_followed_however_they_are_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    package = package_name("reached", tmp_path)
    (tmp_path / package).mkdir()

    def digest(way: str, old: str = "", new: str = "") -> str:
        """Return the digest as the next process would have it, after a change in the helper."""
        imported, call = (part.format(package=package) for part in WAYS[way])
        helper = OFTEN_HELPER.replace(old, new)
        assert not old or helper != OFTEN_HELPER
        files = {
            "__init__": "from . import helper as shared\nfrom .helper import more as again\n",
            "helper": helper,
            "view": OFTEN_VIEW.format(imported=imported, call=call),
        }
        return digest_of_files(tmp_path, package, files)

    for way in WAYS:
        before = digest(way)
        assert before == digest(way) != "", way
        assert digest(way, "count + STEP", "count - STEP") != before, way
        assert digest(way, "STEP = 1", "STEP = 2") != before, way
        assert (digest(way, "return 0", "return 1") == before) == (way not in AS_A_WHOLE), way


def test_a_module_that_is_run_has_the_digests_of_one_that_is_imported(tmp_path: Path) -> None:
    (tmp_path / "run_package").mkdir()
    view = OFTEN_VIEW.format(imported="from . import helper", call="helper.more")
    told = "from projections.engine.fold_digest import fold_digest\nprint(fold_digest(THING))\n"
    for name, text in {"__init__": "", "helper": OFTEN_HELPER, "view": view + told}.items():
        (tmp_path / "run_package" / f"{name}.py").write_text(text)
    (tmp_path / "run_alone.py").write_text(told.join(["from run_package.view import THING\n", ""]))
    digests = [
        subprocess.run(
            [sys.executable, *call],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()[0]
        for call in (("-m", "run_package.view"), ("-c", "import run_package.view"))
    ]
    assert digests[0] == digests[1] != ""


def test_what_a_partial_object_is_given_counts() -> None:
    def given(*args: Any, **kwargs: Any) -> str:
        apply = functools.partial(TALLY.apply, *args, **kwargs)
        return fold_digest(
            Projection(
                name="t", version=1, view=TALLY.view, key=TALLY.key, keys=TALLY.keys, apply=apply
            )
        )

    found = [given(), given(1), given(2), given(a=1), given(b=1), given(digested_part)]
    assert len(set(found)) == len(found)


def test_what_folds_several_events_at_once_counts() -> None:
    def of(apply_all: Any) -> str:
        return fold_digest(replace(TALLY, apply_all=apply_all))

    assert of(digested_part) != of(None) != ""


def digested_part() -> None:
    """Stand for a helper that is handed to a fold."""


def test_the_text_of_every_module_is_read_as_pythons_parser_reads_it() -> None:
    """Names of what is defined and imported, and the names that are used in it."""
    files = [*ROOT.glob("projections/**/*.py"), *ROOT.glob("ledger/catalogue/*.py")]
    assert len(files) > 100
    for file in files:
        text = file.read_text()
        source, tree = read_source(text), ast.parse(text)
        assert set(source.imports) == imported_names(tree), file
        defined = dict(definitions(tree.body))
        bound = set(source.imports) | set(defined)
        assert set(defined) <= set(source.statements), file
        for name, used in defined.items():
            found = set[str]().union(*(heads(one) for one in source.statements[name]))
            assert used & bound - {name} <= found, (file, name)


def imported_names(tree: ast.AST) -> set[str]:
    """Return what the imports of a module bind, wherever they are."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {one.asname or one.name for one in node.names}
        elif isinstance(node, ast.Import):
            found |= {one.asname or one.name.partition(".")[0] for one in node.names}
    return found


def definitions(body: list[ast.stmt]) -> Iterator[tuple[str, set[str]]]:
    """Yield what is defined on a module's top level, and the names used in it."""
    for node in body:
        used = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
        if isinstance(node, ast.If):
            yield from definitions([*node.body, *node.orelse])
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, used
        elif isinstance(node, ast.Assign):
            yield from ((one.id, used) for one in node.targets if isinstance(one, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, used


def test_digests_are_the_same_in_every_process() -> None:
    program = (
        "from projections.builtin import BUILTIN\n"
        "from projections.engine.tables import Table\n"
        "print(*[Table(one).fold_digest for one in BUILTIN])"
    )
    assert printed_with_other_seeds(program) == {
        " ".join(Table(one).fold_digest for one in BUILTIN)
    }


def test_every_built_in_fold_has_a_digest_of_its_own() -> None:
    digests = {fold_digest(projection) for projection in BUILTIN}
    assert len(digests - {""}) == len(BUILTIN)


def test_partials_and_objects_count_as_the_code_behind_them() -> None:
    class Fold:
        def __call__(self, view: Any, event: Any) -> Any:
            return view

    def with_apply(apply: Any) -> Projection:
        return Projection(
            name="t", version=1, view=TALLY.view, key=TALLY.key, keys=TALLY.keys, apply=apply
        )

    assert fold_digest(with_apply(functools.partial(TALLY.apply))) == fold_digest(
        with_apply(TALLY.apply)
    )
    assert fold_digest(with_apply(Fold())) not in ("", fold_digest(with_apply(TALLY.apply)))


def test_a_fold_without_a_source_has_no_digest() -> None:
    made: dict[str, Any] = {}
    exec("def apply(view, event): return view", made)  # noqa: S102 - what a prompt would do
    projection = Projection(
        name="t", version=1, view=TALLY.view, key=TALLY.key, keys=TALLY.keys, apply=made["apply"]
    )
    assert fold_digest(projection) == ""
