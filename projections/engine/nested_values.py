"""Walking through a value and all that it holds, to tell it by texts. Pure."""

from __future__ import annotations

import os
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from types import CellType
from typing import Any

#: So many objects may belong to one value, one within the other so deep; with more it is not told.
VALUES_MAX = 10_000
DEPTH_MAX = 50
#: What a comprehension is in the names of functions within it, before Python 3.12 or 3.13.
_COMPREHENSION = re.compile(r"<(?:list|set|dict)comp>\.")


class Untold(Exception):
    """A value of which nothing can be said that is the same in every process, or too much."""


class NestedValues(ABC):
    """Tells values by the texts of what they hold; each walk has an object of its own."""

    def __init__(self) -> None:
        self._inside: list[int] = []
        self._count = 0

    def said(self, value: Any) -> Iterator[str]:
        """Yield what tells a value from others; raises Untold on the way."""
        if self._is_plain(value):
            yield repr(value)
            return
        # Only cycles: which equal values are one object differs with how a module was loaded.
        if id(value) in self._inside:
            yield f"again {self._inside.index(id(value))}"
            return
        self._count += 1
        if self._count > VALUES_MAX or len(self._inside) >= DEPTH_MAX:
            raise Untold
        self._inside.append(id(value))
        yield f"<{self._kind(value)}"
        yield from self._within(value)
        yield ">"
        self._inside.pop()

    def _all(self, values: Iterable[Any]) -> Iterator[str]:
        for value in values:
            yield from self.said(value)

    @abstractmethod
    def _is_plain(self, value: Any) -> bool:
        """Whether its repr tells a value."""

    def _kind(self, value: Any) -> str:
        """Return what is told of every value that is not plain."""
        return ""

    @abstractmethod
    def _within(self, value: Any) -> Iterator[str]:
        """Yield what a value that is not plain holds."""


def is_filled(cell: CellType) -> bool:
    """Whether there is a value in a closure's cell yet."""
    try:
        cell.cell_contents  # noqa: B018  reading it is the only way to ask
    except ValueError:
        return False
    return True


def is_pythons(module: str | None) -> bool:
    """Whether a module is one of Python's own, and not one of the same name that hides it."""
    if module is None or top_level(module) not in sys.stdlib_module_names:
        return False
    file: str | None = getattr(sys.modules.get(top_level(module)), "__file__", None)
    if file is None or not file.endswith(".py"):  # built in or compiled, as its own often are
        return True
    return file.startswith(os.path.join(os.path.dirname(os.__file__), ""))


def top_level(module: str) -> str:
    """Return the top-level package that a module is in."""
    return module.partition(".")[0]


def qualified_name(value: Any) -> str:
    """Return the qualified name of a function or class as all versions of Python spell it."""
    return _COMPREHENSION.sub("", value.__qualname__)
