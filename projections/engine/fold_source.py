"""The statements of a module as its source has them, and the names in each. Reads, never runs.

By patterns instead of Python's parser: a digest is made whenever views are opened, and parsing the
built-in folds takes twenty times as long. Where a pattern cannot tell, a statement counts as using
a name that it only seems to use: the digest then changes with something that does not matter, and
never fails to change with something that does.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from functools import partial
from itertools import islice, pairwise

import msgspec

# Unrolled, so that most of a literal is passed over at once.
_LITERAL = re.compile(
    r'"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'
    r"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"
    r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    r"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'"
    r"|#[^\n]*",
    re.DOTALL,
)
#: A string that stands alone, as docstrings do.
_ALONE = re.compile(r"^[ \t]*[rRuU]?\0[\0 \t]*$", re.MULTILINE)
#: In front of a string with names in it, f or t and perhaps r.
_PREFIXES = frozenset("fFtTrR")
_FORMATTED = frozenset("fFtT")
_NO_WORD = re.compile(r"[^\w.]+")
_NAMES = re.compile(r"\w+(?:\.\w+)*")
#: Where a line begins at the margin, other than with what closes a bracket.
_MARGIN = re.compile(r"^(?=[^\s)\]}])", re.MULTILINE)
_GOES_ON = re.compile(r"(?:else|elif|except|finally)\b")
_BLOCK = re.compile(r"(?:if|elif|else|try|except|finally)\b[^\n]*:[ \t]*\n(?=([ \t]+))")
_HEADER = re.compile(r"(?:if|elif|else|try|except|finally)\b[^\n]*:[ \t]*\n")
#: `@registry.register`, or what is named alike.
_REGISTERED = re.compile(r"^@[ \t]*(\w+)[ \t]*\.", re.MULTILINE)
_DEFINED = re.compile(r"^(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)
_TARGETS = re.compile(
    r"((?:[^\W\d][\w.]*)(?:[ \t]*,[ \t]*[^\W\d][\w.]*)*)[ \t]*,?[ \t]*(?:\[|:|=(?!=)|(?:[-+*/%@&|^]|//|>>|<<|\*\*)=)"
)
_IMPORT = re.compile(
    r"(?:^|[:;])[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n;]+)|import[ \t]+([^\n;]+))",
    re.MULTILINE,
)


class Statement(msgspec.Struct, frozen=True):
    """A statement's text, without what says nothing to Python, and the dotted names in it."""

    text: str
    names: frozenset[str]
    decorators: frozenset[str]
    registries: frozenset[str] = frozenset()


class Source(msgspec.Struct, frozen=True):
    """By name, the statements that say what the name is, and whence it is imported.

    A name may have several of both: `try` imports it, and `except` imports or makes another.
    Imports are modules as they are written, relative ones with their dots, with a name in them or
    "" for the module itself; `stars` are modules of which everything is imported.
    """

    statements: dict[str, list[Statement]]
    imports: dict[str, list[tuple[str, str]]]
    stars: list[str]


def read_source(text: str) -> Source:
    """Return what a module's text says."""
    literals: list[str] = []
    replaced = partial(_replaced, literals)
    plain = _LITERAL.sub(replaced, text.replace("\r\n", "\n")).replace("\\\n", " ")
    found = Source({}, {}, [])
    for match in _IMPORT.finditer(plain):
        _take_import(found, match)
    statements: list[tuple[set[str], Statement]] = []
    strings = iter(literals)
    for part in _top_level(plain):
        own = list(islice(strings, part.count("\0")))
        if _IMPORT.match(part) or _HEADER.fullmatch(part):
            continue
        statement = _statement(part, own)
        statements.append((_said(part, statement), statement))
    bound = {*found.imports, *(name for names, _ in statements for name in names)}
    registered = []
    for names, statement in statements:
        # Most words are of no use; what stars stand for is not known here.
        kept = statement if found.stars else _bounded(statement, bound)
        for name in names:
            found.statements.setdefault(name, []).append(kept)
        if kept.decorators:
            registered.append(kept)
    for statement in registered:
        # What is decorated may be put into a registry, so it is a part of all its decorator uses.
        for decorator in statement.decorators & found.statements.keys():
            reach = set[str]().union(*(heads(one) for one in found.statements[decorator]))
            for registry in (reach & found.statements.keys()) - {decorator}:
                found.statements[registry].append(statement)
        # A method of what it is decorated by may keep it there, as those of generic functions do.
        for registry in statement.registries & found.statements.keys():
            found.statements[registry].append(statement)
    return found


