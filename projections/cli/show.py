"""`show`: the views of a session as tables, or the list of sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ledger import InvalidArgument, Ledger

from ..folds.qa import QAEntry
from ..folds.runs import Run
from ..folds.sessions import Session
from ..folds.traces import Span
from ..readers.anomaly_lists import MarkedFact
from ..readers.consistency import Consistency
from ..readers.history_places import Moment
from ..readers.listing_queries import TENANT_LIMIT_MAX
from ..views import Views
from .anomalies import anomaly_table
from .app import app
from .options import (
    DEFAULT_SCHEMA,
    DEFAULT_URL,
    AsOf,
    Eventual,
    Schema,
    Tenant,
    Url,
    check_there,
    consistency_of,
    open_existing,
    output,
    place,
)
from .safe_text import cell
from .tables import print_found, table_of
from .wording import counted, utc

SHOWN_MAX = 1_000
DEPTH_MAX = 16
ANOMALIES = "Anomalies"
_table = partial(table_of, header_style="dim")  # the title above it is bold


@app.command()
def show(
    session: Annotated[
        str | None, typer.Argument(metavar="[SESSION]", help="Without it: all sessions.")
    ] = None,
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    tenant: Tenant = "",
    limit: Annotated[int, typer.Option(help="How many sessions to list.")] = 100,
    archived: Annotated[bool, typer.Option("--archived", help="List those, too.")] = False,
    status: Annotated[
        list[str] | None,
        typer.Option(help="List those in this status, such as active; may be repeated."),
    ] = None,
    as_of: AsOf = None,
    eventual: Eventual = False,
) -> None:
    """Show a session: its runs, answers, traces and anomalies; or list the sessions."""
    consistency = consistency_of(eventual)
    with open_existing(url, schema) as ledger:
        if session is not None:
            if status:
                raise InvalidArgument("status", "it is for the list: leave the session out")
            then = None if as_of is None else place(as_of, "as_of")
            show_session(ledger, session, tenant, then, consistency)
            return
        if as_of is not None:
            raise InvalidArgument("as_of", "only one session has a past: name it")
        found = Views(ledger).sessions(
            tenant=tenant,
            limit=limit,
            archived=archived,
            status=status or None,
            consistency=consistency,
        )
    print_found(found, _sessions, "no sessions", limit=limit)


def show_session(
    ledger: Ledger,
    session_id: str,
    tenant: str,
    as_of: Moment | None = None,
    consistency: Consistency = "strong",
) -> None:
    """Print the views of one session, as they are or as they were, of each SHOWN_MAX rows at most."""
    check_there(ledger, session_id, tenant)
    views = Views(ledger)
    session = views.session(session_id, tenant=tenant, as_of=as_of, consistency=consistency)
    if session is None:
        known = "then" if as_of is not None else "in the views yet"
        raise InvalidArgument("session", f"there is no session {session_id!r} {known}")
    found = (
        _now(views, session_id, tenant, consistency)
        if as_of is None
        else _then(views, session_id, tenant, as_of)
    )
    found.append(_marked(views, session, consistency))
    console = output()
    title = Text.assemble("Session ", cell(session_id))
    console.print(_section(title, _session(session)))
    for (name, table_of_rows, others), (rows, more) in zip(_SECTIONS, found, strict=True):
        if rows:
            title = Text(f"{name} ({len(rows) + more})" if name == ANOMALIES else name)
            console.print(_section(title, table_of_rows(rows)))
        if more:
            console.print(f"and {more} more {others}")


def _now(
    views: Views, session_id: str, tenant: str, consistency: Consistency
) -> list[tuple[list[Any], int]]:
    """Return what is shown of each view, and how many rows are left out."""
    asked: dict[str, Any] = {"tenant": tenant, "consistency": consistency}
    runs = views.runs(session_id, limit=SHOWN_MAX, **asked)
    answers = views.qa(session_id, last_n=SHOWN_MAX, **asked)
    spans = views.traces(session_id, limit=SHOWN_MAX, **asked)
    return [
        (runs, _more(runs, lambda: views.count_runs(session_id=session_id, **asked))),
        (answers, _more(answers, lambda: views.count_qa(session_id=session_id, **asked))),
        (spans, _more(spans, lambda: len(views.traces(session_id, **asked)))),
    ]


def _then(views: Views, session_id: str, tenant: str, as_of: Moment) -> list[tuple[list[Any], int]]:
    runs, answers, spans = (
        _in_order(views.rows(name, session_id, tenant=tenant, as_of=as_of))
        for name in ("runs", "qa", "traces")
    )
    shown = (runs[:SHOWN_MAX], answers[-SHOWN_MAX:], spans[:SHOWN_MAX])
    every = (runs, answers, spans)
    return [(some, len(rows) - len(some)) for some, rows in zip(shown, every, strict=True)]


def _marked(
    views: Views, session: Session, consistency: Consistency
) -> tuple[list[MarkedFact], int]:
    """Return what did not fit up to where the session stands, and how much is left out."""
    every = views.anomalies(
        session.session_id,
        tenant=session.tenant,
        limit=TENANT_LIMIT_MAX,
        consistency=consistency,
    )
    upto = [one for one in every if one.sequence <= session.last_sequence]
    return upto[:SHOWN_MAX], max(0, len(upto) - SHOWN_MAX)


def _more(shown: list[Any], count: Callable[[], int]) -> int:
    # Counted where there may be more only; some may have come, or gone, meanwhile.
    return 0 if len(shown) < SHOWN_MAX else max(0, count() - len(shown))


def _in_order(found: list[Any]) -> list[Any]:
    return sorted(found, key=lambda view: view.first_sequence)


def _section(title: Text, table: Table) -> RenderableType:
    title.stylize("bold")
    return Group(Text(""), title, table)


def _sessions(sessions: Sequence[Session]) -> Table:
    table = _table(
        "session",
        "status",
        "label",
        "runs",
        "messages",
        "cost",
        "last activity (UTC)",
        right=("runs", "messages", "cost"),
    )
    for session in sessions:
        table.add_row(
            cell(session.session_id, 60),
            cell(session.status),
            cell(session.label, 60),
            str(session.run_count),
            str(session.message_count),
            _usd(session.cost_usd or None),
            utc(session.last_activity_at),
        )
    return table


def _session(session: Session) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    tokens = f"{session.input_tokens} in, {session.output_tokens} out"
    counts = (
        f"{counted(session.run_count, 'run')}, {counted(session.turn_count, 'turn')},"
        f" {counted(session.message_count, 'message')},"
        f" {counted(session.tool_call_count, 'tool call')} ({session.tool_failure_count} failed)"
    )
    for name, value in (
        ("label", cell(session.label)),
        ("status", cell(session.status)),
        ("agent", cell(session.agent_id)),
        ("channel", cell(session.channel)),
        ("tags", cell(", ".join(session.tags))),
        ("forked from", _fork(session)),
        ("counts", Text(counts)),
        ("tokens", Text(tokens if session.input_tokens or session.output_tokens else "")),
        ("cost", Text(_usd(session.cost_usd or None))),
        ("created", Text(f"{utc(session.created_at)} UTC")),
        ("last activity", Text(f"{utc(session.last_activity_at)} UTC")),
    ):
        if value.plain:
            table.add_row(name, value)
    return table


def _fork(session: Session) -> Text:
    if session.forked_from is None:
        return Text("")
    return Text.assemble(cell(session.forked_from), f" at {session.forked_at_sequence}")


def _runs(runs: list[Run]) -> Table:
    table = _table(
        "run",
        "status",
        "time",
        "turns",
        "tools",
        "tokens",
        "cost",
        "feedback",
        "error",
        right=("time", "turns", "tools", "tokens", "cost"),
    )
    for run in runs:
        table.add_row(
            cell(run.run_id, 40),
            cell(run.status),
            _duration(run.duration_us),
            str(run.turn_count),
            str(run.tool_call_count),
            str(run.token_usage.get("total_tokens", "")),
            _usd(run.cost_usd),
            _feedback(run),
            cell(run.error_message or run.error_code, 80),
        )
    return table


def _feedback(run: Run) -> Text:
    said = [] if run.score is None else [f"{run.score}/5"]
    if run.reward is not None:
        said.append(f"reward {run.reward:g}")
    if run.feedback_text:
        said.append(run.feedback_text)
    return cell(", ".join(said), 80)


def _qa(entries: list[QAEntry]) -> Table:
    table = _table("question", "answer", "score", "feedback")
    for entry in entries:
        score = "" if entry.feedback_score is None else f"{entry.feedback_score}/5"
        feedback = cell(entry.feedback_text, 80)
        table.add_row(cell(entry.question), cell(entry.answer), score, feedback)
    return table


def _traces(spans: list[Span]) -> Table:
    table = _table("work", "status", "time", "in", "out", right=("time",))
    parents = {span.span_id: span.parent_span_id for span in spans}
    for span in spans:
        what = span.kind if span.name is None else f"{span.kind} {span.name}"
        if span.source == "run":
            what = f"run {span.own_id}"
        table.add_row(
            Text("  " * _depth(span.span_id, parents)) + cell(what, 60),
            cell(span.status, 20),
            _duration(span.duration_us),
            cell(span.input, 60),
            cell(span.output if span.error is None else span.error, 60),
        )
    return table


def _depth(span_id: str, parents: dict[str, str | None]) -> int:
    depth = 0
    parent = parents.get(span_id)
    # Bounded, because whoever writes spans can also write circles.
    while parent in parents and depth < DEPTH_MAX:
        depth += 1
        parent = parents[parent]
    return depth


#: What follows the session: a title, a table of rows, and which rows are left out.
_SECTIONS: tuple[tuple[str, Callable[[list[Any]], Table], str], ...] = (
    ("Runs", _runs, "behind them"),
    ("Questions and answers", _qa, "before them"),
    ("Traces", _traces, "behind them"),
    (ANOMALIES, partial(anomaly_table, header_style="dim"), "behind them"),
)


def _usd(cost: float | None) -> str:
    return "" if cost is None else f"${cost:.4f}"


def _duration(microseconds: int | None) -> str:
    if microseconds is None:
        return ""
    seconds = microseconds / 1_000_000
    return f"{seconds:.3f} s" if seconds < 60 else f"{int(seconds) // 60}:{int(seconds) % 60:02}"
