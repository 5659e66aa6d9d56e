"""A fold sees the same rows and makes the same bytes, wherever pages begin and end."""

import itertools
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ledger import Event, Ledger, NewEvent
from projections import Projection, Rebuild, Views
from tests.support.builders import only_sync

_tenants = itertools.count()
EAST = timezone(timedelta(hours=3))

pytestmark = only_sync  # the rows are the same in both styles


class Line(msgspec.Struct, frozen=True):
    """A struct inside a view."""

    cost: float
    of: Any = None


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Values that come back from a table as others that are as good."""

    tenant: str
    session_id: str
    count: int = 0
    costs: list[float] = []
    anything: Any = None
    by_name: dict[str, float] = {}
    names: frozenset[str] = frozenset()
    pair: tuple[int, ...] = ()
    last: float | None = None
    moment: datetime | None = None
    line: Line | None = None
    seen: str = ""


def apply(view: Costs | None, event: Event) -> Costs | None:
    """Keep what the event says in ways that JSON has not, and all that is seen of it later."""
    view = view or Costs(tenant=event.tenant, session_id=event.session_id)
    cost, name = event.data["cost"], event.data["name"]
    if name == "nothing":
        return view
    if name == "gone":
        return None
    kept = (view.costs, view.anything, list(view.by_name), view.pair, view.last, view.line)
    return msgspec.structs.replace(
        view,
        count=view.count + 1,
        costs=[*view.costs[-3:], cost],
        anything=(cost, {"b": cost, "a": (view.anything, None)[view.count % 2]}),
        by_name={name: cost, **view.by_name},
        names=view.names | {name},
        pair=[cost] if isinstance(cost, int) else view.pair,
        last=cost,
        moment=event.occurred_at.astimezone(EAST),
        line=Line(cost, of=(name,)),
        seen=f"{kept}{view.moment}"[-400:],
    )


def costs(version: int) -> Projection:
    """Return a version of a projection; all versions are the same."""
    return Projection(
        name="costs",
        version=version,
        view=Costs,
        key=("tenant", "session_id"),
        keys=lambda event: [(event.tenant, event.session_id)],
        apply=apply,
        types=frozenset({"thing.paid"}),
    )


paid = st.fixed_dictionaries(
    {
        "cost": st.sampled_from([0, -0.0, 1, 2.5, 3, -1.0, 1e16, 0.1, 12345678901234567]),
        # By its bytes the long one is the first of them, by its length the last.
        "name": st.sampled_from(["b", "aa", "c", "b", "aa", "nothing", "gone"]),
    }
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Phase.generate],  # shrinking would take hundreds of rebuilds
)
@given(
    history=st.lists(st.tuples(st.sampled_from("ab"), paid), min_size=2, max_size=25),
    batch=st.sampled_from([1, 1, 2, 3, 7]),
)
def test_a_rebuild_in_large_pages_equals_folding_in_small_ones(
    ledger: Ledger, history: list[tuple[str, dict[str, Any]]], batch: int
) -> None:
    Views(ledger, projections=[costs(1)], batch_events_max=batch).catch_up()
    views = Views(ledger, projections=[costs(1), costs(2)], batch_events_max=batch)
    tenant = str(next(_tenants))
    for session_id, data in history:
        ledger.append(session_id, NewEvent(data, "thing.paid"), tenant=tenant)
    views.catch_up()
    assert Rebuild(ledger, costs(2)).run().built
    found = views.compare("costs", old=1, new=2)
    assert found.differences == ()
    assert (found.old_checksum, found.old_rows) == (found.new_checksum, found.new_rows)
    views.drop("costs", 2)
