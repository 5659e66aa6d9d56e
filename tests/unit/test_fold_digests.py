"""The digest of a fold: changed by what the fold does, by nothing else."""

import functools
import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from projections.builtin import BUILTIN
from projections.engine.fold_digest import fold_digest
from projections.engine.projection import Projection
from projections.engine.tables import Table
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
        package = f"digested{tmp_path.name.translate(str.maketrans('-.', '__'))}_{made}"
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        for name, source in (("helper", HELPER), ("view", VIEW.format(package=package))):
            assert not old or old in HELPER + VIEW.format(package=package)
            text = source.replace(old, new) if old else source
            (tmp_path / package / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return fold_digest(importlib.import_module(f"{package}.view").THING)

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


def test_digests_are_the_same_in_every_process() -> None:
    program = (
        "from projections.builtin import BUILTIN\n"
        "from projections.engine.tables import Table\n"
        "print(*[Table(one).fold_digest for one in BUILTIN])"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=dict(os.environ, PYTHONHASHSEED=seed),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert answers == {" ".join(Table(one).fold_digest for one in BUILTIN)}


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
