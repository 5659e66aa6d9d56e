"""Whatever a user's functions do stops that view in that bucket at that event, and nothing else."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from ledger import Event
from projections import Projection, ProjectionFailed
from tests.support.views import (
    TALLY,
    counted,
    dropped,
    tally,
    tally_apply,
    tally_keys,
    views_of,
)


class Other(msgspec.Struct, frozen=True):
    """Another struct with a tally's key."""

    tenant: str
    session_id: str
    name: str
    count: int = 0
    sequences: list[int] = []


class Endless:
    """A key that looks right and is not."""

    def __iter__(self) -> Any:
        raise RecursionError("endless")


def returned(type_: Callable[..., Any]) -> Callable[[Any, Event], Any]:
    """Return a fold that gives something else for its second event."""

    def apply(view: Any, event: Event) -> Any:
        if event.sequence < 2:
            return tally_apply(view, event)
        return type_(tenant=event.tenant, session_id=event.session_id, name=event.data["name"])

    return apply


def made(**fields: Any) -> Callable[[Any, Event], Any]:
    """Return a fold that breaks a field for its second event."""

    def apply(view: Any, event: Event) -> Any:
        new = tally_apply(view, event)
        return msgspec.structs.replace(new, **fields) if event.sequence == 2 else new

    return apply


def named(keys: Callable[[Event], Any]) -> Callable[[Event], Any]:
    """Return keys that are right but for the second event."""
    return lambda event: keys(event) if event.sequence == 2 else tally_keys(event)


KEYS: dict[str, Callable[[Event], Any]] = {
    "lists": lambda event: [[event.tenant, event.session_id, "x"]],
    "none": lambda event: None,
    "text": lambda event: "abc",
    "sets": lambda event: [{event.tenant, event.session_id}],
    "endless": lambda event: [Endless()],
    "numbers": lambda event: [(event.tenant, event.session_id, 1)],
    "nul": lambda event: [(event.tenant, event.session_id, "a\0")],
    "surrogate": lambda event: [(event.tenant, event.session_id, "\ud800")],
    "long": lambda event: [(event.tenant, event.session_id, "ß" * 1_300)],
    "twice_a_list": lambda event: [[event.tenant, event.session_id, "x"]] * 2,
    "raises": lambda event: 1 / 0,
}
FOLDS: dict[str, Callable[[Any, Event], Any]] = {
    "namespace": returned(SimpleNamespace),
    "other_struct": returned(Other),
    "tuple": lambda view, event: (event.tenant, event.session_id, event.data["name"]),
    "unencodable": made(sequences=[object()]),
    "wrong_type": made(count="many"),
    "huge": made(count=2**70),
    "cyclic": made(sequences=(cyclic := [])),
}
cyclic.append(cyclic)


def strange() -> list[Projection]:
    """Return a projection for each strange function."""
    return [
        *(msgspec.structs.replace(tally(f"keys_{n}"), keys=named(f)) for n, f in KEYS.items()),
        *(tally(f"apply_{n}", f) for n, f in FOLDS.items()),
    ]


@pytest.mark.parametrize("batch", [1, 500])
def test_whatever_a_function_does_stops_its_view_at_its_event_and_no_other(
    ledger: Any, batch: int
) -> None:
    views = views_of(ledger, *strange(), TALLY, batch_events_max=batch)
    answers = ledger.append("s", [counted("x"), counted("x"), counted("x")])
    with pytest.raises(ProjectionFailed):
        views.catch_up()
    found = {view.projection: view for view in views.status().views}
    assert found["tally"].failures == ()
    [row] = views.rows("tally", "s")
    assert row.sequences == [1, 2, 3]
    for projection in strange():
        [failure] = found[projection.name].failures
        at = 0 if projection.name == "apply_tuple" else 1
        assert failure.event_id == answers[at].event.event_id, projection.name
        rows = views.rows(projection.name, "s", consistency="eventual")
        assert [row.sequences for row in rows] == ([[1]] if at else []), projection.name


class Count(msgspec.Struct, frozen=True):
    """A row of nothing but text and a number."""

    tenant: str
    session_id: str
    name: str
    count: int = 0


@pytest.mark.parametrize("batch", [1, 500])
@pytest.mark.parametrize("wrong", [Other("", "s", "x"), Count("", "s", "y")], ids=repr)
def test_what_is_no_row_of_its_key_stops_its_view_though_the_next_event_makes_one(
    ledger: Any, wrong: Any, batch: int
) -> None:
    def apply(view: Any, event: Event) -> Any:
        return wrong if event.sequence == 2 else Count("", "s", "x", event.sequence)

    views = views_of(
        ledger, msgspec.structs.replace(TALLY, view=Count, apply=apply), batch_events_max=batch
    )
    answers = ledger.append("s", [counted("x"), counted("x"), counted("x")])
    with pytest.raises(ProjectionFailed) as caught:
        views.catch_up()
    assert caught.value.position == answers[1].event.position
    assert views.rows("tally", "s", consistency="eventual") == [Count("", "s", "x", 1)]


class Small(msgspec.Struct, frozen=True):
    """A part of a view, as it was."""

    a: int


class Large(msgspec.Struct, frozen=True):
    """The same part with a required field more."""

    a: int
    b: int


def parts(part: Any) -> Projection:
    """Return a projection whose rows hold a struct."""
    view = msgspec.defstruct(
        "Parts",
        [("tenant", str), ("session_id", str), ("name", str), ("part", type(part)), ("n", int, 0)],
        frozen=True,
    )

    def apply(before: Any, event: Event) -> Any:
        count = 1 if before is None else before.n + 1
        return view(event.tenant, event.session_id, event.data["name"], part, count)

    return Projection(
        name="parts",
        version=1,
        view=view,
        key=("tenant", "session_id", "name"),
        keys=tally_keys,
        apply=apply,
        types=frozenset({"thing.counted"}),
    )


@pytest.mark.filterwarnings("ignore::projections.FoldChanged")  # which it is, on purpose
def test_a_row_that_cannot_be_read_stops_its_view_where_it_is_wanted(ledger: Any) -> None:
    views_of(ledger, parts(Small(1)), TALLY).catch_up()
    ledger.append("s", counted("x"))
    views_of(ledger, parts(Small(1)), TALLY).catch_up()
    ledger.append("s", dropped("z"))
    ledger.append("s", counted("y"))
    answer = ledger.append("s", counted("x"))
    views = views_of(ledger, parts(Large(1, 2)), TALLY)
    with pytest.raises(ProjectionFailed, match="`b`") as caught:
        views.catch_up()
    assert caught.value.position == answer.event.position
    status = views.status()
    [failure] = [failure for view in status.views for failure in view.failures]
    assert (status.healthy, failure.position) == (False, answer.event.position)
    views.skip(
        "parts",
        bucket=failure.bucket,
        position=failure.position,
        reason="the row is unreadable",
        by="test",
    )
    views.catch_up()
    assert views.status().healthy
