"""Several views of a session at once: all of them are of one moment."""

import threading
from typing import Any

import pytest

from ledger import InvalidArgument, NewEvent
from projections import MESSAGES, RUNS, SESSIONS, USAGE
from tests.support.builders import DEADLINE_S, background, on_durable, only_sync
from tests.support.views import TALLY, answer, counted, tally, views_of

NAMES = ("sessions", "messages", "runs")


def said(text: str) -> NewEvent:
    return NewEvent({"role": "user", "content": text}, "message.appended", run_id="r")


def test_each_view_is_there_by_its_name(ledger: Any) -> None:
    views = views_of(ledger, SESSIONS, MESSAGES, RUNS)
    ledger.append("s", [NewEvent({}, "run.started", run_id="r"), said("a"), said("b")])
    ledger.append("other", said("c"))
    found = views.together("s", NAMES)
    assert list(found) == list(NAMES)
    assert found["messages"] == views.messages("s")
    assert [found["sessions"], found["runs"]] == [[views.session("s")], views.runs("s")]
    assert [len(found[name]) for name in NAMES] == [1, 2, 1]
    assert views.together("unknown", NAMES) == {name: [] for name in NAMES}
    assert views.together("s", NAMES, tenant="theirs") == {name: [] for name in NAMES}


def test_rows_come_in_the_order_of_their_first_events(ledger: Any) -> None:
    views = views_of(ledger, SESSIONS, MESSAGES)
    messages = [
        NewEvent({"role": "user", "content": n, "message_id": f"{9 - int(n)}"}, "message.appended")
        for n in "1234"
    ]
    ledger.append("s", messages)
    asked = ("messages",)
    assert [one.content for one in views.together("s", asked)["messages"]] == list("1234")
    newest = views.together("s", asked, limit=3, newest_first=True)["messages"]
    assert [one.content for one in newest] == list("432")
    assert views.together("s", asked, limit=0) == {"messages": []}
    assert views.together("s", ()) == {}


def test_rows_may_be_only_those_with_parts_of_a_key(ledger: Any) -> None:
    views = views_of(ledger, SESSIONS, TALLY)
    ledger.append("s", [counted("a"), counted("b"), counted("a")])
    for consistency in ("strong", "eventual"):
        found = views.together(
            "s", ("sessions", "tally"), only={"tally": {"name": "b"}}, consistency=consistency
        )
        assert [len(found["sessions"]), [row.name for row in found["tally"]]] == [1, ["b"]]
    wrong: list[Any] = [
        {"runs": {}},
        {"tally": {"count": "1"}},
        {"tally": {"name": 1}},
        {"tally": 5},
    ]
    for only in (*wrong, {"tally": {"tenant": ""}}, {"tally": {"name": "\0"}}, 5):
        with pytest.raises(InvalidArgument):
            views.together("s", ("sessions", "tally"), only=only)


def test_what_was_appended_before_is_in_it(ledger: Any) -> None:
    views = views_of(ledger, SESSIONS, MESSAGES)
    for number in range(1, 4):
        ledger.append("s", said("x"))
        behind = views.together("s", ("sessions", "messages"), consistency="eventual")
        assert [len(rows) for rows in behind.values()] == [number > 1, number - 1]
        found = views.together("s", ("sessions", "messages"))
        assert found["sessions"][0].last_sequence == len(found["messages"]) == number


def test_of_views_at_different_places_one_moment_is_made(ledger: Any) -> None:
    first = views_of(ledger, TALLY)
    ledger.append("s", counted())
    first.catch_up()
    views = views_of(ledger, TALLY, tally("later"))
    found = views.together("s", ("tally", "later"))
    assert [[row.count for row in rows] for rows in found.values()] == [[1], [1]]


def test_an_answer_says_which_positions_it_reflects(ledger: Any) -> None:
    views = views_of(ledger, SESSIONS, RUNS)
    appended = ledger.append("s", said("a"))
    for _ in range(2):
        given = answer(views, "together", "s", ("sessions", "runs"))
        assert sorted(given.positions) == ["runs", "sessions"]
        assert given.reflects(appended)


@pytest.mark.parametrize("names", [None, "sessions", ("sessions", 1), ("nothing",), 5])
def test_names_that_make_no_sense_are_refused(ledger: Any, names: Any) -> None:
    views = views_of(ledger, SESSIONS)
    with pytest.raises(InvalidArgument):
        views.together("s", names)


@on_durable
@only_sync
def test_a_writer_never_shows_half_of_what_it_wrote(ledger: Any) -> None:
    views = views_of(ledger, SESSIONS, MESSAGES, USAGE)
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            ledger.append("s", [said("a"), said("b")])

    writer = background(write)
    try:
        seen = 0
        while seen < 60:
            found = views.together("s", ("sessions", "messages"))
            count = len(found["messages"])
            assert count % 2 == 0
            assert not found["sessions"] or found["sessions"][0].last_sequence == count
            seen = max(seen, count)
    finally:
        over.set()
    writer.result(DEADLINE_S)
