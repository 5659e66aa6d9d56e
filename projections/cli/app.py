"""The application that every command adds itself to."""

from __future__ import annotations

from typing import Annotated

import typer

import ledger

from .command import Commands
from .sections import Sections

app = Commands(
    name="ledger",
    cls=Sections,
    help="An append-only ledger of agent sessions, and its views.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(asked: bool) -> None:
    if asked:
        # Which files alone, that nobody has installed, have not.
        typer.echo(f"agent-session-ledger {getattr(ledger, '__version__', 'of no version')}")
        raise typer.Exit


@app.callback()
def _of_all(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass
