"""`verify`: the log recomputed, with exit code 1 if anything is not what was appended."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from ledger.verify import VerifyReport

from .app import app
from .options import (
    DEFAULT_SCHEMA,
    DEFAULT_URL,
    Schema,
    Tenant,
    Url,
    check_there,
    notices,
    open_existing,
    output,
)
from .safe_text import cell
from .tables import table_of
from .wording import counted


@app.command()
def verify(
    session: Annotated[
        str | None, typer.Argument(metavar="[SESSION]", help="Without it: the whole log.")
    ] = None,
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    tenant: Tenant = "",
) -> None:
    """Recompute numbers, digests and hash chains; exit code 1 if something does not fit."""
    console = notices()
    with open_existing(url, schema) as ledger:
        # Where there is no terminal, nothing would be left of the bar but its last line break.
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("verifying", total=None)
            report = ledger.verify(
                session,
                tenant=tenant,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        if session is not None and report.ok and not report.events:
            check_there(ledger, session, tenant, deleted=True)
    if not report.ok:
        output().print(_findings(report))
    typer.echo(
        f"{counted(report.events, 'event')} in {counted(report.sessions, 'session')} verified,"
        f" findings: {len(report.findings)}"
    )
    raise typer.Exit(0 if report.ok else 1)


def _findings(report: VerifyReport) -> Table:
    table = table_of("bucket", "tenant", "session", "seq", "problem", right=("bucket", "seq"))
    for finding in report.findings:
        table.add_row(
            str(finding.bucket),
            cell(finding.tenant, 60),
            cell(finding.session_id, 60),
            str(finding.sequence or ""),
            cell(finding.problem),
        )
    return table
