"""`read` and `tail`: a session's events, and whatever comes."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import Annotated

import typer

from ledger import InvalidArgument

from .app import app
from .events import event_json, event_line, event_table
from .options import (
    DEFAULT_SCHEMA,
    DEFAULT_URL,
    AsJson,
    Schema,
    Session,
    Tenant,
    Url,
    check_there,
    moment,
    open_existing,
    output,
)

Types = Annotated[list[str] | None, typer.Option("--type", help="Only this type; may be repeated.")]


@app.command()
def read(
    session: Session,
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    tenant: Tenant = "",
    after: Annotated[int, typer.Option(help="Only behind this sequence.")] = 0,
    before: Annotated[int | None, typer.Option(help="Only before this sequence.")] = None,
    run_id: Annotated[str | None, typer.Option(help="Only of this run.")] = None,
    types: Types = None,
    since: Annotated[str | None, typer.Option(help="From this time on, in ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(help="Up to this time, exclusive.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many.")] = None,
    newest_first: Annotated[bool, typer.Option("--newest-first")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait if nothing fits yet.")] = 0,
    lineage: Annotated[bool, typer.Option("--lineage", help="Forked parents first.")] = False,
    deleted: Annotated[bool, typer.Option("--deleted", help="What was deleted, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the events of a session."""
    with open_existing(url, schema) as ledger:
        events = ledger.read(
            session,
            tenant=tenant,
            after=after,
            before=before,
            run_id=run_id,
            types=types or None,
            since=moment(since, "since"),
            until=moment(until, "until"),
            limit=limit,
            newest_first=newest_first,
            wait=wait,
            lineage=lineage,
            deleted=deleted,
        )
        if not events and not wait:
            check_there(ledger, session, tenant, deleted=deleted)
    if as_json:
        for event in events:
            typer.echo(event_json(event))
    elif events:
        output().print(event_table(events))


@app.command()
def tail(
    session: Annotated[
        str | None, typer.Argument(metavar="[SESSION]", help="Without it: the whole log.")
    ] = None,
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    tenant: Annotated[
        str | None, typer.Option(help="Only this tenant; of a session, its tenant.")
    ] = None,
    types: Types = None,
    cursor: Annotated[str | None, typer.Option(help="Where to begin in the log.")] = None,
    after: Annotated[int, typer.Option(help="Of a session: behind this sequence.")] = 0,
    new: Annotated[bool, typer.Option("--new", help="Only what is committed from now on.")] = False,
    count: Annotated[int | None, typer.Option(min=0, help="End after so many events.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the log, or a session, from its beginning on, then what is committed, until Ctrl-C.

    It begins elsewhere with --cursor, --after, or at the end with --new.
    """
    if new and (cursor is not None or after):
        raise InvalidArgument("new", "it says where to begin, and so do --cursor and --after")
    console = output()
    with open_existing(url, schema) as ledger:
        if new and session is None:
            cursor = ledger.end_cursor()
        elif new and session is not None:
            after = ledger.head(session, tenant=tenant or "")
        following = ledger.follow(
            session, cursor=cursor, after=after, types=types or None, tenant=tenant
        )
        with following as follower, suppress(KeyboardInterrupt):  # which is how following ends
            for event in islice(follower, count):
                if as_json:
                    print(event_json(event), flush=True)
                else:
                    console.print(event_line(event, with_session=session is None), soft_wrap=True)
