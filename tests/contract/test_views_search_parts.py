"""Search in views of what is in several sessions: whole in one bucket, and in parts in several."""

from datetime import datetime
from typing import Any

import msgspec
import pytest

from ledger import InvalidArgument, NewEvent
from projections import Projection
from tests.support.views import views_of


class _Agent(msgspec.Struct, frozen=True, kw_only=True):
    tenant: str
    agent: str
    created_at: datetime
    notes: str = ""


def _noted(row: _Agent | None, event: Any) -> _Agent:
    begun = row or _Agent(
        tenant=event.tenant, agent=event.data["agent"], created_at=event.occurred_at
    )
    return msgspec.structs.replace(begun, notes=f"{begun.notes} {event.data['note']}")


AGENTS = Projection(
    name="agents",
    version=1,
    view=_Agent,
    key=("tenant", "agent"),
    keys=lambda event: [(event.tenant, event.data["agent"])],
    apply=_noted,
    types=frozenset({"noted"}),
    searchable=("notes",),
)


@pytest.mark.parametrize("buckets", [1, 8])
def test_of_a_view_of_no_session_each_bucket_has_a_part_which_is_not_searched(
    open_ledger: Any, buckets: int
) -> None:
    ledger = open_ledger(buckets=buckets)
    views = views_of(ledger, projections=[AGENTS])
    for number in range(8):
        ledger.append(f"s{number}", NewEvent({"agent": "x", "note": f"word{number}"}, "noted"))
    if buckets == 1:
        [hit] = views.search("word0 word7").items
        assert hit.view == views.row("agents", ("", "x"))
        return
    assert views.search("word0").items == []
    for refused in (
        lambda: views.search("word0", kinds=["agents"]),
        lambda: views.row("agents", ("", "x")),
    ):
        with pytest.raises(InvalidArgument, match="each bucket has a part of the rows of agents"):
            refused()
