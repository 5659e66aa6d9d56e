"""Fields that are one text or integer to everybody stand in their columns as that, and come back."""

import enum
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import apsw
import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import Event, NewEvent
from projections import Index, Projection, ProjectionFailed, Rebuild, TableMismatch
from tests.support.builders import on_durable, only_sync
from tests.support.views import TALLY, counted, views_of

pytestmark = pytest.mark.usefixtures("new_database")


class Colour(enum.Enum):
    RED = "red"
    QUOTED = 'it\'s "é"'
    EMPTY = ""


class Size(enum.StrEnum):
    LARGE = "large"
    SMALL = "small"


class Level(enum.IntEnum):
    HIGH = 3
    LOW = -(2**63)


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Unstorable(enum.Enum):
    """Members that a table can keep, and others that none can."""

    FINE = "fine"
    NUL = "a\0b"
    SURROGATE = "\ud800"


class Huge(enum.Enum):
    FINE = 1
    HUGE = 2**70


class Long(enum.StrEnum):
    SHORT = "short"
    LONG = "".join(map(str, range(1_000)))


class Spelled(msgspec.Struct, frozen=True, kw_only=True):
    """A field of every such type, needed and optional, and what a fold has seen of them."""

    tenant: str
    session_id: str
    colour: Colour = Colour.RED
    size: Size = Size.LARGE
    level: Level = Level.HIGH
    rights: Rights = Rights.READ | Rights.WRITE
    number: Literal[1, 2] = 2
    id: UUID = UUID(int=5)
    day: date = date(2026, 1, 2)
    hour: time = time(1, 2, 3)
    length: timedelta = timedelta(seconds=5)
    price: Decimal = Decimal("1.10")
    content: bytes = b"ab"
    colour_or_none: Colour | None = None
    level_or_none: Level | None = None
    number_or_none: Literal[1, 2] | None = None
    id_or_none: UUID | None = None
    day_or_none: date | None = None
    seen: str = ""


#: What sqlite3 and psql read in the columns of a row with nothing but defaults.
PLAIN = {
    "colour": "red",
    "size": "large",
    "level": 3,
    "rights": 3,
    "number": 2,
    "id": "00000000-0000-0000-0000-000000000005",
    "day": "2026-01-02",
    "hour": "01:02:03",
    "length": "PT5S",
    "price": "1.10",
    "content": "YWI=",
    "colour_or_none": None,
    "level_or_none": None,
    "number_or_none": None,
    "id_or_none": None,
    "day_or_none": None,
}


def seen(*event_id: str, **data: Any) -> NewEvent:
    """Return an event that makes a row."""
    return NewEvent(data, "thing.seen", *event_id)


def spelled(make: Callable[[Any, Event], dict[str, Any]], **declared: Any) -> Projection:
    """Return a projection whose rows have the values that a function makes of an event."""
    view = declared.setdefault("view", Spelled)
    return Projection(
        **{"name": "spelled", "version": 1, "key": ("tenant", "session_id")} | declared,
        keys=lambda event: [(event.tenant, event.session_id)],
        apply=lambda before, event: view(
            tenant=event.tenant, session_id=event.session_id, **make(before, event)
        ),
        types=frozenset({"thing.seen"}),
    )


def asked(url: str, statement: str) -> list[Any]:
    """Return what another program reads."""
    if url.startswith("sqlite"):
        return apsw.Connection(url.removeprefix("sqlite:///")).execute(statement).fetchall()
    with psycopg.connect(url, options="-c search_path=ledger") as connection:
        return connection.execute(statement.encode()).fetchall()


@on_durable
@only_sync
def test_other_programs_read_them_as_everybody_writes_them(ledger: Any, url: str) -> None:
    ledger.append("s", seen())
    views_of(ledger, spelled(lambda *_: {})).catch_up()
    [row] = asked(url, f"SELECT {', '.join(PLAIN)} FROM view_spelled_v1")
    assert dict(zip(PLAIN, row, strict=True)) == PLAIN
    for name, value in PLAIN.items():
        condition = "IS NULL" if value is None else f"= {value!r}"
        count = asked(url, f"SELECT count(*) FROM view_spelled_v1 WHERE {name} {condition}")
        assert count == [(1,)], name
    later = "SELECT session_id FROM view_spelled_v1 WHERE day >= '2026-01-01' AND level > 2"
    assert asked(url, later) == [("s",)]


