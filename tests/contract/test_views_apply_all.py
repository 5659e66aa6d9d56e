"""A view that folds several events of a row at once is the view that folds them one by one."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from ledger import Event, NewEvent
from projections import Projection, ProjectionFailed
from tests.support.views import stored, views_of

pytestmark = pytest.mark.usefixtures("new_database")
NAMES = "xxyxzyx"


class Total(msgspec.Struct, frozen=True):
    """How often something was counted in a session, and where last."""

    tenant: str
    session_id: str
    name: str
    count: int = 0
    last: int = 0


def keys(event: Event) -> tuple[tuple[str, ...], ...]:
    return ((event.tenant, event.session_id, event.data["name"]),)


def apply(total: Total | None, event: Event) -> Total:
    if event.data.get("breaks"):
        raise ValueError("it breaks")
    known = total or Total(event.tenant, event.session_id, event.data["name"])
    return msgspec.structs.replace(known, count=known.count + 1, last=event.sequence)


class AtOnce:
    """Folds all events of a row, and remembers how many there were."""

    def __init__(self) -> None:
        self.counted: list[int] = []

    def __call__(self, total: Total | None, events: Sequence[Event]) -> Total:
        self.counted.append(len(events))
        if any(event.data.get("breaks") for event in events):
            raise ValueError("it breaks, at some event")
        name, last = events[0].data["name"], events[-1]
        known = total or Total(last.tenant, last.session_id, name)
        return msgspec.structs.replace(
            known, count=known.count + len(events), last=events[-1].sequence
        )


def totals(apply_all: Any) -> Projection:
    return Projection(
        name="totals",
        version=1,
        view=Total,
        key=("tenant", "session_id", "name"),
        keys=keys,
        apply=apply,
        apply_all=apply_all,
        types=frozenset({"thing.counted"}),
    )


def counted(name: str, **said: Any) -> NewEvent:
    return NewEvent({"name": name, **said}, "thing.counted")


def counts(views: Any, projection: Projection) -> dict[str, tuple[int, int]]:
    found = stored(views, projection, "s")
    return {name: (total.count, total.last) for (_, _, name), total in found.items()}


def test_the_events_of_a_row_are_folded_at_once(ledger: Any) -> None:
    at_once = AtOnce()
    projection = totals(at_once)
    views = views_of(ledger, projection)
    for _ in range(2):
        ledger.append("s", [counted(name) for name in NAMES])
        views.catch_up()
    assert sorted(at_once.counted) == [1, 1, 2, 2, 4, 4]
    assert counts(views, projection) == {"x": (8, 14), "y": (4, 13), "z": (2, 12)}


def test_what_breaks_is_found_event_by_event(ledger: Any) -> None:
    at_once = AtOnce()
    projection = totals(at_once)
    views = views_of(ledger, projection)
    ledger.append("s", [*map(counted, "xxy"), counted("x", breaks=True), counted("x")])
    with pytest.raises(ProjectionFailed) as failed:
        views.catch_up()
    assert (failed.value.position, failed.value.reason) == (4, "ValueError: it breaks")
    assert at_once.counted
    found = views.rows("totals", "s", consistency="eventual")
    assert {(one.name, one.count, one.last) for one in found} == {("x", 2, 2), ("y", 1, 3)}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda total, events: 1 / 0,
        lambda total, events: "no total",
        lambda total, events: Total(events[0].tenant, events[0].session_id, "other"),
    ],
    ids=["raises", "another type", "another key"],
)
def test_one_that_is_wrong_leaves_it_to_folding_one_by_one(ledger: Any, wrong: Any) -> None:
    projection = totals(wrong)
    views = views_of(ledger, projection)
    ledger.append("s", [counted(name) for name in NAMES])
    views.catch_up()
    assert counts(views, projection) == {"x": (4, 7), "y": (2, 6), "z": (1, 5)}
