"""Arguments of another kind than they should be: refused by name, and nothing is stored."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from ledger import Append, InvalidArgument, InvalidEvent, NewEvent
from tests.support.awkward import Awkward, Lying
from tests.support.builders import note, notes, on_memory, whole_feed

CALLS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "appends: nothing": ("appends", lambda ledger: ledger.append_many(None)),
    "appends: one": ("appends", lambda ledger: ledger.append_many(Append("s", note()))),
    "appends: of nothing": ("appends", lambda ledger: ledger.append_many([None])),
    "appends: events": ("appends", lambda ledger: ledger.append_many([note()])),
    "appends: text": ("appends", lambda ledger: ledger.append_many("ab")),
    "appends: none": ("appends", lambda ledger: ledger.append_many([])),
    "appends: a mapping": ("appends", lambda ledger: ledger.append_many({"s": note()})),
    "events: none": ("events", lambda ledger: ledger.append("s", [])),
    "events: none of many": (
        "events",
        lambda ledger: ledger.append_many([Append("t", note()), Append("s", [])]),
    ),
    "expected: digits": (
        "expected",
        lambda ledger: ledger.append("s", note(), expected=10**5_000),
    ),
    "expected: awkward": (
        "expected",
        lambda ledger: ledger.append("s", note(), expected=Awkward()),
    ),
    "incarnation: awkward": (
        "incarnation",
        lambda ledger: ledger.append("s", note(), incarnation=Awkward()),
    ),
    "session ids": ("session_ids", lambda ledger: ledger.heads(Awkward())),
    "after": ("after", lambda ledger: ledger.read("s", after=-(10**5_000))),
    "limit": ("limit", lambda ledger: ledger.read("s", limit=Awkward())),
    "wait": ("wait", lambda ledger: ledger.read("s", wait=Awkward())),
    "since": ("since", lambda ledger: ledger.read("s", since=Awkward())),
    "until": ("until", lambda ledger: ledger.read("s", until=datetime(2024, 5, 1, tzinfo=Lying()))),
    "types": ("types", lambda ledger: ledger.read("s", types=7)),
    "types of a feed": ("types", lambda ledger: ledger.feed(types=Awkward())),
    "progress of a verification": ("progress", lambda ledger: ledger.verify(progress=5)),
    "progress: nothing": ("progress", lambda ledger: ledger.verify(progress=[])),
    "progress of a session": ("progress", lambda ledger: ledger.verify("s", progress=Awkward())),
    "lines: nothing": ("lines", lambda ledger: ledger.import_lines(None)),
    "lines: bytes": ("lines", lambda ledger: ledger.import_lines(b"{}")),
    "lines: text": ("lines", lambda ledger: ledger.import_lines("{}")),
    "progress": ("progress", lambda ledger: ledger.import_lines([], progress=7)),
}
FLAGS: dict[str, tuple[str, Callable[..., Any]]] = {
    "deleted": ("deleted", lambda ledger, **flag: ledger.read("s", **flag)),
    "newest first": ("newest_first", lambda ledger, **flag: ledger.read("s", **flag)),
    "lineage": ("lineage", lambda ledger, **flag: ledger.read("s", **flag)),
    "lineage of nothing": ("lineage", lambda ledger, **flag: ledger.read("s", limit=0, **flag)),
    "a deleted event": ("deleted", lambda ledger, **flag: ledger.get("s", "e", **flag)),
    "deleted ids": ("deleted", lambda ledger, **flag: ledger.list_session_ids(**flag)),
    "no ids": ("deleted", lambda ledger, **flag: ledger.list_session_ids(limit=0, **flag)),
}
EVENTS: dict[str, Any] = {
    "nothing": None,
    "a number": 7,
    "text": "note",
    "a class": NewEvent,
    "an event in an event": NewEvent(note()),  # type: ignore[arg-type]  # that is the point
    "a generator": (note() for _ in range(2)),
    "a set": {1},
    "a byte array": bytearray(b"x"),
    "awkward": Awkward(),
}


@on_memory
@pytest.mark.parametrize("name", CALLS)
def test_arguments_of_another_kind_are_refused_by_name(ledger: Any, name: str) -> None:
    argument, call = CALLS[name]
    with pytest.raises(InvalidArgument) as caught:
        call(ledger)
    assert (caught.value.argument, whole_feed(ledger)) == (argument, [])


@pytest.mark.parametrize("argument", FLAGS)
def test_what_is_neither_true_nor_false_is_refused_by_name(ledger: Any, argument: str) -> None:
    ledger.append("s", notes("ab"))
    name, call = FLAGS[argument]
    for value in (1, 0, "yes", "", None, [], Awkward()):
        with pytest.raises(InvalidArgument) as caught:
            call(ledger, **{name: value})
        assert caught.value.argument == name


@on_memory
@pytest.mark.parametrize("name", EVENTS)
def test_what_is_no_event_is_refused(ledger: Any, name: str) -> None:
    for field, call in (
        ("payload", lambda: ledger.append("s", EVENTS[name])),
        ("events[1].payload", lambda: ledger.append("s", [note(), EVENTS[name]])),
        (
            "appends[1].events[0].payload",
            lambda: ledger.append_many([Append("t", note()), Append("s", EVENTS[name])]),
        ),
    ):
        with pytest.raises(InvalidEvent) as caught:
            call()
        assert (caught.value.field, whole_feed(ledger)) == (field, [])


@on_memory
@pytest.mark.parametrize("name", ["since", "until"])
def test_a_naive_time_of_a_read_is_told_what_it_lacks(ledger: Any, name: str) -> None:
    with pytest.raises(InvalidArgument, match="got a naive datetime; give it a tzinfo") as caught:
        ledger.read("s", **{name: datetime(2026, 1, 1)})
    assert caught.value.argument == name
