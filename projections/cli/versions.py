"""`versions` and what is done with them: `compare`, `switch`, `switch-back`, `drop`, `accept`."""

from __future__ import annotations

import warnings
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from ledger import InvalidArgument

from ..engine.versions import FoldChanged, ViewVersion
from ..views import Views
from .app import app
from .comparisons import print_comparison
from .options import DEFAULT_SCHEMA, DEFAULT_URL, AsJson, Schema, Url, open_existing, output
from .own_projections import Name, Names, Own, chosen_names, known_projections
from .safe_text import ascii_json, cell
from .tables import table_of

Version = Annotated[int, typer.Argument(metavar="VERSION", help="The number of the version.")]

DIFFERENT = 1


@app.command()
def versions(
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    projection: Names = None,
    projections: Own = None,
    as_json: AsJson = False,
) -> None:
    """Print the versions of the projections that are known: which is read, which are built."""
    known = known_projections(projections)
    names = chosen_names(known, projection)
    with open_existing(url, schema) as ledger:
        found = Views(ledger, projections=known).versions()
    shown = [one for one in found if names is None or one.projection in names]
    if as_json:
        for one in shown:
            typer.echo(ascii_json({**msgspec.to_builtins(one), "changed": one.changed}))
    else:
        output().print(_table(shown))


@app.command()
def compare(
    name: Name,
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    projections: Own = None,
    old: Annotated[int | None, typer.Option(help="Default: the version that is read.")] = None,
    new: Annotated[int | None, typer.Option(help="Default: the highest other one.")] = None,
    limit: Annotated[int, typer.Option(help="How many differing rows to print.")] = 20,
) -> None:
    """Compare the rows of two versions of a projection; exit code 1 if they differ."""
    known = known_projections(projections, name)
    with open_existing(url, schema) as ledger:
        views = Views(ledger, projections=known)
        found = views.compare(name, old=old, new=new, limit=limit)
    print_comparison(found)
    raise typer.Exit(0 if found.same else DIFFERENT)


@app.command()
def switch(
    name: Name,
    version: Version,
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    projections: Own = None,
) -> None:
    """Make readers read a version that is built; the one before is kept going until it is dropped."""
    known = known_projections(projections, name)
    with open_existing(url, schema) as ledger:
        Views(ledger, projections=known).switch(name, version)
    _say_read(name, version)


@app.command("switch-back")
def switch_back(
    name: Name, url: Url = DEFAULT_URL, schema: Schema = DEFAULT_SCHEMA, projections: Own = None
) -> None:
    """Make readers read the version before: the highest built one below the one they read."""
    known = known_projections(projections, name)
    with open_existing(url, schema) as ledger:
        views = Views(ledger, projections=known)
        there = [one for one in views.versions() if one.projection == name]
        read = next((one.version for one in there if one.active), None)
        below = [
            one.version
            for one in there
            if read is not None and one.version < read and one.built and one.known
        ]
        if not below:
            raise InvalidArgument(
                "name",
                f"no version of {name} below {'any' if read is None else read} is built and known"
                " here; name the code of the one before with --projections",
            )
        views.switch(name, max(below))
    _say_read(name, max(below))


@app.command()
def drop(
    name: Name,
    version: Version,
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    projections: Own = None,
) -> None:
    """Remove a version that is not read, table and all; `rebuild` makes it anew from the log."""
    with open_existing(url, schema) as ledger:
        Views(ledger, projections=known_projections(projections)).drop(name, version)
    typer.echo(f"Version {version} of {name} is dropped.")


@app.command()
def accept(
    name: Name,
    version: Version,
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    projections: Own = None,
) -> None:
    """Take a version whose code was changed for one that the code of today has made."""
    known = known_projections(projections, name)
    with open_existing(url, schema) as ledger:
        views = Views(ledger, projections=known)
        changed = _changed(views, name, version)
        views.accept(name, version)
    if changed:
        typer.echo(f"Version {version} of {name} counts as made by the code of today.")
    else:
        typer.echo(f"Nothing changed: version {version} of {name} was made by the code of today.")


def _changed(views: Views, name: str, version: int) -> bool:
    with warnings.catch_warnings():
        # Who accepts a change need not be told that there is one.
        warnings.simplefilter("ignore", FoldChanged)
        there = views.versions()
    return any(one.changed for one in there if (one.projection, one.version) == (name, version))


def _say_read(name: str, version: int) -> None:
    typer.echo(f"Readers read version {version} of {name} now.")


def _table(found: list[ViewVersion]) -> Table:
    columns = ("projection", "version", "state", "events", "code")
    table = table_of(*columns, right=("version", "events"))
    for one in found:
        table.add_row(
            cell(one.projection, 60),
            str(one.version),
            _state(one),
            str(sum(one.positions)),
            "unknown here" if not one.known else "changed" if one.changed else "",
        )
    return table


def _state(one: ViewVersion) -> str:
    if not one.positions:
        return "not stored"
    return "read" if one.active else "built" if one.built else "being built"
