"""`skip` and `skips`: letting an event pass that a view cannot fold, and what was let pass."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.table import Table

from ..engine.stops import Skip
from ..views import Views
from .app import app
from .options import DEFAULT_SCHEMA, DEFAULT_URL, AsJson, Schema, Url, open_existing, output
from .own_projections import Name, Names, Own, chosen_names, known_projections
from .safe_text import ascii_json, cell, safe
from .tables import table_of
from .wording import utc


@app.command()
def skip(
    name: Name,
    bucket: Annotated[int, typer.Option(help="The bucket in which it stands, see status.")],
    position: Annotated[int, typer.Option(help="The position of the event, see status.")],
    reason: Annotated[str, typer.Option(help="Why the event is left out; kept for good.")],
    by: Annotated[str, typer.Option(help="Who decided it; kept for good.")],
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    projections: Own = None,
    version: Annotated[int | None, typer.Option(help="Default: the one that is read.")] = None,
) -> None:
    """Leave out the event at which a projection stands stopped, for good and on record.

    Refused if the event can be folded by now, or if the projection stands elsewhere.
    """
    known = known_projections(projections, name)
    with open_existing(url, schema) as ledger:
        done = Views(ledger, projections=known).skip(
            name, bucket=bucket, position=position, reason=reason, by=by, version=version
        )
    typer.echo(skip_line(done))


@app.command()
def skips(
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    projection: Names = None,
    projections: Own = None,
    as_json: AsJson = False,
) -> None:
    """Print which events were left out of which views, by whom and why."""
    known = known_projections(projections)
    with open_existing(url, schema) as ledger:
        status = Views(ledger, projections=known).status(lag_seconds_max=None)
    names = chosen_names(known, projection, (view.projection for view in status.views))
    found = [
        one
        for view in status.views
        for one in view.skips
        if names is None or one.projection in names
    ]
    if as_json:
        for one in found:
            typer.echo(ascii_json(msgspec.to_builtins(one)))
    elif found:
        output().print(_table(found))
    else:
        typer.echo("no skips")


def skip_line(skip: Skip) -> str:
    """Return a skip as one line."""
    return safe(
        f"{skip.projection} version {skip.version}: {skip.by} skipped position"
        f" {skip.position} of bucket {skip.bucket}, event {skip.event_id!r}, at"
        f" {utc(skip.at)} UTC: {skip.reason}"
    )


def _table(found: list[Skip]) -> Table:
    numbers = ("version", "bucket", "position")
    table = table_of(
        "projection", *numbers, "event", "at (UTC)", "by", "reason", "error", right=numbers
    )
    for one in found:
        table.add_row(
            cell(one.projection, 60),
            *(str(number) for number in (one.version, one.bucket, one.position)),
            cell(one.event_id, 60),
            utc(one.at),
            cell(one.by, 60),
            cell(one.reason),
            cell(one.error),
        )
    return table
