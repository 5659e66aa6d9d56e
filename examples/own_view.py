"""A view of your own: a struct, a pure fold, and later a better version beside the one that is read."""

import msgspec
from msgspec.structs import replace

from ledger import Event, Ledger, NewEvent
from ledger.catalogue import ToolFailed, ToolStarted
from projections import BUILTIN, Projection, Rebuild, Views


class ToolCalls(msgspec.Struct, frozen=True):
    """How often a session called a tool; the fields are the columns of the table."""

    tenant: str
    session_id: str
    tool: str
    calls: int = 0
    failures: int = 0


def keys(event: Event) -> list[tuple[str, str, str]]:
    """Return the rows that an event is about."""
    return [(event.tenant, event.session_id, event.data.get("tool_name", "?"))]


def count(row: ToolCalls | None, event: Event) -> ToolCalls:
    row = row or ToolCalls(*keys(event)[0])
    return replace(row, calls=row.calls + 1)


def count_both(row: ToolCalls | None, event: Event) -> ToolCalls:
    if event.type == "tool.started":
        return count(row, event)
    row = row or ToolCalls(*keys(event)[0])
    return replace(row, failures=row.failures + 1)


STARTED = frozenset({"tool.started"})
KEY = ("tenant", "session_id", "tool")
FIRST = Projection(
    name="tool_calls", version=1, view=ToolCalls, key=KEY, keys=keys, apply=count, types=STARTED
)
BOTH = STARTED | {"tool.failed"}
SECOND = replace(FIRST, version=2, apply=count_both, types=BOTH)

with Ledger.open("memory:") as ledger:
    for call in ("c1", "c2"):
        ledger.append("ses_1", NewEvent(ToolStarted(call_id=call, tool_name="track")))
    ledger.append("ses_1", ToolFailed(call_id="c2", tool_name="track"))
    views = Views(ledger, projections=[*BUILTIN, FIRST])
    print(views.row("tool_calls", ("", "ses_1", "track")))

    Rebuild(ledger, SECOND).run()  # beside the first, while others append and read
    views = Views(ledger, projections=[*BUILTIN, FIRST, SECOND])
    print("rows that differ:", views.compare("tool_calls").differing)
    views.switch("tool_calls", 2)
    assert views.row("tool_calls", ("", "ses_1", "track")).failures == 1
