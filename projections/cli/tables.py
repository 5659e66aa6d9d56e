"""Tables as all commands print them."""

from __future__ import annotations

from collections.abc import Collection

from rich.table import Table


def table_of(*columns: str, right: Collection[str] = (), header_style: str = "bold") -> Table:
    """Return a table without rows; what is too long for a column is wrapped and never cut."""
    table = Table(box=None, pad_edge=False, header_style=header_style)
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table
