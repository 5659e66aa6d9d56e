"""Events on a terminal: as lines of JSON, or as rows that say the most in one line."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from ledger import Event

from .safe_text import ascii_json, cell
from .tables import table_of
from .wording import counted, utc

_PLAIN = (
    "tenant",
    "session_id",
    "sequence",
    "event_id",
    "type",
    "schema_version",
    "run_id",
    "actor",
    "causation_id",
    "correlation_id",
    "trace_id",
    "span_id",
    "metadata",
    "content_type",
)
DATA_CHARS_MAX = 160


def event_json(event: Event) -> str:
    """Return an event as one line of JSON in ASCII; opaque bytes become `data_base64`."""
    shown: dict[str, Any] = {name: getattr(event, name) for name in _PLAIN}
    shown["occurred_at"] = event.occurred_at.isoformat()
    shown["recorded_at"] = event.recorded_at.isoformat()
    shown["event_hash"] = event.event_hash.hex()
    if isinstance(event.data, bytes):
        shown["data_base64"] = b64encode(event.data).decode()
    else:
        shown["data"] = event.data
    return ascii_json(shown)


def event_line(event: Event, *, with_session: bool) -> Text:
    """Return an event as one line of a running display."""
    parts = [Text(f"{event.recorded_at:%H:%M:%S}Z", style="dim")]
    if with_session:
        parts.append(cell(event.session_id, 60))
    parts += [Text(str(event.sequence)), cell(event.type, 60), event_data(event)]
    return Text("  ").join(parts)


def event_table(events: Iterable[Event]) -> Table:
    """Return events of one session as a table."""
    table = table_of("seq", "recorded (UTC)", "type", "run", "data", right=("seq",))
    for event in events:
        table.add_row(
            str(event.sequence),
            utc(event.recorded_at),
            cell(event.type, 40),
            cell(event.run_id, 40),
            event_data(event),
        )
    return table


def event_data(event: Event) -> Text:
    """Return an event's payload, cut."""
    if isinstance(event.data, bytes):
        size = len(event.data)
        return Text.assemble(
            f"{counted(size, 'byte')} of ", cell(event.content_type, 60), style="dim"
        )
    return cell(event.data, DATA_CHARS_MAX)
