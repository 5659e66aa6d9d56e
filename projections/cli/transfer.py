"""`export` and `import`: a ledger as a file, and foreign transcripts as sessions."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer

from ledger import (
    EventIdReused,
    ImportReport,
    InvalidArgument,
    InvalidEvent,
    InvalidImport,
    Ledger,
)
from ledger.refusals import shown

from ..chat_import import Conversation, conversations, facts, incarnation
from .app import app
from .options import (
    DEFAULT_SCHEMA,
    DEFAULT_URL,
    Schema,
    Url,
    notices,
    open_existing,
    open_ledger,
    stdin_bytes,
)
from .show import show_session
from .whole_files import written
from .wording import counted

#: What an import with --show prints; a large file would fill the terminal for minutes.
SHOWN_SESSIONS_MAX = 5
LINE_BYTES_MAX = 268_435_456
TRANSCRIPT_BYTES_MAX = 1_073_741_824
APPEND_EVENTS = 1_000

SessionKey = tuple[str, str]


class Format(StrEnum):
    """What an imported file holds."""

    JSONL = "jsonl"
    OPENAI_CHAT = "openai-chat"


class _Place(msgspec.Struct):
    tenant: str
    session_id: str


@app.command()
def export(
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="Default: stdout.")] = "-",
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
) -> None:
    """Write the whole log, of all tenants, as JSON Lines that `import` reads."""
    with open_existing(url, schema) as ledger, _written(file) as out:
        count = -2
        for line in ledger.export_lines():
            out.write(line)
            count += 1
    typer.echo(f"exported {counted(count, 'event')}", err=True)


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file, or - for stdin.")],
    url: Url = DEFAULT_URL,
    schema: Schema = DEFAULT_SCHEMA,
    tenant: Annotated[str, typer.Option(help="The tenant of openai-chat sessions.")] = "",
    format: Annotated[Format, typer.Option(help="What the file holds.")] = Format.JSONL,
    show: Annotated[bool, typer.Option("--show", help="Show the sessions afterwards.")] = False,
    allow_future: Annotated[
        bool, typer.Option("--allow-future", help="Take times that are more than a day ahead.")
    ] = False,
) -> None:
    """Import an export, verifying every line, or chat transcripts; repeating adds nothing."""
    seen: dict[SessionKey, None] = {}
    with _opened(file) as source, open_ledger(url, schema) as ledger:
        if format is Format.JSONL:
            if tenant:
                raise InvalidArgument("tenant", "an export says itself whose its sessions are")
            report = ledger.import_lines(
                _noted(_lines(source), seen), progress=_progress, allow_future=allow_future
            )
        else:
            if allow_future:
                raise InvalidArgument("allow_future", "only an export says when it was recorded")
            report = _import_chat(ledger, source, file, tenant, seen)
        typer.echo(summary(report))
        if show:
            for session_tenant, session_id in list(seen)[:SHOWN_SESSIONS_MAX]:
                show_session(ledger, session_id, session_tenant)
            if len(seen) > SHOWN_SESSIONS_MAX:
                typer.echo(f"and {len(seen) - SHOWN_SESSIONS_MAX} more; see `ledger show`")


def summary(report: ImportReport) -> str:
    """Return what an import did, in a sentence."""
    if not report.stored:
        all_of_them = counted(report.events, "event was", "events were")
        return f"Nothing new: all {all_of_them} there already."
    there = counted(report.already_stored, "was", "were")
    return f"Imported {counted(report.stored, 'event')}; {there} there already."


def _import_chat(
    ledger: Ledger, source: BinaryIO, file: str, tenant: str, seen: dict[SessionKey, None]
) -> ImportReport:
    data = source.read(TRANSCRIPT_BYTES_MAX + 1)
    if len(data) > TRANSCRIPT_BYTES_MAX:
        raise InvalidArgument("file", f"larger than {TRANSCRIPT_BYTES_MAX} bytes; split it")
    report = ImportReport()
    for conversation in conversations(data, "stdin" if file == "-" else Path(file).stem):
        seen[tenant, conversation.session_id] = None
        with _its_place(conversation):
            report = _append_chat(ledger, conversation, tenant, report)
    return report


def _append_chat(
    ledger: Ledger, conversation: Conversation, tenant: str, report: ImportReport
) -> ImportReport:
    session_id = conversation.session_id
    current = incarnation(ledger, session_id, tenant)
    events = facts(conversation, current)
    for first in range(0, len(events), APPEND_EVENTS):
        part = events[first : first + APPEND_EVENTS]
        answers = ledger.append(session_id, part, tenant=tenant, incarnation=current)
        stored = sum(answer.stored for answer in answers)
        report = ImportReport(report.stored + stored, report.already_stored + len(answers) - stored)
    return report


@contextmanager
def _its_place(conversation: Conversation) -> Iterator[None]:
    """Say of what the ledger refuses where the file has it: those before it are stored."""
    where = f"session {shown(conversation.session_id)}"
    try:
        yield
    except InvalidEvent as error:
        if error.field == "tenant":
            raise  # no fault of the file
        reason = f"{where}, {error.event_field}: {error.reason}"
        raise InvalidImport(conversation.line, reason) from error
    except EventIdReused as error:
        reason = f"{where} has event {error.event_id!r} with other content"
        raise InvalidImport(conversation.line, reason) from error


def _progress(report: ImportReport) -> None:
    console = notices()
    if console.is_terminal:
        console.print(f"{report.events} events", end="\r")


def _noted(lines: Iterator[bytes], seen: dict[SessionKey, None]) -> Iterator[bytes]:
    for line in lines:
        yield line
        if line.startswith(b'{"tenant"'):
            place = msgspec.json.decode(line, type=_Place)
            seen[place.tenant, place.session_id] = None


def _lines(source: BinaryIO) -> Iterator[bytes]:
    while line := source.readline(LINE_BYTES_MAX):
        yield line


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield stdin_bytes("file")
    elif not file:
        raise InvalidArgument("FILE", "it names no file")
    else:
        with Path(file).open("rb") as source:
            yield source


@contextmanager
def _written(file: str) -> Iterator[BinaryIO]:
    if file != "-":
        with written(file) as out:
            yield out
        return
    if sys.stdout is None:
        raise InvalidArgument("file", "stdout is closed; name a file")
    if sys.stdout.isatty():
        raise InvalidArgument("file", "an export is no text for a terminal; name a file")
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()
