"""What many views become at once is what each becomes by itself; so is what is refused."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ledger.events import Event
from projections import Index, Projection
from projections.engine.row_encoding import BY_COLUMN_FROM
from projections.engine.tables import Table
from tests.properties.profile import examples


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A field of each kind, with and without None."""

    tenant: str
    name: str | None
    count: int
    number: int | None
    share: float
    part: float | None
    flag: bool
    mark: bool | None
    at: datetime
    until: datetime | None
    named: dict[str, Any]
    listed: list[Any] | None
    anything: Any


def apply(view: Sample | None, event: Event) -> Sample | None:
    """Fold nothing."""
    return view


SAMPLES = Projection(
    name="samples",
    version=1,
    view=Sample,
    key=("tenant",),
    keys=lambda event: (),
    apply=apply,
    indexes=(Index(("tenant", "name"), present="number"), ("name", "count")),
)


def apply_known(view: Sample | None, event: Event) -> Sample | None:
    """Fold nothing, as one of the views that every ledger has."""
    return view


apply_known.__module__ = "projections.folds.samples"
TABLE = Table(SAMPLES)
TABLES = [TABLE, Table(msgspec.structs.replace(SAMPLES, apply=apply_known))]
TEXT = st.sampled_from(["", "a", "\u00fc", "n" * 400, "n" * 2_000, "\U0001f40d" * 700])
ODD_TEXT = st.sampled_from(["\0", "\ud83d", "\udc0d", 1, b"a"])
INTEGER = st.sampled_from([0, -1, 2**63 - 1, -(2**63)])
ODD_INTEGER = st.sampled_from([True, 2**63, -(2**63) - 1, 1.0, "1"])
REAL = st.sampled_from([0.0, -0.0, 1.5, 1, 2**70])
ODD_REAL = st.sampled_from([math.nan, math.inf, True, "1", 10**400])
FLAG = st.booleans()
ODD_FLAG = st.sampled_from([0, 1, "true"])
EAST = timezone(timedelta(hours=3))
MOMENT = st.sampled_from([datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 7, tzinfo=EAST)])
ODD_MOMENT = st.sampled_from([datetime(2026, 1, 1), "2026-01-01", 0])
JSON = st.sampled_from([{}, [], (), "", 0, False, {"b": -0.0, "a": [None]}, ["\u00fc"], 1.5])
ODD_JSON = st.sampled_from([math.nan, {"a": "\0"}, ["\ud83d"], {1.5: object()}, object()])
GOOD = {
    "tenant": TEXT,
    "name": TEXT | st.none(),
    "count": INTEGER,
    "number": INTEGER | st.none(),
    "share": REAL,
    "part": REAL | st.none(),
    "flag": FLAG,
    "mark": FLAG | st.none(),
    "at": MOMENT,
    "until": MOMENT | st.none(),
    "named": st.sampled_from([{}, {"b": 1, "a": None}]),
    "listed": st.sampled_from([[], [1], None]),
    "anything": JSON | st.none(),
}
ODD = {
    "tenant": ODD_TEXT,
    "name": ODD_TEXT,
    "count": ODD_INTEGER | st.none(),
    "number": ODD_INTEGER,
    "share": ODD_REAL | st.none(),
    "part": ODD_REAL,
    "flag": ODD_FLAG | st.none(),
    "mark": ODD_FLAG,
    "at": ODD_MOMENT | st.none(),
    "until": ODD_MOMENT,
    "named": ODD_JSON | st.none(),
    "listed": ODD_JSON,
    "anything": ODD_JSON,
}
FIELD = st.sampled_from(sorted(ODD))
ODDITY = FIELD.flatmap(lambda name: st.tuples(st.just(name), ODD[name], st.integers(0, 99)))


def each(views: list[Sample], table: Table = TABLE) -> Any:
    """Return the row of each view, or how the first is refused."""
    try:
        return [table.encode(view) for view in views]
    except ValueError as error:
        return str(error)


def at_once(views: list[Sample], table: Table = TABLE) -> Any:
    """Return the same of all views at once."""
    try:
        return [*table.encode_all(views)]
    except ValueError as error:
        return str(error)


@examples(300)
@given(
    values=st.lists(st.fixed_dictionaries(GOOD), min_size=1, max_size=20),
    odd=st.lists(ODDITY, max_size=2),
    times=st.sampled_from([1, BY_COLUMN_FROM]),
    table=st.sampled_from(TABLES),
)
def test_rows_by_column_are_the_rows_of_each(
    values: list[dict[str, Any]], odd: list[tuple[str, Any, int]], times: int, table: Table
) -> None:
    for name, value, place in odd:
        values[place % len(values)][name] = value
    views = [Sample(**one) for one in values] * times
    # As text: 1 and 1.0 and True are equal, and must not take each other's place.
    assert repr(at_once(views, table)) == repr(each(views, table))


@dataclass(eq=False)
class Equal:
    """Something that says it is equal to all else."""

    number: int = 1

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment] # as of all that is equal to what it is not


def test_what_is_equal_to_none_is_not_taken_for_it() -> None:
    good = Sample(
        tenant="", name=None, count=0, number=None, share=0.0, part=None, flag=True, mark=None,
        at=datetime(2026, 1, 1, tzinfo=UTC), until=None, named={}, listed=None, anything=None,
    )  # fmt: skip
    odd = msgspec.structs.replace(good, anything=Equal())
    views = [good, *[odd] * BY_COLUMN_FROM]
    assert repr(at_once(views)) == repr(each(views))
    assert at_once(views)[1][-1] == '{"number":1}'