def _bounded(statement: Statement, bound: set[str]) -> Statement:
    names = statement.names & bound
    names |= {name for name in statement.names if "." in name and name.partition(".")[0] in bound}
    return Statement(statement.text, names, statement.decorators, statement.registries)


def heads(statement: Statement) -> set[str]:
    """Return the names in a statement without their attributes."""
    return {name.partition(".")[0] for name in statement.names}


def _replaced(literals: list[str], match: re.Match[str]) -> str:
    """Put a string aside and return what stands for it; nothing stands for a comment."""
    literal = match[0]
    if literal[0] == "#":
        return ""
    literals.append(literal)
    before = match.string[max(0, match.start() - 2) : match.start()]
    if before[-1:] in _PREFIXES and not _FORMATTED.isdisjoint(before):
        return f"\0 {_NO_WORD.sub(' ', literal)} "
    return "\0"


def _top_level(plain: str) -> Iterator[str]:
    """Yield the statements at the margin, those inside `if` and `try` too."""
    starts = [match.start() for match in _MARGIN.finditer(plain)]
    part = ""
    for start, end in pairwise([*starts, len(plain)]):
        line = plain[start:end]
        if part and _is_whole(part) and not _GOES_ON.match(line):
            yield from _flat(part)
            part = ""
        part += line
    if part:
        yield from _flat(part)


def _is_whole(part: str) -> bool:
    """Whether a statement ends here: its brackets are closed, and it is no decorator alone."""
    return _is_closed(part) and (part[0] != "@" or _DEFINED.search(part) is not None)


def _flat(part: str) -> Iterator[str]:
    block = _BLOCK.match(part)
    if block is None:
        yield part
        return
    ends = [match.start() for match in _MARGIN.finditer(part, block.end())]
    end = next((place for place in ends if _GOES_ON.match(part, place)), len(part))
    yield part[: block.end()]
    yield from _top_level(re.sub(f"(?m)^{block[1]}", "", part[block.end() : end]))
    if end < len(part):
        yield from _flat(part[end:])


def _statement(part: str, strings: list[str]) -> Statement:
    alone = [match for match in _ALONE.finditer(part) if _is_closed(part[: match.start()])]
    for match in reversed(alone):
        first = part.count("\0", 0, match.start())
        del strings[first : first + match[0].count("\0")]
        part = part[: match.start()] + part[match.end() :]
    plain = "\n".join(filter(None, map(str.rstrip, part.split("\n"))))
    decorators, registries = frozenset[str](), frozenset[str]()
    if part[:1] == "@":
        head = part[: next(_DEFINED.finditer(part)).start()]
        decorators = frozenset(name.partition(".")[0] for name in _NAMES.findall(head))
        registries = frozenset(_REGISTERED.findall(head))
    text = "\0".join([plain, *strings])
    # What is only imported here is no use of it.
    uses = _IMPORT.sub("", plain) if "import " in plain else plain
    return Statement(text, frozenset(_NAMES.findall(uses)), decorators, registries)


def _is_closed(part: str) -> bool:
    opened = part.count("(") + part.count("[") + part.count("{")
    return opened <= part.count(")") + part.count("]") + part.count("}")


def _said(part: str, statement: Statement) -> set[str]:
    """Return the names of which a statement says what they are.

    What is run beside definitions may fill a registry: it belongs to every name it mentions.
    """
    defined = _DEFINED.search(part)
    if defined is not None and (defined.start() == 0 or part[0] == "@"):
        return {defined[1]}
    found: set[str] = set()
    place = 0
    while (targets := _TARGETS.match(part, place)) is not None:
        names = {name.partition(".")[0] for name in _NAMES.findall(targets[1])}
        if any(keyword.iskeyword(name) for name in names):
            return heads(statement)
        found |= names
        if not targets[0].endswith("="):
            break
        place = targets.end()
        while part[place : place + 1] in (" ", "\t"):
            place += 1
    return found or heads(statement)


def _take_import(found: Source, match: re.Match[str]) -> None:
    module, names, modules = match[1], match[2], match[3]
    for one in (names or modules).strip("() \t\n").split(","):
        words = one.split()
        if not words:
            continue
        bound = words[-1]
        if module is None:
            # `import a.b` binds a, and `import a.b as c` what it says.
            top = words[0].partition(".")[0]
            name, target = (bound, words[0]) if len(words) > 1 else (top, top)
            found.imports.setdefault(name, []).append((target, ""))
        elif words[0] == "*":
            found.stars.append(module)
        else:
            found.imports.setdefault(bound, []).append((module, words[0]))
