"""A digest of a fold's source, by which a fold that was changed is noticed. Reads, never runs."""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import linecache
import sys
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

import msgspec

from .projection import Projection

#: What stands for a module as a whole: where a lambda was written cannot be told more exactly.
_WHOLE = "*"


class _Statement(msgspec.Struct, frozen=True):
    """A statement's text, without what says nothing to Python, and the names in it."""

    text: str
    names: frozenset[str]


class _Module(msgspec.Struct, frozen=True):
    """By name, the statements that say what the name is, and whence it is imported."""

    statements: dict[str, list[_Statement]]
    imports: dict[str, tuple[str, str]]


def fold_digest(projection: Projection) -> str:
    """Return what changes with a projection's code and with nothing else: SHA-256 in hex.

    Covered are `keys`, `apply`, the struct, the declaration, and all that these use from their own
    top-level package, without comments, docstrings and blank lines. "" if there is no source.
    """
    roots = {_origin(part) for part in (projection.keys, projection.apply, projection.view)}
    if any(_module(module) is None for module, _ in roots):
        return ""
    declared = (
        projection.key,
        projection.indexes,
        sorted(projection.types or ("*",)),
        projection.searchable,
        projection.members,
    )
    digest = sha256(repr(declared).encode())
    for text in sorted(set(_reached(roots))):
        digest.update(b"\0" + text.encode())
    return digest.hexdigest()


def _origin(part: Any) -> tuple[str, str]:
    """Return the module of a function, class or callable object, and its name on the top level."""
    while isinstance(part, functools.partial):
        part = part.func
    named = part if hasattr(part, "__qualname__") else type(part)
    return named.__module__, named.__qualname__.partition(".")[0]


def _reached(roots: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the text of every statement that the roots need, directly or through others."""
    waiting = list(roots)
    seen: set[tuple[str, str]] = set()
    while waiting:
        place = waiting.pop()
        module = _module(place[0])
        if place in seen or module is None:
            continue
        seen.add(place)
        name = place[1]
        if name in module.imports:
            target = module.imports[name]
            if target[0].partition(".")[0] == place[0].partition(".")[0]:
                waiting.append(target)
        elif name in module.statements:
            for statement in module.statements[name]:
                yield statement.text
                waiting += [(place[0], used) for used in statement.names]
        elif place in roots:
            waiting += [(place[0], one) for one in module.statements]


@functools.cache
def _module(name: str) -> _Module | None:
    try:
        file = inspect.getsourcefile(sys.modules[name])
    except (KeyError, TypeError):  # made by hand, or built in
        return None
    lines = linecache.getlines(file, vars(sys.modules[name])) if file else []
    if not lines:
        return None
    found = _Module({}, {})
    package = vars(sys.modules[name]).get("__package__") or ""
    body = list(_top_level(ast.parse("".join(lines)).body))
    for node in body:
        if isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            whole = importlib.util.resolve_name(source, package) if node.level else source
            for alias in node.names:
                found.imports[alias.asname or alias.name] = (whole, alias.name)
    statements = [
        (node, _statement(lines, node))
        for node in body
        if not isinstance(node, ast.Import | ast.ImportFrom)
    ]
    for node, statement in statements:
        for one in _said(node):
            found.statements.setdefault(one, []).append(statement)
    for node, statement in statements:
        # What is decorated may be put into a registry, so it is a part of all its decorator uses.
        for decorator in getattr(node, "decorator_list", ()):
            for one in _names(decorator) & found.statements.keys():
                used = frozenset[str]().union(*(each.names for each in found.statements[one]))
                for registry in (used & found.statements.keys()) - {one}:
                    found.statements[registry].append(statement)
    return found


def _top_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, those inside `if` and `try` too."""
    for statement in body:
        if isinstance(statement, ast.If):
            yield from _top_level([*statement.body, *statement.orelse])
        elif isinstance(statement, ast.Try):
            yield from _top_level([*statement.body, *statement.orelse, *statement.finalbody])
        else:
            yield statement


def _said(statement: ast.stmt) -> set[str]:
    """Return the names of which a statement says what they are.

    What is run beside definitions may fill a registry: it belongs to every name it mentions.
    """
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Assign):
        return set().union(*map(_names, statement.targets))
    if isinstance(statement, ast.AnnAssign | ast.AugAssign):
        return _names(statement.target)
    return _names(statement)


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _statement(lines: list[str], statement: ast.stmt) -> _Statement:
    first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", ()))])
    wanted = set(range(first, (statement.end_lineno or first) + 1))
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            wanted.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    kept = (lines[number - 1].rstrip() for number in sorted(wanted))
    text = "\n".join(line for line in kept if line and not line.lstrip().startswith("#"))
    return _Statement(text, frozenset(names))
