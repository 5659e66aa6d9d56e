"""A digest of a fold, by which one that was changed is noticed. Reads sources, never runs them."""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import inspect
import linecache
import sys
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from types import ModuleType
from typing import Any

from .fold_source import Source, read_source
from .fold_values import WHOLE, FoldValues, Place, is_generic, origin
from .nested_values import Untold
from .projection import Projection

#: A module, a path of attributes, and whether it is the module's own code that takes it.
_Way = tuple[str, tuple[str, ...], bool]


def fold_digest(projection: Projection) -> str:
    """Return what changes with a projection's code and values, nothing else: SHA-256 in hex.

    Covered are `keys`, `apply`, `apply_all`, the struct, the declaration, and all that these use
    from their own top-level package, by name or through its modules, without comments, docstrings
    and blank lines; what is registered with functions of functools.singledispatch; and the values
    that they carry: in closures, defaults, partial objects and the attributes of objects, for which
    see FoldValues. "" if there is no source, or too much is carried.

    A module that is in no package is a top-level package of its own: another one in the same
    directory is not covered. Whether that is the fold's or somebody else's, which comes in other
    versions with every installation, is not to be told from where it lies.
    """
    parts = {"keys": projection.keys, "apply": projection.apply, "view": projection.view}
    if projection.apply_all is not None:
        parts["apply_all"] = projection.apply_all
    roots = {origin(part) for part in parts.values()}
    values = FoldValues(module.partition(".")[0] for module, _ in roots)
    try:
        carried = [(role, values.carried(part)) for role, part in parts.items()]
    except Untold:
        return ""
    texts = _texts({*roots, *values.functions}, {*values.classes, *values.modules})
    if texts is None:
        return ""
    declared = (
        projection.key,
        projection.indexes,
        sorted(projection.types or ("*",)),
        projection.searchable,
        projection.members,
        *(one for one in carried if one[1]),
    )
    digest = sha256(repr(declared).encode("utf-8", "surrogatepass"))
    for text in texts:
        digest.update(b"\0" + text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def source_texts(parts: Iterable[Any]) -> list[str] | None:
    """Return the statements that functions and classes need, in order; None without a source."""
    return _texts({origin(part) for part in parts})


def _texts(roots: set[Place], others: Iterable[Place] = ()) -> list[str] | None:
    """Return the statements that the roots need, and the others as far as these have a source."""
    if any(_source(module) is None for module, _ in roots):
        return None
    try:
        return sorted(set(_reached([*roots, *others])))
    except Untold:
        return None


def forget() -> None:
    """Read the sources anew from now on, for who has changed and loaded them again."""
    for known in (_needed, _source, _spec):
        known.cache_clear()


def _reached(roots: Iterable[Place]) -> Iterator[str]:
    """Yield the text of every statement that the roots need, directly or through others."""
    waiting = list(roots)
    main = _main()
    seen: set[Place] = set()
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        needed = _needed(place)
        if needed is None:
            # Only a root has a name that its module's text does not: that of a lambda.
            waiting.append((place[0], WHOLE))
            continue
        yield from needed[0]
        waiting += needed[1]
        loaded = sys.modules.get(main.get(place[0], place[0]))
        value = vars(loaded).get(place[1]) if loaded is not None else None
        if is_generic(value):
            # Any module may register with it, also one that nothing here leads to.
            values = FoldValues([place[0].partition(".")[0]])
            yield values.text(value)
            waiting += (*values.functions, *values.classes, *values.modules)


def _main() -> dict[str, str]:
    """Return under which name the module is kept that `python -m` runs, by the one it has."""
    spec = vars(sys.modules["__main__"]).get("__spec__")
    return {} if spec is None or spec.name in sys.modules else {spec.name: "__main__"}


@functools.cache
def _needed(place: Place) -> tuple[Sequence[str], Sequence[Place]] | None:
    """Return the statements that say what a name is, and the places of the names in them."""
    module, name = place
    source = _source(module)
    if source is None:
        return (), ()
    if name == WHOLE:
        statements = [one for several in source.statements.values() for one in several]
        names = {*source.imports, *(used for one in statements for used in one.names)}
    elif name in source.statements:
        statements = source.statements[name]
        names = {used for one in statements for used in one.names}
    else:
        return None
    found = {one for used in names for one in _places(module, tuple(used.split(".")), inside=True)}
    return [one.text for one in statements], sorted(found)


def _places(
    module: str,
    path: tuple[str, ...],
    *,
    inside: bool = False,
    known: dict[_Way, list[Place]] | None = None,
) -> list[Place]:
    """Return where the names are that a path of attributes leads to, from a module's own names.

    A name that is imported and said otherwise, too, is in all of these places: which of them the
    module took is not known. Nothing outside the top-level package, and nothing for what is no name
    there at all: seen from `inside` that is a builtin or a local variable.
    """
    known = {} if known is None else known
    way = (module, path, inside)
    if way not in known:
        known[way] = []  # modules that import from each other lead nowhere
        known[way] = _looked_up(module, path, inside, known)
    return known[way]


def _looked_up(
    module: str, path: tuple[str, ...], inside: bool, known: dict[_Way, list[Place]]
) -> list[Place]:
    source = _source(module)
    if source is None:
        return []
    if not path:
        return [(module, WHOLE)]
    name, rest = path[0], path[1:]
    found = [(module, name)] if name in source.statements else []
    for written, attribute in source.imports.get(name, ()):
        target = _absolute(module, written)
        if _same_package(module, target):
            found += _places(target, (attribute, *rest) if attribute else rest, known=known)
    if name in source.statements or name in source.imports:
        return found
    for written in source.stars:
        target = _absolute(module, written)
        if _same_package(module, target):
            found += _places(target, path, inside=True, known=known)
    if inside or found:
        return found
    if _source(f"{module}.{name}") is not None:
        return _places(f"{module}.{name}", rest, known=known)
    return [(module, WHOLE)]


def _absolute(module: str, written: str) -> str:
    if not written.startswith("."):
        return written
    loaded = sys.modules.get(module)
    package = vars(loaded).get("__package__") if loaded is not None else None
    spec = None if package else _spec(module)
    if package is None:
        package = spec.parent if spec is not None else ""
    try:
        return importlib.util.resolve_name(written, package or "")
    except ImportError:  # a relative import outside of any package, which never ran
        return ""


def _same_package(module: str, target: str) -> bool:
    return target.partition(".")[0] == module.partition(".")[0]


@functools.cache
def _source(name: str) -> Source | None:
    """Return what a module's text says; None if there is no such module or no text."""
    text = _text(name, sys.modules.get(name))
    return None if text is None else read_source(text)


def _text(name: str, loaded: ModuleType | None) -> str | None:
    """Return a module's text; "" is one, too: of most packages, and of all without a file."""
    spec = vars(loaded).get("__spec__") if loaded is not None else _spec(name)
    if spec is not None and spec.loader is None and spec.submodule_search_locations is not None:
        return ""  # a package without a file, which gets a loader when it is loaded
    read = getattr(spec and spec.loader, "get_source", None)
    if spec is not None and read is not None:
        try:
            text: str | None = read(spec.name)
        except ImportError:  # its text is not there
            return None
        return text
    if loaded is None:
        return None
    try:
        file = inspect.getsourcefile(loaded)
    except TypeError:  # made by hand, or built in
        return None
    return "".join(linecache.getlines(file, vars(loaded))) or None if file else None


@functools.cache
def _spec(name: str) -> importlib.machinery.ModuleSpec | None:
    """Return where a module is that is not loaded, without loading what it is in."""
    parent, _, _ = name.rpartition(".")
    if not parent:
        return importlib.machinery.PathFinder.find_spec(name) if name else None
    loaded = sys.modules.get(parent)
    above = vars(loaded).get("__spec__") if loaded is not None else _spec(parent)
    path = None if above is None else above.submodule_search_locations
    return None if path is None else importlib.machinery.PathFinder.find_spec(name, path)
