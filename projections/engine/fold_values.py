"""What a fold carries besides its source: the values that it was made with. Reads, never runs.

Each is told by a text that is the same in every process, and for every equal value: numbers, text,
dates and the like, collections of them in any depth, members of enums, structs, data classes and
objects by what they have. Of functions and classes it is the name; their source is read elsewhere,
by the places that are found here. What has no such text is left out: locks, files, connections,
loggers and other objects of Python's own library, and objects of compiled or other packages than
the fold's that are neither structs nor data classes and cannot be called.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import operator
import re
import sys
import textwrap
from collections import OrderedDict, UserDict, UserList, UserString, defaultdict, deque
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any
from uuid import UUID

from .fold_source import read_source
from .nested_values import NestedValues, is_filled, is_pythons, qualified_name, top_level

#: A module and a name on its top level.
Place = tuple[str, str]
#: What stands for a module as a whole: where a lambda was written cannot be told more exactly, nor
#: what is used of a module that is handed on.
WHOLE = "*"
#: What has a text of its own; nothing derived from it, whose text may be any.
_PLAIN = frozenset(
    (
        *(int, float, complex, bool, str, bytes, bytearray, range),
        *(type(None), type(...), type(NotImplemented)),
        *(date, timedelta, timezone, Decimal, UUID),
    )
)
_BASES = (int, float, complex, str, bytes, bytearray, date, timedelta, Decimal, UUID)
#: What Python's own objects were made of; caches that some of them have do not count.
_MADE_OF: dict[type, tuple[str, ...]] = {
    functools.partial: ("func", "args", "keywords"),
    functools.partialmethod: ("func", "args", "keywords"),
    functools.singledispatchmethod: ("dispatcher",),
    functools.cached_property: ("func",),
    type(functools.cache(repr)): ("__wrapped__",),
    MethodType: ("__func__", "__self__"),
    BuiltinFunctionType: ("__self__",),
    type("".__eq__): ("__self__",),
    type(str.upper): ("__objclass__",),
    type(str.__eq__): ("__objclass__",),
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    property: ("fget", "fset", "fdel"),
    re.Pattern: ("pattern", "flags"),
    SimpleNamespace: ("__dict__",),
}
#: The same for classes that are not worth an import, by name.
_MADE_OF_BY_NAME = {
    "fractions.Fraction": ("numerator", "denominator"),
    "pathlib.PurePath": ("parts",),
    "zoneinfo.ZoneInfo": ("key",),
}
_GETTERS = (operator.itemgetter, operator.attrgetter, operator.methodcaller)
_WRAPPERS = (UserDict, UserList, UserString)


class FoldValues(NestedValues):
    """Values that folds carry; `functions`, `classes` and `modules` say where their sources are.

    Objects are looked into if their class is of one of the `packages`, if they may be called, or
    if they are structs or data classes. Whatever else an object has, such as a logger or an engine,
    is full of what no fold looks at, and is left out.
    """

    def __init__(self, packages: Iterable[str]) -> None:
        super().__init__()
        self._packages = frozenset(one for one in packages if not is_pythons(one))
        self.functions: list[Place] = []
        self.classes: list[Place] = []
        self.modules: list[Place] = []

    def carried(self, part: Any) -> str:
        """Return what a function, class or callable object carries, "" for nothing."""
        while isinstance(part, functools.partial) and not part.args and not part.keywords:
            part = part.func
        if isinstance(part, FunctionType):
            if not (
                _is_local(part) or part.__closure__ or part.__defaults__ or part.__kwdefaults__
            ):
                return ""
        elif isinstance(part, type) and not _is_local(part):
            return ""
        return self.text(part)

    def text(self, value: Any) -> str:
        """Return what tells a value from others."""
        return "\0".join(self.said(value))

    def _is_plain(self, value: Any) -> bool:
        return type(value) in _PLAIN

    def _within(self, value: Any) -> Iterator[str]:
        if isinstance(value, FunctionType):
            yield from self._function(value)
        elif isinstance(value, type):
            yield from self._class(value)
        elif isinstance(value, ModuleType):
            yield f"module {value.__name__}"
            if not is_pythons(value.__name__):
                self.modules.append((value.__name__, WHOLE))
        elif isinstance(value, Enum):
            yield self._named(type(value))
            yield from self._all((value._name_, value._value_))
        elif isinstance(value, _GETTERS):
            yield from self._all(value.__reduce__())
        else:
            yield from self._content(value)
            yield from self._object(value)

    def _function(self, function: FunctionType) -> Iterator[str]:
        yield self._named(function)
        if is_generic(function):
            # What it has looked up is in its closure, too, and differs with what was folded.
            yield from sorted(
                f"{self._named(type)} {self.text(one)}"
                for type, one in vars(function)["registry"].items()
            )
            return
        if not is_pythons(function.__globals__.get("__name__")):
            if _is_local(function):
                yield _source_of(function.__code__)
        elif not _is_local(function):
            return  # its defaults are others with every version of Python
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        carried = [(name, cell.cell_contents) for name, cell in cells if is_filled(cell)]
        yield from self._all((carried, function.__defaults__, function.__kwdefaults__))

    def _class(self, of: type) -> Iterator[str]:
        yield self._named(of)
        if not _is_local(of):
            return
        yield from self._all((of.__bases__, getattr(of, "__struct_defaults__", ())))
        for name, value in sorted(vars(of).items()):
            if _is_written(of, name, value):
                yield name
                yield from self.said(value)

    def _content(self, value: Any) -> Iterator[str]:
        """Yield what a collection holds, or what Python's own class of a value says of it."""
        if isinstance(value, (datetime, time)):
            # A zone of an own class says where it is kept.
            yield repr(value.replace(tzinfo=None))
            yield from self.said(value.tzinfo)
        elif isinstance(value, (list, tuple, deque)):
            yield type(value).__name__
            yield from self._all(value)
            if isinstance(value, deque):
                yield repr(value.maxlen)
        elif isinstance(value, (set, frozenset)):
            # Their order is another one in each process.
            yield from sorted(self.text(one) for one in value)
        elif isinstance(value, (dict, MappingProxyType)):
            items = [f"{self.text(key)}: {self.text(one)}" for key, one in value.items()]
            yield from items if isinstance(value, OrderedDict) else sorted(items)
            if isinstance(value, defaultdict):
                yield from self.said(value.default_factory)
        elif isinstance(value, _WRAPPERS):
            yield from self.said(value.data)
        else:
            yield from self._of_pythons(value)

    def _of_pythons(self, value: Any) -> Iterator[str]:
        """Yield what an object was made of as far as a class of Python's own says it."""
        for base in type(value).__mro__:
            if base in _BASES:
                yield base.__repr__(value)
                return
            names = _MADE_OF.get(base)
            if names is None and is_pythons(base.__module__):
                names = _MADE_OF_BY_NAME.get(f"{top_level(base.__module__)}.{base.__qualname__}")
            if names is not None:
                yield f"{base.__name__} {getattr(value, '__qualname__', '')}"
                yield from self._all(getattr(value, name) for name in names)
                return

    def _object(self, value: Any) -> Iterator[str]:
        """Yield what the attributes of an object are."""
        of = type(value)
        if is_pythons(of.__module__):
            return
        package = top_level(origin(of)[0])
        fields = hasattr(of, "__struct_fields__") or hasattr(of, "__dataclass_fields__")
        if not (fields or package in self._packages or callable(value)):
            return
        yield from self.said(of)
        for name, one in sorted(_attributes(value).items()):
            yield name
            yield from self.said(one)

    def _named(self, value: Any) -> str:
        """Return the name of a function or class, and remember where it is if that is read."""
        is_function = isinstance(value, FunctionType)
        # A function that was made by hand may seem to be a builtin one.
        if is_pythons(value.__module__) and not (is_function and value.__module__ == "builtins"):
            return f"{value.__module__}.{qualified_name(value)}"
        (self.functions if is_function else self.classes).append(origin(value))
        # A script's module has another name where it is imported.
        return qualified_name(value)


