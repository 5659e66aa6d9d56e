"""Tables derived from structs, and the parity of the two faces of the views."""

import enum
import inspect
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest

from ledger import InvalidArgument
from projections import AsyncViews, Index, Views
from projections.backends.base import AsyncViewBackend, ViewBackend
from projections.backends.postgres.exact import exact_numbers
from projections.builtin import BUILTIN
from projections.engine.tables import Kind, Table
from tests.support.views import SAMPLE, TALLY, everything, tally_apply


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.Enum):
    HIGH = 3


class Kinds(msgspec.Struct, frozen=True):
    tenant: str
    choice: Literal["a", "b"]
    noted: Annotated[int | None, "note"]
    either: int | str
    numbers: Literal[1, 2]
    maybe: float | None
    flag: bool
    moment: datetime | None
    nested: dict[str, Any] | None
    anything: Any
    colour: Annotated[Colour, "note"]
    level: Level | None
    id: Annotated[UUID, "note"] | None
    day: date
    hour: time
    length: timedelta
    price: Decimal
    content: bytes
    mixed: Literal[1, "a"]
    truth: Literal[True]
    several: list[Colour]


def with_view(view: type, key: tuple[str, ...] = ("tenant",)) -> Any:
    return msgspec.structs.replace(TALLY, view=view, key=key, indexes=())


def test_every_annotation_has_its_kind_of_column() -> None:
    table = Table(with_view(Kinds))
    assert [(column.name, column.kind, column.optional) for column in table.columns] == [
        ("tenant", Kind.TEXT, False),
        ("choice", Kind.TEXT, False),
        ("noted", Kind.INTEGER, True),
        ("either", Kind.JSON, False),
        ("numbers", Kind.INTEGER, False),
        ("maybe", Kind.REAL, True),
        ("flag", Kind.BOOLEAN, False),
        ("moment", Kind.MOMENT, True),
        ("nested", Kind.JSON, True),
        ("anything", Kind.JSON, True),
        ("colour", Kind.TEXT, False),
        ("level", Kind.INTEGER, True),
        ("id", Kind.TEXT, True),
        ("day", Kind.TEXT, False),
        ("hour", Kind.TEXT, False),
        ("length", Kind.TEXT, False),
        ("price", Kind.TEXT, False),
        ("content", Kind.TEXT, False),
        ("mixed", Kind.JSON, False),
        ("truth", Kind.JSON, False),
        ("several", Kind.JSON, False),
    ]


@pytest.mark.parametrize("projection", BUILTIN, ids=lambda projection: projection.name)
def test_built_in_projections_have_tables(projection: Any) -> None:
    table = Table(projection)
    assert table.name == f"view_{projection.name}_v{projection.version}"
    assert table.of_sessions
    # Rereading what they make costs a tenth of all folding; test_folds_any_order does it instead.
    assert table.reloading is None
    assert Table(msgspec.structs.replace(projection, apply=tally_apply)).reloading is not None


@pytest.mark.parametrize(
    ("view", "key"),
    [
        (msgspec.defstruct("V", [("bucket", str)], frozen=True), ("bucket",)),
        (
            msgspec.defstruct("V", [("tenant", str), ("search_words", str)], frozen=True),
            ("tenant",),
        ),
        (msgspec.defstruct("V", [("Tenant", str)], frozen=True), ("Tenant",)),
        (msgspec.defstruct("V", [("x" * 59, str)], frozen=True), ("x" * 59,)),
        (msgspec.defstruct("V", [("tenant", str)], frozen=True), ("missing",)),
        (msgspec.defstruct("V", [("tenant", str)], frozen=True), ()),
        (msgspec.defstruct("V", [("tenant", int)], frozen=True), ("tenant",)),
        (msgspec.defstruct("V", [("tenant", str | None)], frozen=True), ("tenant",)),
        (msgspec.defstruct("V", [("tenant", Colour)], frozen=True), ("tenant",)),
    ],
)
def test_what_cannot_be_a_table_is_refused(view: type, key: tuple[str, ...]) -> None:
    with pytest.raises(InvalidArgument):
        Table(with_view(view, key))


