"""Definitions that no table or fold can be made of are refused when views are opened."""

import dataclasses
from typing import Any

import msgspec
import pytest

from ledger import InvalidArgument
from projections import Index, Projection, Rebuild
from projections.engine.row_snapshots import ROW_SNAPSHOTS
from tests.support.rebuilds import sync_twin
from tests.support.views import TALLY, counted, dropped, tally, views_of

pytestmark = pytest.mark.usefixtures("new_database")


class Changeable(msgspec.Struct):
    """A struct that a fold could change."""

    tenant: str
    session_id: str
    name: str


@dataclasses.dataclass(frozen=True)
class Dataclass:
    """No struct."""

    tenant: str
    session_id: str
    name: str


class Plain:
    """Nothing with fields."""


class Unknown(msgspec.Struct, frozen=True):
    """A struct with an annotation that nothing is called by."""

    tenant: str
    session_id: str
    name: str
    later: "Nowhere"  # type: ignore[name-defined]  # noqa: F821 - that is what is refused


async def coroutine(*_: Any) -> Any:
    """Return nothing that a fold could use."""


def with_field(name: str) -> type:
    """Return a tally's key and one more field."""
    fields = [("tenant", str), ("session_id", str), ("name", str), (name, str, "")]
    return msgspec.defstruct("V", fields, frozen=True)


TAKEN = ("ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "oid", "rowid", "_rowid_")
WRONG: dict[str, list[Any]] = {
    "types": ["thing.counted", b"thing", frozenset({1}), ["thing.counted", None], 5],
    "view": [Changeable, Dataclass, Plain, None, dict, Unknown]
    + [with_field(name) for name in TAKEN],
    "key": ["tenant", ("tenant", 1), (), 5, None, ("tenant", "tenant", "session_id")],
    "version": [0, -1, True, "1", 1.0, None, 2**31, 2**70],
    "name": [5, None, "", b"tally", ROW_SNAPSHOTS.projection.name, "claims_of_mail"],
    "indexes": ["name", ("tenant",), ((),), (Index(()),), ((1,),), (5,), None],
    "searchable": ["name", (1,)],
    "members": ["name", (1,)],
    "keys": [None, "keys", coroutine],
    "apply": [None, coroutine],
    "apply_all": [1, coroutine],
}
WRONG_NAMES: dict[str, list[Any]] = {
    "name": ["Tally", "x" * 60, "a b", 'a"; --'],
    "indexes": [(("missing",),), (Index(("missing",)),)],
    "key": [("tenant", "session_id", "missing"), ("tenant", "count")],
}


def refused(ledger: Any, definition: Projection) -> str | None:
    """Return the argument by which a definition is refused."""
    try:
        views_of(ledger, definition)
    except InvalidArgument as error:
        return error.argument
    return None


def test_definitions_that_cannot_work_are_refused_by_name(ledger: Any, url: str) -> None:
    cases = [(name, name, value) for name, values in WRONG.items() for value in values]
    cases += [
        (name, "projection", value) for name, values in WRONG_NAMES.items() for value in values
    ]
    with sync_twin(ledger, url) as twin:
        for name, argument, value in cases:
            definition = msgspec.structs.replace(TALLY, **{name: value})
            assert refused(ledger, definition) == argument, (name, value)
            with pytest.raises(InvalidArgument):
                Rebuild(twin, definition)
    for twice in ([TALLY, TALLY], [TALLY, tally(version=2), tally()]):
        with pytest.raises(InvalidArgument, match="twice") as caught:
            views_of(ledger, *twice)
        assert caught.value.argument == "projections"


def test_lists_serve_as_tuples_and_sets(ledger: Any) -> None:
    definition: Any = msgspec.structs.replace(
        TALLY,
        key=["tenant", "session_id", "name"],
        indexes=[["tenant", "name"], Index(["tenant"])],  # type: ignore[arg-type]  # a list is taken, too
        types=["thing.counted", "thing.dropped"],
    )
    views = views_of(ledger, definition)
    ledger.append("s", [counted("x"), counted("y"), dropped("y")])
    views.catch_up()
    ledger.append("gone", counted("x"))
    views.catch_up()
    ledger.delete("gone")
    assert [row.name for row in views.rows("tally", "s")] == ["x"]
    assert views.rows("tally", "gone") == []