def origin(part: Any) -> Place:
    """Return the module of a function, class or callable object, and its name on the top level."""
    while isinstance(part, functools.partial):
        part = part.func
    named = part if hasattr(part, "__qualname__") else type(part)
    # What was made by hand may be of no module; what `python -m` runs is imported by its name.
    module = named.__module__ or ""
    spec = vars(sys.modules[module]).get("__spec__") if module in sys.modules else None
    return (module if spec is None else spec.name), named.__qualname__.partition(".")[0]


def is_generic(value: Any) -> bool:
    """Whether a value is what functools.singledispatch returns."""
    return type(value) is FunctionType and hasattr(value, "registry") and hasattr(value, "dispatch")


def _is_local(value: Any) -> bool:
    """Whether a function or class was made within a function."""
    named = value.__code__.co_qualname if isinstance(value, FunctionType) else value.__qualname__
    return "<locals>" in named


def _is_written(of: type, name: str, value: Any) -> bool:
    """Whether somebody wrote what a class has under a name, and Python did not put it there.

    That is made of what the class has anyway, and every version of Python puts something else.
    """
    function = getattr(value, "__func__", value)
    if isinstance(function, FunctionType):
        function = inspect.unwrap(function)
        if function.__code__.co_filename.startswith("<"):
            return False
        if not is_pythons(function.__globals__.get("__name__")):
            return True
        if _is_local(function):  # as those of named tuples are
            return False
    reserved = "_" if issubclass(of, Enum) else "__"
    return not (name.startswith(reserved) and name.endswith(reserved))


def _source_of(code: CodeType) -> str:
    """Return what tells a function from others within the same one: two may have one name."""
    try:
        source = read_source(textwrap.dedent(inspect.getsource(code)))
    except OSError:
        return ""
    return repr(sorted({one.text for several in source.statements.values() for one in several}))


def _attributes(value: Any) -> dict[str, Any]:
    """Return what an object has, in slots and beside them, without what it has only kept."""
    found: dict[str, Any] = {}
    kept: set[str] = set()
    for one in reversed(type(value).__mro__):
        # Python's own keep hashes and the like, which are others in each process.
        for name, descriptor in () if is_pythons(one.__module__) else vars(one).items():
            if isinstance(descriptor, MemberDescriptorType):
                try:
                    found[name] = descriptor.__get__(value)
                except AttributeError:  # nothing is there yet
                    continue
            elif isinstance(descriptor, functools.cached_property):
                kept.add(name)
    with contextlib.suppress(AttributeError):  # it has slots alone
        found |= object.__getattribute__(value, "__dict__")
    return {name: one for name, one in found.items() if name not in kept}
