"""Named SQL: statements live in .sql files, one name and one line of why each."""

from __future__ import annotations

from importlib.resources import files

_MARK = "-- name: "


def load_queries(package: str, file: str) -> dict[str, str]:
    """Return the statements of a package's .sql file by the name in their `-- name:` line.

    Other comment lines are left out: a statement's text is the key of every prepared-statement
    cache, so the shorter the better.
    """
    queries: dict[str, str] = {}
    for block in files(package).joinpath(file).read_text("utf-8").split(_MARK)[1:]:
        name, _, text = block.partition("\n")
        if name in queries:
            raise ValueError(f"{file}: two statements are named {name!r}")
        lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
        queries[name] = "\n".join(lines).strip().removesuffix(";")
    return queries
