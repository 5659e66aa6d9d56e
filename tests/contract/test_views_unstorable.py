"""What a fold makes that no table can keep stops its view at that event, like any other failure."""

import random
import string
from typing import Any

import msgspec
import pytest

from ledger import Event, InvalidArgument, NewEvent
from projections import Index, Projection, ProjectionFailed
from projections.engine.index_sizes import INDEX_ROW_BYTES_MAX
from tests.support.views import TALLY, counted, views_of

pytestmark = pytest.mark.usefixtures("all_views")


class Odd(msgspec.Struct, frozen=True, kw_only=True):
    """A view that keeps what it is told."""

    tenant: str
    session_id: str
    text: str = ""
    values: list[Any] = []


MADE: dict[str, dict[str, Any]] = {
    "NUL": {"text": "a\0b"},
    "a lone surrogate": {"text": "\ud800"},
    "NUL in a list": {"values": ["a\0b"]},
    "a lone surrogate in a list": {"values": ["\ud800"]},
    "NaN in a list": {"values": [float("nan")]},
    "infinity deep inside": {"values": [{"a": [float("inf")]}]},
}


def odd(made: dict[str, Any]) -> Projection:
    """Return a projection whose second event makes something odd."""

    def apply(view: Odd | None, event: Event) -> Odd:
        found = made if event.data["name"] == "odd" else {}
        return Odd(tenant=event.tenant, session_id=event.session_id, **found)

    return Projection(
        name="odd",
        version=1,
        view=Odd,
        key=("tenant", "session_id"),
        keys=lambda event: [(event.tenant, event.session_id)],
        apply=apply,
        types=frozenset({"thing.counted"}),
    )


@pytest.mark.parametrize("name", MADE)
def test_what_no_table_can_keep_stops_the_view_at_its_event(ledger: Any, name: str) -> None:
    views = views_of(ledger, odd(MADE[name]), TALLY)
    ledger.append("s", [counted("x"), NewEvent({"name": "odd"}, "thing.counted", "e2")])
    with pytest.raises(ProjectionFailed) as caught:
        views.catch_up()
    assert (caught.value.projection, caught.value.event_id) == ("odd", "e2")
    assert views.rows("tally", "s") != []
    [failure] = [one for view in views.status().views for one in view.failures]
    assert failure.event_id == "e2"


def test_text_that_spells_an_escape_or_null_is_kept(ledger: Any) -> None:
    made = {"text": "\\u0000", "values": ["\\u0000", "null", None, 1.5, {"k": None}]}
    views = views_of(ledger, odd(made))
    ledger.append("s", [counted("odd")])
    view = views.row("odd", ("", "s"))
    assert (view.text, view.values) == (made["text"], made["values"])


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_nothing_stored_can_hold_is_refused_by_readers(ledger: Any, text: str) -> None:
    views = views_of(ledger)
    for call in (
        lambda: views.run("s", text),
        lambda: views.sessions(status=text),
        lambda: views.runs_page(status=text),
    ):
        with pytest.raises(InvalidArgument):
            call()


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """A view with fields that are in indexes, and one that is in none."""

    tenant: str
    session_id: str
    note: str = ""
    label: str | None = None
    number: int = 0
    marks: list[Any] = []
    content: str = ""


NOTED = Projection(
    name="noted",
    version=1,
    view=Noted,
    key=("tenant", "session_id"),
    keys=lambda event: [(event.tenant, event.session_id)],
    apply=lambda view, event: Noted(
        tenant=event.tenant, session_id=event.session_id, **event.data["made"]
    ),
    indexes=(
        ("tenant", "note", "number"),
        Index(("label", "note"), present="label"),
        Index(("content", "number"), positive="number"),
        ("marks",),
    ),
    types=frozenset({"thing.noted"}),
)
#: What is left for text in the index of `note`: of the row, and of each of its three fields.
NOTE_BYTES_MAX = INDEX_ROW_BYTES_MAX - 16 - 3 * 8


def long_text(size: int, letters: str = string.ascii_letters) -> str:
    """Return text that no database makes shorter."""
    return "".join(random.Random(size).choices(letters, k=size))


FITS: list[dict[str, Any]] = [
    {"note": long_text(NOTE_BYTES_MAX)},
    {"note": "", "label": long_text(NOTE_BYTES_MAX)},
    {"content": long_text(100_000)},
    {"marks": [1] * 140},
]
TOO_LONG: dict[str, dict[str, Any]] = {
    "note": {"note": long_text(NOTE_BYTES_MAX + 1)},
    "note ": {"note": long_text(NOTE_BYTES_MAX // 2 + 1, "äöüßéèñø")},
    "label": {"note": long_text(1_000), "label": long_text(2_000)},
    "content": {"content": long_text(100_000), "number": 1},
    "marks": {"marks": [*range(10_000, 11_000)]},
}


def test_what_is_too_long_for_an_index_stops_the_view_at_its_event(ledger: Any) -> None:
    views = views_of(ledger, NOTED, TALLY)

    def noted(session_id: str, made: dict[str, Any]) -> Any:
        # Behind one that fits, so that views have seen values of these types already.
        return ledger.append(
            session_id,
            [
                counted("x"),
                *(
                    NewEvent({"made": one}, "thing.noted", event_id)
                    for one, event_id in (({}, f"{session_id}-first"), (made, session_id))
                ),
            ],
        )

    for number, made in enumerate(FITS):
        noted(f"fits{number}", made)
        row = views.row("noted", ("", f"fits{number}"))
        assert row == Noted(tenant="", session_id=f"fits{number}", **made)
    for name, made in TOO_LONG.items():
        noted(name, made)
        with pytest.raises(ProjectionFailed, match=f"field {name.strip()}: .* index") as caught:
            views.catch_up()
        failed = caught.value
        assert (failed.projection, failed.event_id) == ("noted", name)
        status = views.status(lag_seconds_max=None)
        assert not status.healthy
        assert [one.event_id for view in status.views for one in view.failures] == [name]
        assert views.rows("tally", name) != []
        views.skip("noted", bucket=failed.bucket, position=failed.position, reason="r", by="b")
        views.catch_up()
        assert views.row("noted", ("", name)) == Noted(tenant="", session_id=name)
