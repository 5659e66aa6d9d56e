"""Digests of upcasters, by which it is noticed that payloads are decoded otherwise.

One holds as long as the version of Python does: it sees what was compiled, and so tells apart
whatever is not the same. Snapshots have it, which are made anew at no harm. The lasting one sees
sources instead; it is kept with tables, which no other version of Python is to call changed.
"""

from __future__ import annotations

import functools
import inspect
import textwrap
from collections.abc import Iterator
from hashlib import sha256
from types import CodeType, FunctionType, MethodType
from typing import Any

from ledger.upcasts import Upcaster, Upcasts

from .fold_digest import source_texts
from .fold_values import origin
from .nested_values import NestedValues, Untold, is_filled, is_pythons, qualified_name

_CONSTANTS = (int, float, complex, bool, str, bytes, type(None), type(...))
#: What functools.cache makes; what else that copies from a function differs between Pythons.
_CACHED = type(functools.cache(repr))

Steps = tuple[tuple[str, int, Upcaster], ...]


class UpcastDigests:
    """The digests of a ledger's upcasters, each made once."""

    def __init__(self, upcasts: Upcasts) -> None:
        self._upcasts = upcasts
        self._known: dict[tuple[bool, frozenset[str] | None], tuple[Steps, str | None]] = {}

    def of(self, types: frozenset[str] | None) -> str | None:
        """Return the digest of the upcasters of some types, or of all; see upcast_digest."""
        return self._digest(types, lasting=False)

    def lasting(self, types: frozenset[str] | None) -> str | None:
        """Return the lasting digest of the upcasters of some types, or of all."""
        return self._digest(types, lasting=True)

    def _digest(self, types: frozenset[str] | None, *, lasting: bool) -> str | None:
        steps = tuple(step for step in self._upcasts.steps() if types is None or step[0] in types)
        known = self._known.get((lasting, types))
        # One may have been registered since.
        if known is None or known[0] != steps:
            known = steps, upcast_digest(steps, lasting=lasting)
            self._known[lasting, types] = known
        return known[1]


def upcast_digest(steps: Steps, *, lasting: bool = False) -> str | None:
    """Return what changes with upcasters: SHA-256 in hex, "" for none, None if it cannot be told.

    Covered are the type and version of each, its code, the values that it was made with (closures,
    defaults, arguments of partial objects, fields of objects), and all that it uses from its own
    top-level package. It is the same in all processes of one Python version, and in all if it is
    `lasting`, which takes two functions of one name within one line for the same, and those of
    Python's own library for what they are called.
    """
    if not steps:
        return ""
    digest = sha256()
    for type, version, upcaster in steps:
        reading = _Reading(lasting=lasting)
        try:
            said = list(reading.said(upcaster))
        except Untold:
            return None
        texts = source_texts(reading.parts)
        if texts is None:
            return None
        for text in (type, str(version), *said, *texts):
            digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


class _Reading(NestedValues):
    """What an upcaster is made of; `parts` are the functions and classes found on the way."""

    def __init__(self, *, lasting: bool) -> None:
        super().__init__()
        self._lasting = lasting
        self.parts: list[Any] = []

    def _is_plain(self, value: Any) -> bool:
        return isinstance(value, _CONSTANTS)

    def _kind(self, value: Any) -> str:
        return type(value).__qualname__

    def _within(self, value: Any) -> Iterator[str]:
        if isinstance(value, (set, frozenset)):
            # Their order is another one in each process, and what they hold is hashable.
            yield from sorted("\0".join(self.said(one)) for one in value)
        elif isinstance(value, CodeType):
            yield value.co_code.hex()
            yield from self._all((value.co_names, value.co_varnames, value.co_consts))
        else:
            yield from self._all(self._made_with(value))

    def _made_with(self, value: Any) -> tuple[Any, ...]:
        if isinstance(value, functools.partial):
            return (value.func, value.args, value.keywords)
        if isinstance(value, _CACHED):
            return (value.__wrapped__,)
        if isinstance(value, MethodType):
            return (value.__func__, value.__self__)
        if isinstance(value, FunctionType):
            cells = [cell.cell_contents for cell in value.__closure__ or () if is_filled(cell)]
            if self._lasting and is_pythons(value.__globals__.get("__name__")):
                return (value.__module__, qualified_name(value), cells)
            self.parts.append(value)
            code = _source(value) if self._lasting else value.__code__
            return (code, value.__defaults__, value.__kwdefaults__, cells)
        if isinstance(value, (list, tuple)):
            return tuple(value)
        if isinstance(value, dict):
            return tuple(value.items())
        # Python's own have another source in each of its versions.
        named = self._lasting and is_pythons(origin(value)[0])
        if not named:
            self.parts.append(value)
        if isinstance(value, type):
            # A script's module has another name where it is imported.
            is_short = self._lasting and not named
            return (value.__qualname__,) if is_short else (value.__module__, value.__qualname__)
        fields = getattr(value, "__dict__", None)
        if fields is None:
            raise Untold
        return (fields,)


def _source(function: FunctionType) -> tuple[str, ...]:
    """Return what tells a function from the others of its module.

    Those within others, and lambdas, are not told by their names; of the rest the digest has the
    text anyway.
    """
    name = qualified_name(function)
    if "<" not in name:
        return (name,)
    try:
        return name, textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError) as error:
        raise Untold from error
