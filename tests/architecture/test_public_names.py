"""Few doors, all documented."""

import __future__

import ast
import builtins
import collections.abc
import datetime
import importlib
import importlib.metadata
import inspect
import re
import subprocess
import sys
import typing
import uuid
from types import ModuleType
from typing import get_origin

import msgspec
import pytest

import ledger
import projections
from ledger import AsyncLedger, Ledger, catalogue
from projections import AsyncViews, Daemon, Views
from projections.session_stores import conversation, orchestrator, qa, snapshot

PACKAGES = ("ledger", "projections")
#: Shapes of functions that a caller hands in, and what only the library itself makes.
INSIDE = {"Ask", "AsyncAsk", "AsyncBackend", "Backend", "Given", "Progress"}
#: Lists that are spelled so where a method of the class is called `list`.
LISTS = {"Checkpoints", "Events", "SessionIds", "Versions"}
STORES = [conversation, orchestrator, qa, snapshot]
_Feature = type(__future__.annotations)


def public_names(package: ModuleType) -> set[str]:
    """What stands in the package's namespace without an underscore.

    Modules are reached by their path, and `annotations` is what a future import leaves behind.
    """
    return {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not isinstance(value, (ModuleType, _Feature))
    }


def has_docstring(value: object) -> bool:
    """Whether a class or function says what it is; a constant or an alias of types cannot."""
    if inspect.isclass(value):
        return bool(vars(value).get("__doc__"))  # an inherited one tells about the parent
    if callable(value) and get_origin(value) is None:
        return bool(inspect.getdoc(value))
    return True


@pytest.mark.parametrize("package", PACKAGES)
def test_all_lists_exactly_the_public_names(package: str) -> None:
    module = importlib.import_module(package)
    listed = list(module.__all__)
    assert sorted(listed) == sorted(set(listed)), "a name is listed twice"
    assert [name for name in listed if not hasattr(module, name)] == []
    assert sorted(public_names(module) - set(listed)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_dir_shows_every_public_name(package: str) -> None:
    # In a process of its own: what another test has loaded stands in the namespace already.
    program = f"import {package} as p; print(sorted({{*p.__all__}} - {{*dir(p)}}))"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_the_version_is_the_distributions() -> None:
    assert ledger.__version__ == importlib.metadata.version("agent-session-ledger")
    assert "__version__" in dir(ledger)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ledger.nothing


@pytest.mark.parametrize("face", [Views, AsyncViews, Daemon], ids=lambda face: face.__name__)
def test_a_signature_fits_on_a_page(face: type) -> None:
    assert len(str(inspect.signature(face))) < 500


def named_in(face: type) -> set[str]:
    """The names that stand in the annotations of a class's public methods."""
    methods = [value for name, value in vars(face).items() if not name.startswith("_")]
    return {
        node.id
        for method in [face.__init__, *methods]  # type: ignore[misc]  # of each class its own
        if inspect.isfunction(method)
        for annotation in method.__annotations__.values()
        for node in ast.walk(ast.parse(annotation, mode="eval"))
        if isinstance(node, ast.Name)
    }


def types_that_nobody_exports(face: type, *doors: ModuleType) -> set[str]:
    """The names in a class's signatures that a caller cannot import to annotate with."""
    exported = {name for door in doors for name in door.__all__} | {"transfer"}  # a module
    standard = (builtins, collections.abc, datetime, typing, uuid)
    known = {name for module in standard for name in vars(module)}
    return named_in(face) - exported - known - INSIDE


@pytest.mark.parametrize("face", [Ledger, AsyncLedger, Views, AsyncViews], ids=lambda f: f.__name__)
def test_types_of_public_signatures_can_be_imported(face: type) -> None:
    assert types_that_nobody_exports(face, ledger, catalogue, projections) == set()


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.__name__.rpartition(".")[2])
def test_types_of_the_stores_signatures_can_be_imported(store: ModuleType) -> None:
    named = (getattr(store, name) for name in store.__all__)
    # Those that say how they are made; of values the fields do.
    faces = [one for one in named if inspect.isclass(one) and "__init__" in vars(one)]
    doors = (ledger, catalogue, projections, store)
    missing = {name for face in faces for name in types_that_nobody_exports(face, *doors)}
    assert missing - LISTS == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_a_docstring(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__doc__
    silent = [name for name in module.__all__ if not has_docstring(getattr(module, name))]
    assert silent == []


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn, above = dict[str, str](), ["Exception"]
    for indent, name in re.findall(
        r"^( +)([A-Z]\w+)(?:  .*)?$", ledger.errors.__doc__ or "", re.MULTILINE
    ):
        del above[len(indent) // 2 - 1 :]
        drawn[name] = above[-1]
        above.append(name)
    errors = [value for value in vars(ledger.errors).values() if inspect.isclass(value)]
    assert drawn == {error.__name__: error.__bases__[0].__name__ for error in errors}


def structs_in(annotation: object) -> set[type]:
    """Return the structs of which values of a type are made."""
    if inspect.isclass(annotation) and issubclass(annotation, msgspec.Struct):
        return {annotation}
    return set().union(*(structs_in(one) for one in typing.get_args(annotation)))


def test_structs_in_the_fields_of_rows_are_public_as_the_rows_are() -> None:
    held = {
        one
        for row in (projection.view for projection in projections.BUILTIN)
        for field in msgspec.structs.fields(row)
        for one in structs_in(field.type)
    }
    assert {one.__name__ for one in held} - {*projections.__all__} == set()
