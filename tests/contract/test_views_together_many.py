"""Several views of many sessions at once: all of them are of one moment."""

import threading
from typing import Any

import pytest

from ledger import Append, InvalidArgument, NewEvent
from projections import MESSAGES, RUNS, SESSIONS
from projections.readers.many_sessions import SESSIONS_MAX
from tests.support.builders import DEADLINE_S, background, on_durable, only_sync
from tests.support.views import TALLY, answer, counted, tally, views_of

NAMES = ("sessions", "messages", "runs")


def said(text: str, **header: Any) -> NewEvent:
    return NewEvent({"role": "user", "content": text}, "message.appended", **header)


def test_many_sessions_are_what_each_is_alone(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=8)
    views = views_of(ledger, SESSIONS, MESSAGES, RUNS)
    ids = [f"s{number}" for number in range(20)]
    for number, one in enumerate(ids):
        messages = [said(f"{one}.{n}", run_id=f"r{n}") for n in range(number % 5)]
        started = NewEvent({}, "run.started", run_id="r0")
        ledger.append_many(
            [Append(one, [started, *messages]), Append(one, [said("theirs")], tenant="t")]
        )
    ledger.delete("s3")
    asked = ["unknown", *reversed(ids), "s4", "ü'\""]
    for options in (
        {},
        {"limit": 2},
        {"limit": 2, "newest_first": True},
        {"limit": 0},
        {"only": {"runs": {"run_id": "r1"}}, "consistency": "eventual"},
        {"tenant": "t"},
    ):
        found = views.together_many(asked, NAMES, **options)
        assert list(found) == ["unknown", *reversed(ids), "ü'\""]
        assert found == {one: views.together(one, NAMES, **options) for one in found}
    assert [one.content for one in found["s19"]["messages"]] == ["theirs"]
    assert views.together_many([], NAMES) == {}
    assert views.together_many(["s1"], ()) == {"s1": {}}


def test_what_was_appended_before_is_in_it_whichever_views_are_behind(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=8)
    ids = [f"s{number}" for number in range(12)]
    first = views_of(ledger, TALLY)
    for count in range(1, 4):
        ledger.append_many([Append(one, counted()) for one in ids[count:]])
        first.catch_up()
        views = views_of(ledger, TALLY, tally("later"))
        appended = ledger.append("s1", counted())
        found = views.together_many(ids, ("tally", "later"))
        for one in ids:
            tallies = [row.count for row in found[one]["tally"]]
            assert tallies == [row.count for row in found[one]["later"]]
            assert sum(tallies) == ledger.head(one)
    for _ in range(2):
        given = answer(views, "together_many", ids, ("tally", "later"))
        assert sorted(given.positions) == ["later", "tally"]
        assert given.reflects(appended)


def test_what_makes_no_sense_is_refused(ledger: Any) -> None:
    views = views_of(ledger, SESSIONS)
    many = [f"s{number}" for number in range(SESSIONS_MAX + 1)]
    for name, given in {
        "session_ids": [None, "s", many, [None], ["s", ""], [["s"]]],
        "projections": ["sessions", ("nothing",), 5],
        "tenant": [None],
        "limit": [-1, "5"],
        "newest_first": [1],
        "only": [5, {"runs": {}}, {"sessions": {"label": "x"}}],
        "consistency": ["weak"],
    }.items():
        for value in given:
            arguments: dict[str, Any] = {"session_ids": ["s"], "projections": ["sessions"]}
            arguments[name] = value
            with pytest.raises(InvalidArgument) as caught:
                views.together_many(**arguments)
            assert caught.value.argument == name, value
    assert len(views.together_many(many[1:], ["sessions"])) == SESSIONS_MAX


@on_durable
@only_sync
def test_a_writer_never_shows_half_of_what_it_wrote(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=4)
    views = views_of(ledger, SESSIONS, MESSAGES)
    ids = [f"s{number}" for number in range(6)]
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            ledger.append_many([Append(one, [said("a"), said("b")]) for one in ids])

    writer = background(write)
    try:
        seen = 0
        while seen < 30:
            for rows in views.together_many(ids, ("sessions", "messages")).values():
                count = len(rows["messages"])
                assert count % 2 == 0
                assert not rows["sessions"] or rows["sessions"][0].last_sequence == count
                seen = max(seen, count)
    finally:
        over.set()
    writer.result(DEADLINE_S)
