"""`search`: the messages and answers in which some words occur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from ..folds.messages import Message
from ..folds.qa import QAEntry
from ..readers.search import SearchHit
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
def search(
    words: Annotated[
        list[str], typer.Argument(metavar="WORDS", help="All of them, in any order, as a whole.")
    ],
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    tenant: Tenant = "",
    session: Annotated[str | None, typer.Option(help="Only in this session.")] = None,
    projections: Own = None,
    limit: Annotated[int, typer.Option(help="How many to list.")] = 100,
    eventual: Eventual = False,
    as_json: AsJson = False,
) -> None:
    """Find the messages, questions and answers that have all of some words, the newest first."""
    known = known_projections(projections)
    with open_existing(url, schema) as ledger:
        if session is not None:
            check_there(ledger, session, tenant)
        page = Views(ledger, projections=known).search(
            " ".join(words),
            tenant=tenant,
            session_id=session,
            limit=limit,
            consistency=consistency_of(eventual),
        )
    more = page.cursor is not None
    print_found(page.items, _table, "nothing found", limit=limit, more=more, as_json=as_json)


def _table(hits: Sequence[SearchHit]) -> Table:
    table = table_of("session", "seq", "found in", "text", right=("seq",))
    for hit in hits:
        session = cell(getattr(hit.view, "session_id", None), 60)
        sequence = str(getattr(hit.view, "first_sequence", ""))
        table.add_row(session, sequence, *_found(hit))
    return table


def _found(hit: SearchHit) -> tuple[Text, Text]:
    """Return what a row is and what it says."""
    if isinstance(hit.view, Message):
        return cell(f"message of {hit.view.role}", 60), cell(hit.view.content)
    if isinstance(hit.view, QAEntry):
        return Text("answer"), cell(f"{hit.view.question} - {hit.view.answer}")
    return cell(hit.kind, 60), cell(msgspec.to_builtins(hit.view))
