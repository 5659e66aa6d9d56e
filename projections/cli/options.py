"""What all commands share: the options that name a ledger, how it is opened, where output goes."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from typing import Annotated, BinaryIO

import typer
from rich.console import Console

from ledger import InvalidArgument, Ledger

from ..readers.consistency import Consistency

Url = Annotated[
    str,
    typer.Option(
        envvar="LEDGER_URL",
        show_envvar=True,
        help="memory:, sqlite:///file.db or postgresql://user@host/database",
    ),
]
Schema = Annotated[
    str,
    typer.Option(
        envvar="LEDGER_SCHEMA",
        show_envvar=True,
        help="On PostgreSQL: the schema that holds the tables.",
    ),
]
Tenant = Annotated[str, typer.Option(help="The tenant that the sessions belong to.")]
Session = Annotated[str, typer.Argument(metavar="SESSION", help="The id of the session.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per line, in ASCII.")]

AsOf = Annotated[
    str | None,
    typer.Option(help="As it was behind this sequence, or at this time, in ISO 8601."),
]

Eventual = Annotated[
    bool,
    typer.Option("--eventual", help="As the views stand, for a role or server that only reads."),
]

DEFAULT_URL = "sqlite:///ledger.db"
DEFAULT_SCHEMA = "ledger"
NO_TTY_WIDTH = 120
_SEQUENCE = re.compile(r"[0-9]{1,19}")


def open_ledger(url: str, schema: str, buckets: int | None = None) -> Ledger:
    """Open the ledger at a URL, creating it first if need be."""
    return Ledger.open(url, schema=schema, buckets=buckets)


def open_existing(url: str, schema: str) -> Ledger:
    """Open the ledger at a URL for a command that reads: what is mistyped must not come to be."""
    return Ledger.open(url, schema=schema, create=False)


def consistency_of(eventual: bool) -> Consistency:
    """Return how views are to be asked: as they stand, or with all that was appended."""
    return "eventual" if eventual else "strong"


def check_there(ledger: Ledger, session: str, tenant: str, *, deleted: bool = False) -> None:
    """Refuse a session that has no events, or, unless `deleted`, none that are not deleted.

    Who mistypes a name would else be told that there is nothing to see.
    """
    head = ledger.heads([session], tenant=tenant)[session]
    if not head.sequence:
        raise InvalidArgument("session", f"there is no session {session!r}")
    if not (head.visible or deleted):
        raise InvalidArgument(
            "session", f"session {session!r} was deleted; read --deleted prints it"
        )


def moment(text: str | None, name: str) -> datetime | None:
    """Return the datetime in ISO 8601 text."""
    return None if text is None else _moment(text, name)


def place(text: str, name: str) -> int | datetime:
    """Return the sequence in digits, or the datetime in ISO 8601 text."""
    return int(text) if _SEQUENCE.fullmatch(text) else _moment(text, name, "a sequence or ")


def stdin_bytes(argument: str) -> BinaryIO:
    """Return what "-" names; some shells and services start programs with their stdin closed."""
    if sys.stdin is None:
        raise InvalidArgument(argument, "stdin is closed; name a file, or give the text itself")
    return sys.stdin.buffer


def output() -> Console:
    """Return the console for results; piped tables get a width of their own."""
    return _console(stderr=False)


def notices() -> Console:
    """Return the console for progress and remarks, on stderr: results stay clean in a pipe."""
    return _console(stderr=True)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to `main`, instead of ending with the code of a finding."""
        raise BrokenPipeError


def _console(*, stderr: bool) -> Console:
    # None if it is closed: a console without a stream writes nothing.
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream is not None and stream.isatty() else NO_TTY_WIDTH
    return _Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def _moment(text: str, name: str, what: str = "") -> datetime:
    try:
        # Python 3.11 reads "Z"; a space before the offset is what shells and dates like to add.
        return datetime.fromisoformat(re.sub(r"\s+(?=[+-]\d\d:?\d\d$)", "", text))
    except ValueError as error:
        raise InvalidArgument(name, f"expected {what}ISO 8601 text, got {text!r}") from error