@pytest.mark.parametrize(
    "declared",
    [
        {"searchable": ("missing",)},
        {"searchable": ("flag",)},
        {"searchable": ("choice",)},
        {"members": ("choice",)},
        {"indexes": (Index(("missing",)),)},
        {"indexes": (Index(("tenant",), present="missing"),)},
        {"indexes": (Index(("tenant",), present="noted", positive="noted"),)},
    ],
)
def test_what_cannot_be_found_by_is_refused(declared: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        Table(msgspec.structs.replace(with_view(Kinds), **declared))


def test_only_a_view_of_tenants_with_a_time_is_searchable() -> None:
    fields = [("tenant", str), ("session_id", str), ("text", str), ("created_at", datetime)]
    for missing in ("tenant", "created_at", "none"):
        view = msgspec.defstruct(
            "V", [field for field in fields if field[0] != missing], frozen=True
        )
        definition = with_view(view, key=("session_id",))
        searched = msgspec.structs.replace(definition, searchable=("text",))
        if missing == "none":
            row = ("a", "s", "one two one", datetime(2026, 1, 1))
            found = Table(searched).words
            assert found is not None
            assert found.of(row)[2:] == ("one", "two")
            assert found.of((*row[:2], "!", row[3])) == ()
        else:
            with pytest.raises(InvalidArgument, match=missing):
                Table(searched)


def test_indexes_of_one_session_are_led_by_its_bucket() -> None:
    lists = msgspec.structs.replace(
        TALLY, indexes=(("tenant", "session_id", "count"), ("tenant", "name"))
    )
    assert [index.fields for index in Table(lists).indexes.values()] == [
        ("bucket", "tenant", "session_id", "count"),
        ("tenant", "name"),
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", 1),
        ("text", None),
        ("integer", 2**63),
        ("integer", True),
        ("integer", 1.0),
        ("real", float("nan")),
        ("real", "1"),
        ("boolean", 1),
        ("moment", datetime(2026, 1, 1)),
        ("moment", "2026-01-01"),
        ("anything", object()),
    ],
)
def test_a_value_of_another_type_is_refused_by_its_field(field: str, value: Any) -> None:
    table = Table(everything(lambda event: SAMPLE))
    with pytest.raises(ValueError, match=f"field {field}"):
        table.encode(msgspec.structs.replace(SAMPLE, **{field: value}))


class Undecided(msgspec.Struct, frozen=True):
    """Neither true nor false."""

    def __bool__(self) -> bool:
        raise RuntimeError("ask nobody")


def test_values_of_known_types_are_looked_at_as_those_of_new_ones_are() -> None:
    def table() -> Table:
        return Table(everything(lambda event: SAMPLE))

    used = table()
    used.encode(SAMPLE)
    wrong: list[tuple[str, Any]] = [
        ("text", "a\0b"),
        ("text", "\ud800"),
        ("integer", 2**63),
        ("integer", -(2**63) - 1),
        ("real", float("inf")),
        ("moment", datetime(2026, 1, 1)),
        ("mapping", {"k": "a\0b"}),
        ("mapping", {"k": float("nan")}),
    ]
    for field, value in wrong:
        view = msgspec.structs.replace(SAMPLE, **{field: value})
        with pytest.raises(ValueError, match=f"field {field}"):
            used.encode(view)
    right: list[tuple[str, Any]] = [
        ("text", "é"),
        ("integer", 2**63 - 1),
        ("integer", -(2**63)),
        ("real", -0.0),
        ("moment", datetime(2026, 1, 1, tzinfo=UTC)),
        ("mapping", {}),
        ("mapping", {"b": -0.0, "a": None}),
        ("listed", ()),
        ("anything", Undecided()),
        ("anything", Undecided()),  # whose type is known by now
    ]
    for field, value in right:
        view = msgspec.structs.replace(SAMPLE, **{field: value})
        assert repr(used.encode(view)) == repr(table().encode(view))


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("1e16", "10000000000000000.0"),
        ("-1.5e+17", "-150000000000000000.0"),
        ("[5e-324]", f"[0.{'0' * 323}5]"),
        ('{"1e5":"a\\"1e5","b":1e2}', '{"1e5":"a\\"1e5","b":100.0}'),
        ('["\\\\",1e2,"1e2"]', '["\\\\",100.0,"1e2"]'),
        ("[1,2.5,true]", "[1,2.5,true]"),
    ],
)
def test_exponents_are_written_out_outside_of_strings(text: str, exact: str) -> None:
    assert exact_numbers(text) == exact


def methods(cls: type) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(cls).items()
        if inspect.isfunction(value) and (name == "__init__" or not name.startswith("_"))
    }


def parameters(method: Any) -> list[tuple[str, Any, Any]]:
    signature = inspect.signature(method).parameters.values()
    return [(parameter.name, parameter.kind, parameter.default) for parameter in signature]


def test_both_faces_have_the_same_methods_arguments_and_docstrings() -> None:
    sync, asynchronous = methods(Views), methods(AsyncViews)
    assert list(sync) == list(asynchronous)
    for name, method in sync.items():
        twin = asynchronous[name]
        assert parameters(method) == parameters(twin)
        assert inspect.getdoc(method) == inspect.getdoc(twin)
        assert inspect.iscoroutinefunction(twin) == (name != "__init__")


def test_both_storage_protocols_have_the_same_methods() -> None:
    sync, asynchronous = methods(ViewBackend), methods(AsyncViewBackend)
    assert list(sync) == list(asynchronous)
    for name, method in sync.items():
        assert parameters(method) == parameters(asynchronous[name])
