"""Few doors, all documented."""

import __future__

import importlib
import inspect
from types import ModuleType

import pytest

PACKAGES = ("ledger", "projections")
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
    """Whether a class or function says what it is; a constant cannot."""
    if inspect.isclass(value):
        return bool(vars(value).get("__doc__"))  # an inherited one tells about the parent
    if callable(value):
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
def test_every_public_name_has_a_docstring(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__doc__
    silent = [name for name in module.__all__ if not has_docstring(getattr(module, name))]
    assert silent == []
