"""Which rows are read from JSON documents, and that the others come back from their columns."""

import enum
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from ledger import Ledger
from projections import Projection, Views
from projections.backends.sqlite.statements import DOCUMENT_COLUMNS_MAX
from projections.engine.row_documents import document_reader
from projections.engine.tables import Table
from tests.support.builders import note

MOMENT = datetime(1, 1, 1, 0, 0, 0, 7, UTC)


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Plain(msgspec.Struct, frozen=True, kw_only=True):
    tenant: str
    session_id: str
    flag: bool
    maybe: bool | None
    unsure: bool | None
    real: float
    moment: datetime | None
    nothing: list[int] | None
    pair: tuple[int, str]
    colour: Colour
    level: Level
    id: UUID | None
    day: date | None
    number: Literal[1, 2] | None
    anything: Any = "default"


class Renamed(msgspec.Struct, frozen=True, rename="camel"):
    tenant: str
    session_id: str


class Tagged(msgspec.Struct, frozen=True, tag="t"):
    tenant: str
    session_id: str


class Listed(msgspec.Struct, frozen=True, array_like=True):
    tenant: str
    session_id: str


class Bounded(msgspec.Struct, frozen=True):
    tenant: str
    session_id: str
    count: Annotated[int, msgspec.Meta(ge=10)] = 3


class BoundedList(msgspec.Struct, frozen=True):
    tenant: str
    session_id: str
    items: Annotated[list[int] | None, msgspec.Meta(min_length=5)] = msgspec.field(
        default_factory=lambda: [1]
    )


class Chosen(msgspec.Struct, frozen=True):
    tenant: str
    session_id: str
    word: Literal["a", "b"] = "neither"  # type: ignore[assignment]  # what a fold may do


class Finished(msgspec.Struct, frozen=True):
    tenant: str
    session_id: str

    def __post_init__(self) -> None:
        made.append(self.session_id)


SPECIAL: list[Any] = [Renamed, Tagged, Listed, Bounded, BoundedList, Chosen, Finished]
PLAIN: dict[str, Any] = {
    "flag": True,
    "maybe": False,
    "unsure": None,
    "real": 0.1,
    "moment": MOMENT,
    "nothing": None,
    "pair": (7, 'quo"te'),
    "colour": Colour.RED,
    "level": Level.HIGH,
    "id": UUID(int=5),
    "day": None,
    "number": 2,
    "anything": None,
}
made: list[str] = []


def projection(view: type[Any], **values: Any) -> Projection:
    """Return the projection that makes such a view of every session."""
    return Projection(
        name=view.__name__.lower(),
        version=1,
        view=view,
        key=("tenant", "session_id"),
        keys=lambda event: ((event.tenant, event.session_id),),
        apply=lambda _, event: (
            view(event.tenant, event.session_id)
            if not values
            else view(tenant=event.tenant, session_id=event.session_id, **values)
        ),
    )


def test_every_struct_comes_back_as_it_was_made_whatever_reads_it(tmp_path: Path) -> None:
    plain = projection(Plain, **PLAIN)
    special = [projection(view) for view in SPECIAL]
    assert document_reader(Table(plain)) is not None
    assert [document_reader(Table(one)) for one in special] == [None] * len(SPECIAL)
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        ledger.append("s", note("one"))
        views = Views(ledger, projections=[plain, *special])
        for _ in range(2):  # with something to fold, and with nothing
            found = views.row("plain", ("", "s"))
            assert repr(found) == repr(Plain(tenant="", session_id="s", **PLAIN))
            assert views.rows("plain", "s") == [found]
            for view in SPECIAL:
                assert views.row(view.__name__.lower(), ("", "s")) == view("", "s")


def test_a_wide_row_is_read_as_any_other(tmp_path: Path) -> None:
    kinds: list[tuple[Any, Any]] = [(list[int], [1]), (bool, True), (int, 7)]
    wide = []
    for count in (DOCUMENT_COLUMNS_MAX, DOCUMENT_COLUMNS_MAX + 1):
        for kind, value in kinds:
            values = {f"f{number}": value for number in range(count - 2)}
            fields = [("tenant", str), ("session_id", str), *((name, kind) for name in values)]
            view = msgspec.defstruct(f"Wide{len(wide)}", fields, frozen=True)
            wide.append((projection(view, **values), value))
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        ledger.append("s", note("one"))
        views = Views(ledger, projections=[made for made, _ in wide])
        for _ in range(2):  # with something to fold, and with nothing
            for made, value in wide:
                found = views.row(made.name, ("", "s"))
                tenant, session_id, *values = msgspec.structs.astuple(found)
                assert (tenant, session_id) == ("", "s")
                assert repr(values) == repr([value] * len(values))


def test_what_is_empty_is_nobody_elses(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        ledger.append("s", note("one"))
        views = Views(ledger)
        for _ in range(3):
            session = views.session("s")
            assert session is not None
            assert session.tags == []
            assert session.metadata == {}
            session.tags.append("mine")
            session.metadata["mine"] = True
