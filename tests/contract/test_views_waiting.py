"""Answers say which position they reflect, and readers can wait for one."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger import InvalidArgument
from projections import RUNS, SESSIONS, ProjectionFailed, ViewsBehind
from tests.support.builders import DEADLINE_S, FOREVER_S, background, sessions_in_buckets
from tests.support.views import TALLY, Poisoned, answer, counted, tally, views_of


def test_an_answer_reflects_what_was_appended_before(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    appended = ledger.append("s", [counted(), counted()])
    given = answer(views, "rows", "tally", "s", limit=5)
    assert [row.count for row in given.value] == [2]
    assert given.positions["tally"][appended[0].event.bucket] == 2
    assert given.reflects(appended)
    later = ledger.append("s", counted())
    assert not given.reflects(later)
    assert not given.reflects([*appended, later])


def test_an_eventual_answer_says_how_far_the_table_was(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    first = ledger.append("s", counted())
    views.catch_up()
    second = ledger.append("s", counted())
    given = answer(views, "rows", "tally", "s", consistency="eventual")
    assert [row.count for row in given.value] == [1]
    assert (given.reflects(first), given.reflects(second)) == (True, False)


def test_an_answer_from_several_views_names_all_of_them(ledger: Any) -> None:
    views = views_of(ledger, SESSIONS, RUNS)
    appended = ledger.append("s", counted())
    given = answer(views, "anomalies", session_id="s")
    assert len(given.positions) > 1
    assert given.reflects(appended)


def test_an_answer_that_read_no_view_reflects_no_position(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    assert answer(views, "versions").positions == {}


def test_positions_are_those_of_the_table_that_is_read(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=2)
    session_id, _ = sessions_in_buckets(ledger, 2)
    views = views_of(ledger, TALLY)
    appended = ledger.append(session_id, [counted(), counted()])[1].event
    assert views.positions("tally") == (0, 0)
    views.catch_up()
    assert views.positions("tally")[appended.bucket] == 2
    with pytest.raises(InvalidArgument, match="nothing"):
        views.positions("nothing")


@pytest.mark.parametrize(
    "places",
    [
        lambda appended: appended,
        lambda appended: appended[-1],
        lambda appended: appended[-1].event,
        lambda appended: (appended[-1].event.bucket, appended[-1].event.position),
        lambda appended: [one.event for one in appended],
    ],
    ids=["answers", "answer", "event", "position", "events"],
)
def test_waiting_brings_views_to_a_position_without_a_daemon(
    ledger: Any, places: Callable[[Any], Any]
) -> None:
    views = views_of(ledger, TALLY, tally("other"))
    appended = ledger.append("s", [counted(), counted()])
    views.wait_for(places(appended))
    for name in ("tally", "other"):
        assert max(views.positions(name)) == 2


def test_waiting_for_some_views_does_not_need_the_others(ledger: Any) -> None:
    views = views_of(ledger, TALLY, tally("poisoned", Poisoned(1)))
    appended = ledger.append("s", counted())
    views.wait_for(appended, projections=["tally"])
    for consistency in ("strong", "eventual"):
        with pytest.raises(ProjectionFailed) as caught:
            views.wait_for(appended, consistency=consistency)
        assert caught.value.event_id == appended.event.event_id


def test_a_failure_behind_the_position_is_none(ledger: Any) -> None:
    views = views_of(ledger, tally("poisoned", Poisoned(2)))
    first, _ = ledger.append("s", [counted(), counted()])
    with pytest.raises(ProjectionFailed):
        views.catch_up()
    views.wait_for(first)
    views.wait_for(first, consistency="eventual")


def test_waiting_for_others_ends_when_they_are_there(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    appended = ledger.append("s", counted())
    with pytest.raises(ViewsBehind) as caught:
        views.wait_for(appended, 0.01, consistency="eventual")
    assert (caught.value.bucket, caught.value.position) == (appended.event.bucket, 1)
    waiting = background(lambda: views.wait_for(appended, FOREVER_S, consistency="eventual"))
    views_of(ledger, TALLY).catch_up()
    assert waiting.result(DEADLINE_S) is None


def test_waiting_for_what_is_not_in_the_log_yet_ends_when_it_is(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    bucket = ledger.append("s", counted()).event.bucket
    with pytest.raises(ViewsBehind, match="The log"):
        views.wait_for((bucket, 2), 0.01)
    waiting = background(lambda: views.wait_for((bucket, 2), FOREVER_S))
    ledger.append("s", counted())
    assert waiting.result(DEADLINE_S) is None
    assert views.positions("tally")[bucket] == 2


@pytest.mark.parametrize(
    "places", [(0, -1), (9_999, 1), "s", 7, None, [(0, 1), "s"], (0, 1.5)], ids=str
)
def test_what_has_no_place_in_the_log_cannot_be_waited_for(ledger: Any, places: Any) -> None:
    with pytest.raises(InvalidArgument):
        views_of(ledger, TALLY).wait_for(places, 0)


def test_other_arguments_are_checked(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    for wrong in ({"timeout": -1}, {"timeout": True}, {"projections": ["nothing"]}):
        with pytest.raises(InvalidArgument, match=next(iter(wrong))):
            views.wait_for((0, 0), **wrong)
    with pytest.raises(InvalidArgument, match="consistency"):
        views.wait_for((0, 0), consistency="never")
