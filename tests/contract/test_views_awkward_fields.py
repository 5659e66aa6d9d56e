"""Fields of every type that JSON has no word for: all ways of reading give what the fold made."""

import enum
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from ledger import NewEvent
from projections import Projection
from tests.support.views import views_of


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Renamed(msgspec.Struct, frozen=True, rename="camel"):
    first_name: str


class Cat(msgspec.Struct, frozen=True, tag=True):
    lives: int


class Dog(msgspec.Struct, frozen=True, tag=True):
    name: str


class Pair(msgspec.Struct, frozen=True, array_like=True):
    left: int
    right: str = "r"


class Awkward(msgspec.Struct, frozen=True, kw_only=True):
    """What a view may have in its fields besides what columns are made for."""

    tenant: str
    session_id: str
    day: date = date(2026, 2, 3)
    hour: time = time(4, 5, 6, 7)
    length: timedelta = timedelta(days=-1, microseconds=1)
    id: UUID = UUID(int=2**127)
    price: Decimal = Decimal("1.50")
    content: bytes = b"\x00\xff"
    colour: Colour = Colour.RED
    level: Level = Level.HIGH
    renamed: Renamed = Renamed('\\"\u202e\U0001f600')
    pet: Cat | Dog = Dog("d'og")
    other_pet: Cat | Dog | None = Cat(9)
    pair: Pair = Pair(2**63 - 1)
    several: tuple[int, str, float] = (-(2**63), "1e16", 1e16)
    names: frozenset[str] = frozenset({"b", "a"})
    by_number: dict[int, dict[int, str]] = {}
    by_id: dict[UUID, set[int]] = {}
    either: int | str | None = "5"
    anything: Any = None


def test_all_ways_of_reading_give_what_the_fold_made(ledger: Any) -> None:
    made = {
        session: Awkward(
            tenant="",
            session_id=session,
            by_number={10: {2: "x", 1: "y"}, 9: {}},
            by_id={UUID(int=1): {3, 1, 2}},
            anything=anything,
        )
        for session, anything in (("s", None), ("t", {"\\u0000": [None, 2**64 - 1, 5e-324, True]}))
    }
    projection = Projection(
        name="awkward",
        version=1,
        view=Awkward,
        key=("tenant", "session_id"),
        keys=lambda event: [(event.tenant, event.session_id)],
        apply=lambda view, event: made[event.session_id],
        types=frozenset({"thing.seen"}),
    )
    views = views_of(ledger, projection)
    for session, view in made.items():
        ledger.append(session, NewEvent({}, "thing.seen"))
        key = ("", session)
        found = [
            views.row_at_head("awkward", key).view,
            views.row("awkward", key),  # which folds the event
            views.row("awkward", key),
            views.row("awkward", key, consistency="eventual"),
            views.row("awkward", key, as_of=1),
            *views.rows("awkward", session),
            *views.together(session, ["awkward"])["awkward"],
            *views.together_many([session], ["awkward"])[session]["awkward"],
        ]
        assert found == [view] * 8
        # 1 == 1.0 == True, but they are not spelled alike.
        assert {repr(one.several) + repr(one.either) for one in found} == {
            repr(view.several) + repr(view.either)
        }
