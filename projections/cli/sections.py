"""The commands by what they are for, in the order of their first use, as the help lists them."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

SECTIONS = {
    "Sessions": (
        *("init", "append", "read", "show", "search", "anomalies", "diff", "tail"),
        *("fork", "delete"),
    ),
    "The whole log": ("verify", "export", "import", "backup", "distribute"),
    "Views": (
        *("project", "status", "versions", "rebuild", "compare", "switch", "switch-back", "drop"),
        *("accept", "skip", "skips"),
    ),
}


class Sections(TyperGroup):
    """A program whose help lists its commands by section."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands in the order of the help."""
        return [name for names in SECTIONS.values() for name in names]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a list of commands for each section."""
        width = max(map(len, self.commands))
        # As wide as Typer lets them be.
        limit = formatter.width - 6 - width
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [
                        (name.ljust(width), self.commands[name].get_short_help_str(limit))
                        for name in names
                    ]
                )
