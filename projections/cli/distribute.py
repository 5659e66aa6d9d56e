"""`distribute`: a ledger's tables, spread over the servers of a Citus cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger import distribute as distribute_ledger
from ledger.distributing import SHARDS_DEFAULT

from .app import app
from .options import DEFAULT_SCHEMA, DEFAULT_URL, Schema, Url


@app.command()
def distribute(
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    shards: Annotated[
        int, typer.Option(help="Parts that the buckets go to, several to a server.")
    ] = SHARDS_DEFAULT,
) -> None:
    """Spread a ledger's tables over the servers of a Citus cluster, whose coordinator the URL names.

    Close the ledger everywhere before.
    """
    if distribute_ledger(url, schema=schema, shards=shards):
        typer.echo("The tables are spread by bucket over the cluster's servers now.")
    else:
        typer.echo("The tables were spread over the cluster's servers before.")
