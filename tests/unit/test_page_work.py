"""Which rows a page touches: the same, whether its keys are checked one by one or all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ledger import Event, Ledger, NewEvent
from ledger.backends.base import FeedQuery
from projections import SESSIONS
from projections.engine.tables import Table
from projections.engine.work import KEY_CHARS_SHORT, Work, decode_page, work_of
from tests.support.views import TALLY

NAMES = ("x", "y", "x", "odd", "y")
ODD = NAMES.index("odd")


class Text(str):
    """Text of a class of its own, which no database was asked about."""


def of_session(event: Event, *parts: Any) -> tuple[Any, ...]:
    return (event.tenant, event.session_id, *parts)


#: What is given for one event in the middle of others, and why it is refused.
REFUSED: dict[str, tuple[Callable[[Event], Any], str]] = {
    "another session": (lambda event: ((event.tenant, "other", "x"),), "another session"),
    "another tenant": (lambda event: (("other", event.session_id, "x"),), "another session"),
    "too short": (lambda event: (of_session(event),), "no key of"),
    "too long": (lambda event: (of_session(event, "x", "y"),), "no key of"),
    "a number": (lambda event: (of_session(event, 1),), "no tuple of str"),
    "a class of its own": (lambda event: (of_session(event, Text("z")),), "no tuple of str"),
    "a list": (lambda event: ([*of_session(event, "x")],), "a key is a tuple"),
    "text": (lambda event: "xyz", "a key is a tuple"),
    "NUL": (lambda event: (of_session(event, "\0"),), "NUL"),
    "half a character": (lambda event: (of_session(event, "\ud800"),), "surrogates not allowed"),
    "too many bytes": (lambda event: (of_session(event, "x" * 3_000),), "longer than"),
    "nothing at all": (lambda event: None, "NoneType"),
}
ACCEPTED: dict[str, tuple[Callable[[Event], Any], list[tuple[str, ...]]]] = {
    "no row": (lambda event: (), []),
    "one row twice": (lambda event: (of_session(event, "z"),) * 2, [("z",)]),
    "several rows": (lambda event: [of_session(event, one) for one in "zx"], [("z",), ("x",)]),
    "one by one": (lambda event: (of_session(event, one) for one in "zz"), [("z",)]),
    "nearly too long": (
        lambda event: (of_session(event, "z" * (KEY_CHARS_SHORT + 1)),),
        [("z" * (KEY_CHARS_SHORT + 1),)],
    ),
}


def work_with(given: Callable[[Event], Any]) -> Work:
    def keys(event: Event) -> Any:
        name = event.data["name"]
        return given(event) if name == "odd" else (of_session(event, name),)

    ledger = Ledger.open("memory:")
    ledger.append("s", [NewEvent({"name": name}, "thing.counted") for name in NAMES])
    table = Table(msgspec.structs.replace(TALLY, keys=keys))
    records = ledger.backend.feed(FeedQuery(ranges=((0, 0, len(NAMES)),), limit=len(NAMES)))
    return work_of(table, decode_page(records, [table], ledger.upcasts))


@pytest.mark.parametrize("how", REFUSED)
def test_what_is_no_key_stops_the_view_at_its_event(how: str) -> None:
    given, reason = REFUSED[how]
    work = work_with(given)
    assert work.failure is not None
    assert reason in work.failure.reason
    assert work.after == ODD
    assert [*work.keys] == [("", "s", "x"), ("", "s", "y")]
    touched = {keys[0][2]: [one.position for one in work.touching[keys]] for keys in work.touching}
    assert touched == {"x": [1, 3], "y": [2]}


@pytest.mark.parametrize("how", ACCEPTED)
def test_each_row_is_touched_once_by_an_event(how: str) -> None:
    given, parts = ACCEPTED[how]
    work = work_with(given)
    assert work.failure is None
    assert work.after == len(NAMES)
    keys = tuple(("", "s", *part) for part in parts)
    assert [*work.keys] == [*dict.fromkeys([("", "s", "x"), ("", "s", "y"), *keys])]
    odd = [given for given, events in work.touching.items() if ODD + 1 in positions(events)]
    assert odd == ([keys] if keys else [])
    assert positions(work.touching[(("", "s", "y"),)]) == [2, 5]


def test_an_equal_key_of_another_type_is_refused_with_others() -> None:
    work = work_with(lambda event: (of_session(event, Text("x")), of_session(event, "z")))
    assert work.failure is not None
    assert work.after == ODD


def test_the_fold_of_a_view_of_ours_does_not_vouch_for_the_keys_of_others() -> None:
    ledger = Ledger.open("memory:")
    for session_id in ("root", "other"):
        ledger.append(session_id, NewEvent({}, "note"))
    given = msgspec.structs.replace(SESSIONS, keys=lambda event: ((event.tenant, "root"),))
    table = Table(given)
    records = ledger.backend.feed(FeedQuery(ranges=((0, 0, 2),), limit=2))
    work = work_of(table, decode_page(records, [table], ledger.upcasts))
    assert work.failure is not None
    assert "another session" in work.failure.reason
    assert work.after == 1


def positions(events: Any) -> list[int]:
    return [event.position for event in events]
