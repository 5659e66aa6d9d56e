"""`status`: how far the views are behind the log, with exit code 1 if that is not well."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.table import Table

from ledger import InvalidArgument

from ..engine.consumer_lags import ConsumersBehind
from ..engine.health import LAG_SECONDS_MAX, Status, ViewStatus, judged
from ..views import Views
from .app import app
from .options import DEFAULT_SCHEMA, DEFAULT_URL, AsJson, Schema, Url, open_existing, output
from .own_projections import Names, Own, chosen_names, known_projections
from .safe_text import ascii_json, cell, safe
from .skips import skip_line
from .tables import table_of

UNHEALTHY = 1


@app.command()
def status(
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    projection: Names = None,
    projections: Own = None,
    lag_seconds_max: Annotated[
        float, typer.Option(min=0, help="A view that is longer behind is unhealthy.")
    ] = LAG_SECONDS_MAX,
    any_lag: Annotated[
        bool, typer.Option("--any-lag", help="Lag is well: only readers bring views up to date.")
    ] = False,
    as_json: AsJson = False,
    prometheus: Annotated[
        bool, typer.Option("--prometheus", help="In Prometheus' text format.")
    ] = False,
) -> None:
    """Print how the views stand against the log; exit code 1 if one stopped or is late.

    With --projection it is about these views alone, and not about consumers of sessions.
    """
    if as_json and prometheus:
        raise typer.BadParameter("not together with --json", param_hint="--prometheus")
    known = known_projections(projections)
    bound = None if any_lag else lag_seconds_max
    with open_existing(url, schema) as ledger:
        found = Views(ledger, projections=known).status(lag_seconds_max=bound)
    names = chosen_names(known, projection, (view.projection for view in found.views))
    if names is not None:
        views = tuple(view for view in found.views if view.projection in names)
        found = judged(found.at, views, ConsumersBehind(), bound)
    if prometheus:
        typer.echo(_prometheus(found), nl=False)
    elif as_json:
        typer.echo(ascii_json(msgspec.to_builtins(found)))
    else:
        _print(found)
    raise typer.Exit(0 if found.healthy else UNHEALTHY)


def _prometheus(found: Status) -> str:
    try:
        from ..metrics import exposition
    except ModuleNotFoundError as error:
        raise InvalidArgument(
            "prometheus", "it needs the extra: pip install 'agent-session-ledger[metrics]'"
        ) from error
    return exposition(found)


def _print(found: Status) -> None:
    console = output()
    console.print(_views(found))
    for view in found.views:
        if view.changed:
            typer.echo(
                safe(
                    f"{view.projection} version {view.version}: made by another fold or other upcasters"
                )
            )
        for skip in view.skips:
            typer.echo(skip_line(skip))
    for reason in found.reasons:
        typer.echo(safe(reason))
    typer.echo("healthy" if found.healthy else "NOT HEALTHY")


def _views(found: Status) -> Table:
    numbers = ("behind", "most", "seconds", "stopped", "skipped")
    table = table_of("view", "version", "state", *numbers, right=("version", *numbers))
    for view in found.views:
        table.add_row(
            cell(view.projection, 60),
            str(view.version),
            _state(view),
            str(view.lag_events),
            str(view.lag_events_max),
            f"{view.lag_seconds:.1f}",
            str(len(view.failures)),
            str(len(view.skips)),
        )
    return table


def _state(view: ViewStatus) -> str:
    state = "active" if view.active else "built" if view.built else "being built"
    return state if view.known else f"{state}, unknown here"
