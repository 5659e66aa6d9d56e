"""What the tests of the views are written with: small projections, and a fold to compare with."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

import msgspec

from ledger import Event, NewEvent
from projections import AsyncViews, Projection, Views
from tests.support.blocking import Blocking

DELETED = "session.deleted"


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How often something was counted in a session, in two ways that must agree."""

    tenant: str
    session_id: str
    name: str
    count: int = 0
    sequences: list[int] = msgspec.field(default_factory=list)


def counted(name: str = "x", **header: Any) -> NewEvent:
    """Return an event that a tally counts."""
    return NewEvent({"name": name}, "thing.counted", **header)


def dropped(name: str = "x") -> NewEvent:
    """Return an event that takes a tally away."""
    return NewEvent({"name": name}, "thing.dropped")


def tally_keys(event: Event) -> list[tuple[str, ...]]:
    """Return one row per name; a name with several letters touches one for each of them."""
    return [(event.tenant, event.session_id, letter) for letter in event.data["name"]]


def tally_apply(view: Tally | None, event: Event) -> Tally | None:
    """Count one more; only events with a single letter create or drop a row."""
    if event.type == "thing.dropped":
        return None
    if view is None:
        if len(event.data["name"]) > 1:
            return None
        view = Tally(tenant=event.tenant, session_id=event.session_id, name=event.data["name"])
    return msgspec.structs.replace(
        view, count=view.count + 1, sequences=[*view.sequences, event.sequence]
    )


def tally(
    name: str = "tally", apply: Callable[[Any, Event], Any] = tally_apply, version: int = 1
) -> Projection:
    """Return a projection of tallies, with a fold of its own if given."""
    return Projection(
        name=name,
        version=version,
        view=Tally,
        key=("tenant", "session_id", "name"),
        keys=tally_keys,
        apply=apply,
        indexes=(("tenant", "name"),),
        types=frozenset({"thing.counted", "thing.dropped"}),
    )


TALLY = tally()


class Part(msgspec.Struct, frozen=True):
    """A struct inside a view."""

    number: int
    text: str | None = None


class Everything(msgspec.Struct, frozen=True, kw_only=True):
    """A column of every kind, needed and optional."""

    tenant: str
    session_id: str
    text: str
    choice: Literal["a", "b"]
    integer: int
    real: float
    boolean: bool
    moment: datetime
    part: Part
    mapping: dict[str, Any]
    listed: tuple[int, ...]
    order: str = "a word that SQL keeps for itself"
    text_or_none: str | None = None
    integer_or_none: int | None = None
    real_or_none: float | None = None
    boolean_or_none: bool | None = None
    moment_or_none: datetime | None = None
    part_or_none: Part | None = None
    anything: Any = None


class OwnMoment(datetime):
    """As libraries for dates have them, each a class of its own."""


HALF_AN_HOUR_WEST = timezone(-timedelta(minutes=30))
SAMPLE = Everything(
    tenant="",
    session_id="s",
    text="it's",
    choice="a",
    integer=-5,
    real=0.5,
    boolean=True,
    moment=datetime(2026, 1, 2, 3, 4, 5, 6, HALF_AN_HOUR_WEST),
    part=Part(1),
    mapping={"k": [1.5]},
    listed=(1, 2),
)


def everything(views: Callable[[Event], Everything]) -> Projection:
    """Return a projection whose row is whatever a function makes of an event."""
    return Projection(
        name="everything",
        version=1,
        view=Everything,
        key=("tenant", "session_id"),
        keys=lambda event: [(event.tenant, event.session_id)],
        apply=lambda view, event: views(event),
        types=frozenset({"thing.seen"}),
    )


def views_of(ledger: Any, *projections: Projection, **options: Any) -> Any:
    """Open the views of a ledger of either style; all built-in ones unless some are named."""
    if projections:
        options["projections"] = projections
    if isinstance(ledger, Blocking):
        return Blocking(AsyncViews(ledger._target, **options), ledger._loop)
    return Views(ledger, **options)


def answer(views: Any, reader: str, *args: Any, **options: Any) -> Any:
    """Ask one of the views' readers for an answer with its positions."""
    # In the loop the async reader itself is called, not the one that waits for the loop.
    ask = getattr(views._target if isinstance(views, Blocking) else views, reader)
    return views.answer(ask, *args, **options)


def folded(projection: Projection, events: Iterable[Event]) -> dict[tuple[str, ...], Any]:
    """Fold events one by one in memory: what the tables must be equal to."""
    rows: dict[tuple[str, ...], Any] = {}
    for event in events:
        if event.type == DELETED:
            session = (event.tenant, event.session_id)
            rows = {key: view for key, view in rows.items() if key[:2] != session}
        elif projection.types is None or event.type in projection.types:
            for key in projection.keys(event):
                view = projection.apply(rows.get(key), event)
                rows.pop(key, None)
                if view is not None:
                    rows[key] = view
    # Readers leave out the rows that only keep the anomalies of what is not there.
    return {key: view for key, view in rows.items() if not getattr(view, "missing_since", None)}


def stored(views: Any, projection: Projection, session_id: str, **options: Any) -> dict[Any, Any]:
    """Return a session's rows of a projection by their keys."""
    found = views.rows(projection.name, session_id, **options)
    return {tuple(getattr(view, name) for name in projection.key): view for view in found}


class Poisoned:
    """The tally's fold, which refuses one sequence as long as it is `broken`."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        self.broken = True

    def __call__(self, view: Any, event: Event) -> Any:
        if self.broken and event.sequence == self.sequence:
            raise ZeroDivisionError("poison")
        return tally_apply(view, event)


def all_pages(read: Any, limit: int, **options: Any) -> list[Any]:
    """What the pages of a list have together."""
    found: list[Any] = []
    cursor = None
    while True:
        page = read(limit=limit, cursor=cursor, **options)
        found += page.items
        if page.cursor is None:
            return found
        assert len(page.items) == limit
        cursor = page.cursor
