"""Two versions of a projection against each other, as lines and a table."""

from __future__ import annotations

import typer
from rich.table import Table

from ..engine.comparing import VersionComparison
from .options import output
from .safe_text import cell
from .tables import table_of
from .wording import counted


def print_comparison(found: VersionComparison) -> None:
    """Print what two versions have in common, and the first rows that differ."""
    typer.echo(
        f"version {found.old}: {counted(found.old_rows, 'row')}, {found.old_checksum[:16]};"
        f" version {found.new}: {counted(found.new_rows, 'row')}, {found.new_checksum[:16]};"
        f" differing rows: {found.differing}"
    )
    if not found.same:
        output().print(_differences(found))


def _differences(found: VersionComparison) -> Table:
    table = table_of("key", "field", f"version {found.old}", f"version {found.new}")
    for one in found.differences:
        for field, (old, new) in one.fields.items():
            table.add_row(cell(" ".join(one.key), 60), field, cell(repr(old)), cell(repr(new)))
    return table
