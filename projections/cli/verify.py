"""`verify`: the log recomputed, with exit code 1 if anything is not what was appended."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from ledger.verify import VerifyReport

from .app import app
from .options import DEFAULT_URL, Tenant, Url, notices, open_existing, output
from .safe_text import cell
from .tables import table_of


@app.command()
def verify(
    session: Annotated[
        str | None, typer.Argument(metavar="[SESSION]", help="Without it: the whole log.")
    ] = None,
    url: Url = DEFAULT_URL,
    tenant: Tenant = "",
) -> None:
    """Recompute numbers, digests and hash chains; exit code 1 if something does not fit."""
    with open_existing(url) as ledger, Progress(console=notices(), transient=True) as bar:
        task = bar.add_task("verifying", total=None)
        report = ledger.verify(
            session,
            tenant=tenant,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if not report.ok:
        output().print(_findings(report))
    typer.echo(
        f"{report.events} events in {report.sessions} sessions verified,"
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
