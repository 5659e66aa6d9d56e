"""What a fold makes that no table can keep stops its view at that event, like any other failure."""

from typing import Any

import msgspec
import pytest

from ledger import Event, InvalidArgument, NewEvent
from projections import Projection, ProjectionFailed
from tests.support.views import TALLY, counted, views_of


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
