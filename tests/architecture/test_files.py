"""What a source file may be and may hold."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES_MAX = 400
PACKAGES = ("ledger", "projections")
READ_TOO = ("tests", "examples")
NOT_OURS = {
    ".benchmarks",
    ".git",
    ".hypothesis",
    ".import_linter_cache",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".venv",
    "__pycache__",
    "build",
    "dist",
}

# In capitals any first word of a statement; in small letters only what no English sentence is.
STATEMENT = re.compile(
    r"""\s*(?:--[^\n]*\n\s*)*(?:
        (?:SELECT|INSERT|UPDATE|DELETE|CREATE|WITH|ALTER|DROP|MERGE|TRUNCATE|REPLACE|GRANT|REVOKE
           |COPY|VALUES|LOCK|EXPLAIN)\s
      | (?i:insert\s+(?:or\s+\w+\s+)?into\s+\w | delete\s+from\s+\w+\s+where\s
           | update\s+\w+\s+set\s+\w+\s*= | select\s+[\w*,.\s()]+\sfrom\s+\w+\s*(?:$|where\s|order\s)
           | (?:create|alter|drop)\s+(?:table|index|trigger|function|schema|role)\s+[\w"{])
    )""",
    re.VERBOSE,
)
# One-liners that may stand in Python, as long as nothing is pasted into them.
COMMAND = re.compile(r"\s*(?:PRAGMA|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET|LISTEN|NOTIFY)\s")


def source_files(directories: tuple[str, ...] = PACKAGES) -> list[Path]:
    return sorted(path for name in directories for path in (ROOT / name).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def docstrings(tree: ast.AST) -> set[int]:
    """The ids of strings that stand alone as a statement."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def sql_in(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each string that is, or begins as, a statement."""
    tree = ast.parse(source)
    harmless = docstrings(tree)
    for node in ast.walk(tree):
        text = literal_start(node)
        pattern = COMMAND if isinstance(node, ast.JoinedStr) else STATEMENT
        if id(node) not in harmless and text is not None and pattern.match(text):
            yield node.lineno, text


def literal_start(node: ast.AST) -> str | None:
    """The text of a string, or of an f-string up to its first brace."""
    if isinstance(node, ast.JoinedStr):  # its parts are met again, as strings
        return literal_start(node.values[0]) if node.values else None
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if is_text else None


def our_files() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*")):
        if path.is_file() and NOT_OURS.isdisjoint(path.relative_to(ROOT).parts):
            yield path


@pytest.mark.parametrize("directory", PACKAGES + READ_TOO)
def test_a_file_fits_in_the_head(directory: str) -> None:
    lengths = {
        name_of(one): len(one.read_text().splitlines()) for one in source_files((directory,))
    }
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > LINES_MAX} == {}


def test_sql_lives_in_sql_files() -> None:
    found = {name_of(path): list(sql_in(path.read_text())) for path in source_files()}
    assert found
    assert {name: statements for name, statements in found.items() if statements} == {}


def test_no_file_names_a_place_on_one_machine() -> None:
    # Written so that this file does not match itself.
    place = re.compile(rb"(?<![\w.])/(?:work|root)(?:/|(?=[\"'`\s]))")
    found = [name_of(path) for path in our_files() if place.search(path.read_bytes())]
    assert found == []


def test_the_packages_are_typed_for_their_users() -> None:
    assert [package for package in PACKAGES if not (ROOT / package / "py.typed").exists()] == []


@pytest.mark.parametrize(
    "source",
    [
        'q = "SELECT 1"',
        'q = """\n  -- why\n  WITH t AS (SELECT 1) SELECT * FROM t"""',
        'q = "insert into event values (1)"',
        'q = "select position from event where bucket = 1"',
        'q = "create table x (y)"',
        'q = f"UPDATE {table} SET x = 1"',
        'q = f"PRAGMA {name} = 1"',
        'def f():\n    """Docstring."""\n    return "DELETE FROM event"',
    ],
)
def test_the_check_finds_sql(source: str) -> None:
    assert list(sql_in(source))


@pytest.mark.parametrize(
    "source",
    [
        '"""SELECT is what a docstring may say."""',
        'q = "PRAGMA journal_mode=WAL"',
        'q = "BEGIN IMMEDIATE"',
        'method = "DELETE"',
        'help = "Select the sessions from a tenant, with their runs."',
        'help = "Create views beside the log; update the table, then set it."',
        'message = f"with {count} events"',
    ],
)
def test_the_check_leaves_english_alone(source: str) -> None:
    assert list(sql_in(source)) == []
