"""`anomalies`: the facts that did not fit, of a session or of all, and what was made of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer
from rich.table import Table

from ..readers.anomaly_lists import MarkedFact
from ..views import Views
from .app import app
from .options import (
    DEFAULT_SCHEMA,
    DEFAULT_URL,
    AsJson,
    Eventual,
    Schema,
    Tenant,
    Url,
    check_there,
    consistency_of,
    open_existing,
)
from .own_projections import Own, known_projections
from .safe_text import cell
from .tables import print_found, table_of


@app.command()
def anomalies(
    session: Annotated[
        str | None, typer.Argument(metavar="[SESSION]", help="Without it: of all sessions.")
    ] = None,
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    tenant: Tenant = "",
    projections: Own = None,
    limit: Annotated[int, typer.Option(help="How many to list.")] = 100,
    eventual: Eventual = False,
    as_json: AsJson = False,
) -> None:
    """List the facts that did not fit what came before them, and what each view made of them."""
    known = known_projections(projections)
    with open_existing(url, schema) as ledger:
        if session is not None:
            check_there(ledger, session, tenant)
        page = Views(ledger, projections=known).anomalies_page(
            session, tenant=tenant, limit=limit, consistency=consistency_of(eventual)
        )
    print_found(
        page.items,
        partial(anomaly_table, with_session=session is None),
        "no anomalies",
        limit=limit,
        more=page.cursor is not None,
        as_json=as_json,
    )


def anomaly_table(
    found: Sequence[MarkedFact], *, with_session: bool = False, header_style: str = "bold"
) -> Table:
    """Return facts that did not fit as a table."""
    columns = (*(["session"] if with_session else []), "seq", "type", "view", "row", "the fact was")
    table = table_of(*columns, right=("seq",), header_style=header_style)
    for one in found:
        table.add_row(
            *([cell(one.session_id, 60)] if with_session else []),
            str(one.sequence),
            cell(one.type, 40),
            cell(one.view, 40),
            cell(" ".join(one.row_key), 60),
            cell(one.reason),
        )
    return table
