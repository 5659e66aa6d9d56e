"""`backup`: a copy of a ledger's file that is in use."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from ledger import backup as backup_ledger

from .app import app
from .options import DEFAULT_URL, Url
from .safe_text import safe
from .wording import counted


@app.command()
def backup(
    path: Annotated[
        str, typer.Argument(metavar="COPY", help="The new file; what is there is not replaced.")
    ],
    url: Url = DEFAULT_URL,
    verify: Annotated[
        bool, typer.Option("--verify", help="Make it only if all of it verifies.")
    ] = False,
) -> None:
    """Copy the SQLite file of a ledger, views and all, while others append to it.

    The copy is the ledger as it was at one moment, in one file: what `cp` leaves out, because it is
    in the -wal file, is in it. It is as private as the original.
    """
    backup_ledger(url, path, verify=verify)
    size = counted(os.stat(os.path.abspath(path)).st_size, "byte")
    typer.echo(safe(f"Copied to {path}{' and verified' if verify else ''}: {size}."))
