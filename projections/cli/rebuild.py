"""`rebuild`: a new version of a projection beside the one that is read, with a progress bar."""

from __future__ import annotations

from functools import partial
from typing import Annotated, NoReturn

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from ledger import InvalidArgument, Ledger

from ..engine.projection import Projection
from ..engine.rebuild import Rebuild
from ..engine.rebuild_reports import RebuildProgress, RebuildReport
from ..views import Views
from .app import app
from .comparisons import print_comparison
from .options import DEFAULT_SCHEMA, DEFAULT_URL, Schema, Url, notices, open_existing
from .own_projections import Name, Own, known_projections
from .safe_text import safe
from .wording import counted

STOPPED = 4
INTERRUPTED = 130
DIFFERENT = 1


@app.command()
def rebuild(
    name: Name,
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    version: Annotated[int | None, typer.Option(help="Default: the highest known.")] = None,
    projections: Own = None,
    processes: Annotated[
        int,
        typer.Option(
            min=1,
            help="They share the buckets: 64 on PostgreSQL, mostly 1 on SQLite, where one"
            " process does it all.",
        ),
    ] = 1,
    events_per_second: Annotated[
        float | None, typer.Option(help="At most so many, by all processes together.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare it with the active version.")
    ] = False,
    switch: Annotated[
        bool, typer.Option("--switch", help="Make readers read it, if all of it was built.")
    ] = False,
) -> None:
    """Fold the whole log into a version of a projection while readers read another one.

    May be ended at any moment, and goes on from there when it is called again. Exit code 1 if the
    comparison finds differences, or if other code has begun the version and nothing is compared
    (nothing is switched then), 4 if the fold fails at an event.
    """
    known = known_projections(projections, name)
    with open_existing(url, schema) as ledger:
        views = Views(ledger, projections=known)
        wanted = _wanted(known, name, version)
        _check_unfinished(ledger, views, wanted)
        report = _rebuilt(ledger, wanted, url, schema, processes, events_per_second)
        _tell(report)
        if compare and not _agrees(views, wanted):
            raise typer.Exit(DIFFERENT)
        if switch and report.changed and not compare:
            _fail_mixed(report)
        if switch:
            views.switch(name, wanted.version)
            typer.echo(f"Readers read version {wanted.version} of {name} now.")


def _wanted(known: list[Projection], name: str, version: int | None) -> Projection:
    named = {one.version: one for one in known if one.name == name}
    number = max(named) if version is None else version
    if number not in named:
        raise InvalidArgument("version", f"version {number} of {name} is not known here")
    return named[number]


def _check_unfinished(ledger: Ledger, views: Views, projection: Projection) -> None:
    """Refuse the version that is read, unless the log was never folded to its end."""
    for one in views.versions():
        if (one.projection, one.version) != (projection.name, projection.version):
            continue
        if one.active and sum(one.positions) >= sum(ledger.backend.positions()):
            raise InvalidArgument(
                "version",
                f"version {one.version} of {one.projection} is the one that is read, and is at the"
                " log's end; to make its rows anew, give the projection the next version number"
                " and rebuild that beside it",
            )


def _rebuilt(
    ledger: Ledger,
    projection: Projection,
    url: str,
    schema: str,
    processes: int,
    rate: float | None,
) -> RebuildReport:
    count = min(processes, ledger.buckets)
    if count < processes:
        notices().print(
            f"This ledger has {counted(ledger.buckets, 'bucket')}:"
            f" {counted(count, 'process', 'processes')} at work."
        )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} events"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    console = notices()
    # Where there is no terminal, nothing is left of the bar but its last line break.
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(f"{projection.name} v{projection.version}", total=0, rate="", left="")

        def show(progress: RebuildProgress) -> None:
            bar.update(
                task,
                completed=progress.events,
                total=progress.events_total,
                rate=f"{progress.events_per_second:,.0f}/s",
                left="" if progress.left_s is None else f"{_duration(progress.left_s)} left",
            )

        work = Rebuild(
            ledger,
            projection,
            processes=0 if count == 1 else count,
            open_ledger=partial(Ledger.open, url, schema=schema),
            events_per_second=rate,
            on_progress=show,
        )
        try:
            return work.run()
        except KeyboardInterrupt:
            notices().print("Stopped; the same command goes on from here.")
            raise typer.Exit(INTERRUPTED) from None


def _tell(report: RebuildReport) -> None:
    rate = report.events / max(report.seconds, 1e-9)
    typer.echo(
        f"{counted(report.events, 'event')} folded in {_duration(report.seconds)} ({rate:,.0f}/s);"
        f" version {report.version} of {report.projection} is"
        f" {'built' if report.built else 'not built yet'}."
    )
    for failure in report.failures:
        typer.echo(safe(str(failure)), err=True)
    if not report.built:
        raise typer.Exit(STOPPED)


def _fail_mixed(report: RebuildReport) -> NoReturn:
    name, version = report.projection, report.version
    typer.echo(
        f"Readers do not read version {version} of {name}: other code has begun it. `ledger drop"
        f" {name} {version}` and rebuild it; or `ledger accept {name} {version}`, if this code would"
        " make the same rows, and `ledger switch` to it.",
        err=True,
    )
    raise typer.Exit(DIFFERENT)


def _agrees(views: Views, projection: Projection) -> bool:
    stored = [one for one in views.versions() if one.projection == projection.name]
    old = next(iter(one for one in stored if one.active), None)
    if old is None or not old.known:
        raise InvalidArgument(
            "compare",
            "the active version is not known here; name it with --projections package.module:NAME",
        )
    found = views.compare(projection.name, old=old.version, new=projection.version)
    print_comparison(found)
    return found.same


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
