"""`init` and `append`: making a ledger, and one event in it."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger import InvalidEvent, NewEvent, new_event_id
from ledger.codec import parse_json_object

from .app import app
from .options import (
    DEFAULT_SCHEMA,
    DEFAULT_URL,
    Schema,
    Session,
    Tenant,
    Url,
    open_ledger,
    stdin_bytes,
)
from .safe_text import safe

STDIN_BYTES_MAX = 16_777_216


@app.command()
def init(
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    buckets: Annotated[
        int | None,
        typer.Option(help="How many parts the log has, for ever: 1, or 64 on PostgreSQL."),
    ] = None,
) -> None:
    """Create a ledger, or bring an existing one up to date."""
    with open_ledger(url, schema, buckets) as ledger:
        typer.echo(f"ledger {ledger.ledger_id}, buckets: {ledger.buckets}")


@app.command()
def append(
    session: Session,
    event_type: Annotated[str, typer.Argument(metavar="TYPE", help="Such as message.appended.")],
    payload: Annotated[str, typer.Argument(metavar="JSON", help="An object, or - for stdin.")],
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    tenant: Tenant = "",
    event_id: Annotated[
        str | None, typer.Option(help="Repeating a call with the same id stores nothing.")
    ] = None,
    run_id: Annotated[str | None, typer.Option(help="The run that it happened in.")] = None,
    expected: Annotated[
        int | None, typer.Option(help="The sequence that the session must be at.")
    ] = None,
) -> None:
    """Append one event to a session."""
    data = payload.encode(errors="surrogateescape") if payload != "-" else _stdin()
    event = NewEvent(
        parse_json_object(data, "payload"),
        event_type,
        event_id=new_event_id() if event_id is None else event_id,
        run_id=run_id,
    )
    with open_ledger(url, schema) as ledger:
        appended = ledger.append(session, event, tenant=tenant, expected=expected)
    what = "stored" if appended.stored else "already stored"
    typer.echo(f"{what} as sequence {appended.sequence}, event {safe(appended.event.event_id)}")


def _stdin() -> bytes:
    data = stdin_bytes("payload").read(STDIN_BYTES_MAX + 1)
    if len(data) > STDIN_BYTES_MAX:
        raise InvalidEvent("payload", f"more than {STDIN_BYTES_MAX} bytes on stdin")
    return data
