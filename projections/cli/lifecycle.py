"""`fork` and `delete`: a session that goes on as another one, and one that nobody reads any more."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger import InvalidArgument, InvalidEvent, SequenceConflict

from .app import app
from .options import (
    DEFAULT_SCHEMA,
    DEFAULT_URL,
    Schema,
    Session,
    Tenant,
    Url,
    check_there,
    open_existing,
)
from .safe_text import safe


@app.command()
def fork(
    session: Session,
    at: Annotated[int, typer.Option(help="The last sequence that the new session begins with.")],
    into: Annotated[str, typer.Option(metavar="ID", help="The id of the new session.")],
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    tenant: Tenant = "",
) -> None:
    """Begin a new session with a session's events up to a sequence; repeating adds nothing."""
    with open_existing(url, schema) as ledger:
        check_there(ledger, session, tenant)
        try:
            forked = ledger.fork(session, at, into, tenant=tenant)
        except SequenceConflict as error:
            raise InvalidArgument("into", f"there is a session {into!r} already") from error
        except InvalidEvent as error:
            if error.field != "session_id":
                raise
            # SESSION was looked up above: it is the other id.
            raise InvalidArgument("into", error.reason) from error
    begins = "begins" if forked.stored else "began before"
    typer.echo(safe(f"Session {into} {begins} as a fork of {session} at sequence {at}."))


@app.command()
def delete(
    session: Session,
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    tenant: Tenant = "",
    reason: Annotated[str | None, typer.Option(help="Why; kept for good.")] = None,
) -> None:
    """Hide a session from all readers; the log keeps it, and `read --deleted` prints it."""
    with open_existing(url, schema) as ledger:
        # Again where somebody else deleted it, and another one appended, meanwhile.
        while not ledger.delete(session, tenant=tenant, reason=reason):
            check_there(ledger, session, tenant)
    typer.echo(safe(f"Session {session} is deleted."))
