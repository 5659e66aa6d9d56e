"""`diff`: what changed in a session between two moments."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from ..readers.history_differences import Difference
from ..views import Views
from .app import app
from .options import (
    DEFAULT_SCHEMA,
    DEFAULT_URL,
    AsJson,
    Schema,
    Session,
    Tenant,
    Url,
    open_existing,
    output,
    place,
)
from .own_projections import Own, known_projections
from .safe_text import ascii_json, cell
from .tables import table_of

Moment = Annotated[str, typer.Argument(help="A sequence, or a time in ISO 8601.")]


@app.command()
def diff(
    session: Session,
    before: Moment,
    after: Moment,
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    tenant: Tenant = "",
    projection: Annotated[
        str, typer.Option("--projection", metavar="NAME", help="The projection to look at.")
    ] = "sessions",
    projections: Own = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="What was deleted, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the fields of a session's view, or of all rows of one, that changed."""
    moments = (place(before, "before"), place(after, "after"))
    known = known_projections(projections, projection)
    with open_existing(url, schema) as ledger:
        views = Views(ledger, projections=known)
        found = views.diff(projection, (tenant, session), *moments, deleted=deleted)
    if as_json:
        for one in found:
            typer.echo(ascii_json(_fields(one)))
    elif found:
        output().print(_table(found))


def _fields(one: Difference) -> dict[str, Any]:
    # Structs and moments inside become plain values, as in the JSON of events.
    plain: dict[str, Any] = msgspec.to_builtins(one)
    return plain


def _table(found: list[Difference]) -> Table:
    keyed = any(one.key for one in found)
    columns = (*(["row"] if keyed else []), "field", "before", "after")
    table = table_of(*columns, header_style="dim")
    for one in found:
        said = _fields(one)
        row = [cell(" ".join(one.key), 60)] if keyed else []
        table.add_row(
            *row, cell(one.field), *(cell(value) for value in (said["before"], said["after"]))
        )
    return table