#: What is made of which event.
MADE: dict[str, dict[str, Any]] = {}
# Which of two equal hours is meant when clocks are put back, no text says.
times = st.times(timezones=st.sampled_from([None, UTC])).map(lambda one: one.replace(fold=0))
numbers = st.none() | st.sampled_from([1, 2])
rows = st.fixed_dictionaries(
    {
        "colour": st.sampled_from(Colour),
        "size": st.sampled_from(Size),
        "level": st.sampled_from(Level),
        "rights": st.sampled_from([Rights(0), Rights.READ, Rights.READ | Rights.WRITE]),
        "number": st.sampled_from([1, 2]),
        "id": st.uuids(),
        "day": st.dates(),
        "hour": times,
        "length": st.timedeltas(),
        "price": st.decimals(allow_nan=False),
        "content": st.binary(max_size=9),
        "colour_or_none": st.none() | st.sampled_from(Colour),
        "level_or_none": st.none() | st.sampled_from(Level),
        "number_or_none": numbers,
        "id_or_none": st.none() | st.uuids(),
        "day_or_none": st.none() | st.dates(),
    }
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(made=rows)
def test_all_ways_of_reading_give_what_the_fold_made(ledger: Any, made: dict[str, Any]) -> None:
    views = views_of(ledger, spelled(lambda _, event: MADE[event.event_id]))
    answer = ledger.append("s", seen())
    MADE[answer.event.event_id], at = made, answer.event.sequence
    key, view = ("", "s"), Spelled(tenant="", session_id="s", **made)
    found = [
        views.row_at_head("spelled", key).view,
        views.row("spelled", key),  # which folds the event
        views.row("spelled", key),
        views.row("spelled", key, consistency="eventual"),
        views.row("spelled", key, as_of=at),
        *views.rows("spelled", "s"),
        *views.together("s", ["spelled"])["spelled"],
        *views.together_many(["s"], ["spelled"])["s"]["spelled"],
    ]
    # A StrEnum equals its text, and 1 a Level; what they are shows.
    assert list(map(repr, found)) == [repr(view)] * 8


def test_a_fold_sees_the_same_values_wherever_pages_end(ledger: Any) -> None:
    def make(before: Spelled | None, event: Event) -> dict[str, Any]:
        known = [getattr(before, name) for name in PLAIN] if before else []
        if event.data["number"] % 2:
            return {"seen": repr(known), "id": OwnUUID(int=7)}
        return {"seen": repr(known), "colour_or_none": Colour.QUOTED, "level": Level.LOW}

    for version, batch in ((1, 1), (2, 500)):
        projection = spelled(make, name=f"batch{batch}", version=version)
        views = views_of(ledger, projection, batch_events_max=batch)
        if version == 1:
            # Of few, rows are made one by one, and of many column by column.
            for session in range(40):
                events = [seen(number=number) for number in range(3)]
                ledger.append(f"s{session}", events)
        views.catch_up()
    views = views_of(
        ledger, spelled(make, name="batch1"), spelled(make, name="batch500", version=2)
    )
    for session in range(40):
        [small], [large] = (views.rows(f"batch{batch}", f"s{session}") for batch in (1, 500))
        assert repr(small) == repr(large)
        assert "OwnUUID" not in small.seen
        assert "Level.LOW" in views.row("batch1", ("", f"s{session}"), as_of=2).seen + small.seen


@only_sync
def test_a_rebuild_equals_what_incremental_folding_made(ledger: Any) -> None:
    def make(before: Spelled | None, event: Event) -> dict[str, Any]:
        colour = [*Colour][event.sequence % 3]
        return {"colour": colour, "seen": f"{before and before.colour}", "id": OwnUUID(int=7)}

    old, new = spelled(make), spelled(make, version=2)
    views_of(ledger, old).catch_up()
    views = views_of(ledger, old, new, batch_events_max=2)
    for _ in range(7):
        ledger.append("s", seen())
        views.catch_up()
    assert Rebuild(ledger, new).run().built
    found = views.compare("spelled", old=1, new=2)
    assert (found.differences, found.old_checksum) == ((), found.new_checksum)


class OwnUUID(UUID):
    """As drivers of databases have it."""


class Other(enum.Enum):
    RED = "red"


WRONG: dict[str, dict[str, Any]] = {
    "a text": {"colour": "red"},
    "a text of a StrEnum": {"size": "large"},
    "a member of another class": {"colour": Other.RED},
    "an integer": {"level": 3},
    "another integer": {"number": 3},
    "True": {"number": True},
    "a text of a UUID": {"id": str(UUID(int=5))},
    "a text of a day": {"day": "2026-01-02"},
    "a moment": {"day": datetime(2026, 1, 2, tzinfo=UTC)},
    "a float": {"price": 1.1},
    "a text of bytes": {"content": "ab"},
    "None": {"colour": None},
    "None for a day": {"day": None},
    "a text where None may be": {"colour_or_none": "red"},
    "a list": {"id_or_none": []},
}


def stops(ledger: Any, projection: Projection, fine: dict[str, Any], *then: NewEvent) -> None:
    """Find a view stopped at its second event, whose row is as the first one made it."""
    views = views_of(ledger, projection, TALLY)
    ledger.append("s", [seen(), seen("wrong", wrong=1), *then, counted()])
    with pytest.raises(ProjectionFailed) as caught:
        views.catch_up()
    assert caught.value.event_id == "wrong"
    assert len(views.rows("tally", "s")) == 1
    [row] = views.rows("spelled", "s", consistency="eventual")
    assert repr(row) == repr(projection.view(tenant="", session_id="s", **fine))


@pytest.mark.parametrize("name", WRONG)
def test_a_value_of_another_type_stops_the_view_at_its_event(ledger: Any, name: str) -> None:
    # None is found where a row is made, the others where the next event finds them, too.
    then = [] if None in WRONG[name].values() else [seen()]
    stops(ledger, spelled(lambda _, event: WRONG[name] if event.data else {}), {}, *then)


@pytest.mark.parametrize("wrong", [Unstorable.NUL, Unstorable.SURROGATE, Huge.HUGE, Long.LONG])
def test_a_member_that_no_table_can_keep_stops_the_view_at_its_event(
    ledger: Any, wrong: Any
) -> None:
    type_ = type(wrong)
    fields: list[Any] = [("tenant", str), ("session_id", str), ("value", type_)]
    view = msgspec.defstruct("View", fields, frozen=True)
    fine = {"value": next(iter(type_))}
    projection = spelled(
        lambda _, event: {"value": wrong} if event.data else fine,
        view=view,
        indexes=(Index(("tenant", "value")),),
    )
    stops(ledger, projection, fine, *([] if wrong is Long.LONG else [seen()]))


@on_durable
@only_sync
@pytest.mark.parametrize(("type_", "value"), [(Colour, Colour.RED), (Level, Level.HIGH)])
def test_a_table_that_has_them_as_json_is_told_from_one_that_has_not(
    ledger: Any, url: str, type_: Any, value: Any
) -> None:
    def projection(hint: Any, version: int = 1) -> Projection:
        fields: list[Any] = [("tenant", str), ("session_id", str), ("value", hint)]
        view = msgspec.defstruct("View", fields, frozen=True)
        return spelled(lambda *_: {"value": value}, view=view, version=version)

    views_of(ledger, projection(list[type_])).catch_up()  # another type that is JSON
    ledger.append("s", seen())
    with pytest.raises(TableMismatch, match="was made for other columns") as caught:
        views_of(ledger, projection(type_)).catch_up()
    assert "value" in str(caught.value.missing)
    assert "value" in str(caught.value.surplus)
    assert views_of(ledger, projection(type_, 2)).row("spelled", ("", "s")).value is value
