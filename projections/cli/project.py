"""`project`: the views brought to the log's head, once or for as long as the log grows."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

from ledger import RetryableError

from ..engine.daemon import Daemon
from ..errors import ProjectionFailed
from .app import app
from .options import DEFAULT_SCHEMA, DEFAULT_URL, Schema, Url, open_existing
from .own_projections import Names, Own, chosen_names, known_projections
from .safe_text import safe

#: That of an error that somebody has to look at.
STOPPED = 4


@app.command()
def project(
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on as the log grows, until SIGTERM or Ctrl-C.")
    ] = False,
    projection: Names = None,
    projections: Own = None,
) -> None:
    """Fold the log into the views; any number of processes may do so at once.

    A view that cannot fold an event stops there in that bucket, everything else goes on. Without
    --watch the exit code is then 4.
    """
    known = known_projections(projections)
    names = chosen_names(known, projection)
    with open_existing(url, schema) as ledger:
        daemon = Daemon(
            ledger, projections=known, names=names, on_failure=_failed, on_retry=_retried
        )
        if watch:
            with _stopped_by_signals(daemon):
                typer.echo("watching", err=True)
                daemon.watch()
        elif daemon.advance():
            raise typer.Exit(STOPPED)


@contextmanager
def _stopped_by_signals(daemon: Daemon) -> Iterator[None]:
    """Let the page that is being folded be finished, whoever ends the process."""

    def stop(number: int, frame: FrameType | None) -> None:
        daemon.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _failed(failure: ProjectionFailed) -> None:
    typer.echo(f"ledger: {safe(str(failure))}", err=True)


def _retried(error: RetryableError) -> None:
    typer.echo(f"ledger: {safe(str(error))} Trying again.", err=True)
