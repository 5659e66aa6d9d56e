"""Tables as all commands print them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
import typer
from rich.table import Table

from .options import output
from .safe_text import ascii_json


def table_of(*columns: str, right: Collection[str] = (), header_style: str = "bold") -> Table:
    """Return a table without rows; what is too long for a column is wrapped and never cut."""
    table = Table(box=None, pad_edge=False, header_style=header_style)
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table


def print_found(
    found: Sequence[Any],
    table: Callable[[Sequence[Any]], Table],
    nothing: str,
    *,
    limit: int,
    more: bool = False,
    as_json: bool = False,
) -> None:
    """Print what a list found, and whether there is more; or, as JSON, a line for each."""
    if as_json:
        for one in found:
            typer.echo(ascii_json(msgspec.to_builtins(one)))
    elif found:
        output().print(table(found))
        if more:
            typer.echo("and more; see --limit")
    elif limit:  # 0 asks for nothing, and does not learn whether there is any
        typer.echo(nothing)
