"""What is decided on a view is appended if the view is still that; else it is decided anew."""

import gc
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from ledger import InvalidArgument, InvalidEvent, NewEvent, SequenceConflict
from projections import Rebuild
from projections.backends.base import KEPT_EVENTS_MAX
from projections.readers import rows_at_head
from tests.support.builders import together
from tests.support.rebuilds import sync_twin
from tests.support.views import TALLY, counted, tally, tally_apply, views_of

KEY = ("", "s", "x")


@pytest.fixture(autouse=True)
def now_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still, so that a row is kept however long the machine takes here."""
    now_s = [1_000.0]
    monkeypatch.setattr(rows_at_head, "now_s", lambda: now_s[0])
    return now_s


Decide = Callable[[Any], Sequence[NewEvent]]


def one_more(seen: list[Any]) -> Decide:
    def decide(view: Any) -> Sequence[NewEvent]:
        seen.append(0 if view is None else view.count)
        return [counted()]

    return decide


def test_an_async_decision_is_refused_and_nothing_is_stored(ledger: Any) -> None:
    views = views_of(ledger, TALLY)

    async def decide(view: Any) -> Sequence[NewEvent]:
        return [counted()]

    with pytest.raises(InvalidArgument) as caught:
        views.append_decided("tally", KEY, decide)
    assert str(caught.value) == "decide: it is async; give a plain function."
    gc.collect()  # which would warn of a coroutine that nobody awaited
    assert ledger.head("s") == 0


def test_each_decision_is_on_what_all_before_it_made(ledger: Any) -> None:
    views, seen = views_of(ledger, TALLY), []
    for number in range(1, KEPT_EVENTS_MAX + 20):
        [stored] = views.append_decided("tally", KEY, one_more(seen))
        assert stored.sequence == number
    assert seen == list(range(KEPT_EVENTS_MAX + 19))
    assert views.row("tally", KEY).sequences == list(range(1, KEPT_EVENTS_MAX + 20))


def test_several_events_are_appended_as_one_and_none_is_nothing(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    for count in (0, 3, 6):
        stored = views.append_decided("tally", KEY, lambda view: [counted() for _ in range(3)])
        assert [one.sequence for one in stored] == [count + 1, count + 2, count + 3]
        assert views.append_decided("tally", KEY, lambda view: []) == []
    assert views.row_at_head("tally", KEY).view.count == 9


def test_who_was_faster_is_taken_in(ledger: Any) -> None:
    views, seen = views_of(ledger, TALLY), []
    for _ in range(4):
        views.append_decided("tally", KEY, one_more(seen))
    ledger.append("s", [counted(), counted()])
    views.append_decided("tally", KEY, one_more(seen))
    # Decided on the row that was kept first, which the append refused.
    assert seen == [0, 1, 2, 3, 4, 6]
    assert views.row("tally", KEY).count == 7


def test_nothing_to_do_is_said_by_the_newest_row_alone(ledger: Any) -> None:
    views, others = views_of(ledger, TALLY), views_of(ledger, TALLY)
    for _ in range(3):
        views.append_decided("tally", KEY, one_more([]))
    others.append_decided("tally", KEY, one_more([]))
    asked: list[int] = []

    def if_there_are_four(view: Any) -> Sequence[NewEvent]:
        asked.append(view.count)
        return [counted()] if view.count == 4 else []

    assert len(views.append_decided("tally", KEY, if_there_are_four)) == 1
    assert asked == [3, 4]


def test_a_refusal_is_that_of_the_newest_row_alone(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    for _ in range(3):
        views.append_decided("tally", KEY, one_more([]))
    ledger.append("s", counted())

    def unless_there_are_three(view: Any) -> Sequence[NewEvent]:
        if view.count == 3:
            raise LookupError("three")
        return [counted()]

    assert len(views.append_decided("tally", KEY, unless_there_are_three)) == 1

    def never(view: Any) -> Sequence[NewEvent]:
        raise LookupError(str(view.count))

    with pytest.raises(LookupError, match="5"):
        views.append_decided("tally", KEY, never)
    with pytest.raises(InvalidEvent):
        views.append_decided("tally", KEY, lambda view: [NewEvent("no type", {})])
    assert ledger.head("s") == 5
    assert views.append_decided("tally", KEY, one_more([]))[0].sequence == 6


def test_events_are_refused_if_the_newest_row_asks_for_them_alone(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    for _ in range(3):
        views.append_decided("tally", KEY, one_more([]))
    ledger.append("s", counted())
    asked: list[int] = []

    def wrong_if_there_are_three(view: Any) -> Sequence[NewEvent]:
        asked.append(view.count)
        return [NewEvent({}, "")] if view.count == 3 else []

    assert views.append_decided("tally", KEY, wrong_if_there_are_three) == []
    assert asked == [3, 4]
    with pytest.raises(InvalidEvent):
        views.append_decided("tally", KEY, lambda view: [NewEvent({}, "")])
    assert ledger.head("s") == 4


def test_a_deletion_and_what_comes_behind_it_are_seen(ledger: Any) -> None:
    views, seen = views_of(ledger, TALLY), []
    for _ in range(3):
        views.append_decided("tally", KEY, one_more(seen))
    ledger.delete("s")
    for _ in range(3):
        views.append_decided("tally", KEY, one_more(seen))
    assert seen == [0, 1, 2, 3, 0, 1, 2]
    assert views.row("tally", KEY).count == 3


def test_a_repeat_is_nothing_new(ledger: Any) -> None:
    views, seen = views_of(ledger, TALLY), []
    for _ in range(3):
        views.append_decided("tally", KEY, one_more(seen))
    again = counted()
    first, repeat = (views.append_decided("tally", KEY, lambda view: [again])[0] for _ in range(2))
    assert (first.stored, repeat.stored) == (True, False)
    views.append_decided("tally", KEY, one_more(seen))
    assert seen[-1] == 4
    assert views.row("tally", KEY).count == 5


def test_another_version_is_noticed_within_a_second(
    ledger: Any, url: str, now_s: list[float]
) -> None:
    views_of(ledger, TALLY).catch_up()

    def twice(view: Any, event: Any) -> Any:
        return tally_apply(tally_apply(view, event), event)

    both = (TALLY, tally(apply=twice, version=2))
    with sync_twin(ledger, url) as here:
        Rebuild(here, both[1]).run()
    views, others = views_of(ledger, *both), views_of(ledger, *both)
    seen: list[int] = []
    for _ in range(4):
        views.append_decided("tally", KEY, one_more(seen))
    others.switch("tally", 2)
    now_s[0] += rows_at_head.UNASKED_S + 0.1
    for _ in range(2):
        views.append_decided("tally", KEY, one_more(seen))
    assert seen == [0, 1, 2, 3, 8, 10]


def test_eight_writers_lose_nothing(ledger: Any) -> None:
    views = [views_of(ledger, TALLY) for _ in range(2)]

    def decide(view: Any) -> Sequence[NewEvent]:
        before = 0 if view is None else view.count
        return [NewEvent({"name": "x", "before": before}, "thing.counted")]

    def write(number: int) -> None:
        for _ in range(10):
            views[number % 2].append_decided("tally", KEY, decide)

    assert together([partial(write, number) for number in range(8)]) == [None] * 8
    assert [event.data["before"] for event in ledger.read("s")] == list(range(80))


def test_who_is_always_late_is_told_in_the_end(
    ledger: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_at_head, "DECISIONS_MAX", 3)
    views = views_of(ledger, TALLY)
    with sync_twin(ledger, url) as here:

        def decide(view: Any) -> Sequence[NewEvent]:
            here.append("s", counted())
            return [counted()]

        with pytest.raises(SequenceConflict):
            views.append_decided("tally", KEY, decide)
    assert views.row("tally", KEY).count == 3


def test_its_arguments_are_those_of_a_row(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    for name, key in (("unknown", KEY), ("tally", ("", "s")), ("tally", 7)):
        with pytest.raises(InvalidArgument):
            views.append_decided(name, key, lambda view: [counted()])
    for no_events in (counted(), 7, "text"):
        with pytest.raises(InvalidArgument, match="decide"):
            views.append_decided("tally", KEY, lambda view, given=no_events: given)
    assert ledger.head("s") == 0
