"""A row with the head of its session: what who decides on it appends behind."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ledger import InvalidArgument, NewEvent, SequenceConflict
from projections import MESSAGES, SESSIONS, USAGE, FoldChanged, ProjectionFailed, Rebuild
from projections.backends.base import AHEAD_EVENTS_MAX, KEPT_EVENTS_MAX
from projections.readers.rows_at_head import AtHead
from tests.support.builders import DEADLINE_S, background, on_durable, together
from tests.support.raw import Raw
from tests.support.rebuilds import sync_twin
from tests.support.views import TALLY, answer, counted, dropped, tally, tally_apply, views_of

KEY = ("", "s", "x")


def test_it_is_the_row_that_is_read_behind_all_events(ledger: Any) -> None:
    views, plain = views_of(ledger, TALLY), views_of(ledger, TALLY)
    assert views.row_at_head("tally", KEY) == AtHead(None, 0)
    facts = [
        *(counted(), counted("y"), counted("xy"), NewEvent({}, "note"), dropped(), counted("xy")),
        *(dropped(), counted(), NewEvent({}, "note"), counted("xy")),
    ]
    for number, fact in enumerate(facts, 1):
        ledger.append("other", counted())
        ledger.append("s", fact)
        found = views.row_at_head("tally", KEY)
        assert found.head == ledger.head("s") == number
        assert found.view == plain.row("tally", KEY)
    for _ in range(3 * AHEAD_EVENTS_MAX):
        ledger.append("s", counted())
        found = views.row_at_head("tally", KEY)
        assert found.view.sequences[-1] == found.head == ledger.head("s")
    assert found.view == plain.row("tally", KEY)
    ledger.delete("s")
    assert views.row_at_head("tally", KEY) == AtHead(None, found.head + 1)
    ledger.append("s", counted())
    assert views.row_at_head("tally", KEY).view == plain.row("tally", KEY)


def test_a_few_events_are_folded_for_the_answer_alone_and_many_for_all(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    views.catch_up()
    stood = views.positions("tally")
    for _ in range(AHEAD_EVENTS_MAX):
        ledger.append("s", counted())
    assert views_of(ledger, TALLY).row_at_head("tally", KEY).view.count == AHEAD_EVENTS_MAX
    assert views.positions("tally") == stood
    ledger.append("s", counted())
    assert views.row_at_head("tally", KEY).view.count == AHEAD_EVENTS_MAX + 1
    assert views.positions("tally") != stood


def test_who_goes_on_where_it_was_folds_what_is_new_and_for_all_only_now_and_then(
    ledger: Any,
) -> None:
    views = views_of(ledger, TALLY)
    ledger.append("s", counted())
    assert views.row_at_head("tally", KEY).view.count == 1
    stood = views.positions("tally")
    for count in range(2, KEPT_EVENTS_MAX + 1):
        ledger.append("s", counted())
        assert views.row_at_head("tally", KEY).view.count == count
    assert views.positions("tally") == stood
    ledger.append("s", counted())
    assert views.row_at_head("tally", KEY).view.count == KEPT_EVENTS_MAX + 1
    assert views.positions("tally") != stood
    ledger.append("s", [counted() for _ in range(AHEAD_EVENTS_MAX + 1)])
    stood = views.positions("tally")
    assert views.row_at_head("tally", KEY).view.count == KEPT_EVENTS_MAX + AHEAD_EVENTS_MAX + 2
    assert views.positions("tally") != stood
    assert views.row_at_head("tally", KEY).view == views.row("tally", KEY)


def test_what_others_do_in_between_is_in_the_next_answer(ledger: Any) -> None:
    views, others = views_of(ledger, TALLY), views_of(ledger, TALLY)

    def folded() -> None:
        others.catch_up()

    def deleted() -> None:
        ledger.delete("s")

    def begun_anew() -> None:
        ledger.delete("s")
        ledger.append("s", [counted(), counted()])

    def written(*facts: NewEvent) -> Callable[[], None]:
        return lambda: ledger.append("s", list(facts)) and None

    between: list[Callable[[], None]] = [
        *(folded, written(counted()), deleted, written(counted()), begun_anew, folded),
        *(written(dropped()), written(NewEvent({}, "note")), written(counted("xy"), counted("y"))),
    ]
    # Each behind each, so that every one meets what the others left.
    for number, first in enumerate(between):
        for second in (between[number], between[number - 1], between[number - 3]):
            for act in (first, second):
                act()
                found = views.row_at_head("tally", KEY)
                assert found == AtHead(others.row("tally", KEY), ledger.head("s"))
                written(counted())()


def test_what_the_caller_does_to_an_answer_is_in_no_other(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    for count in range(1, 5):
        ledger.append("s", counted())
        for _ in range(2):
            found = views.row_at_head("tally", KEY)
            assert found.view.sequences == list(range(1, count + 1))
            found.view.sequences.clear()


@on_durable
def test_of_a_log_that_was_set_back_nothing_is_left(ledger: Any, url: str) -> None:
    views = views_of(ledger, TALLY)
    ledger.append("s", counted())
    for count in (1, 2, 3):
        ledger.append("s", counted())
        assert views.row_at_head("tally", KEY).view.count == count + 1
    raw, bucket = Raw(url), ledger.door.bucket("", "s")
    # As a backup would, of the moment when the first three were there; then others write.
    raw.execute("DELETE FROM events WHERE bucket = ? AND position > 2", bucket)
    raw.execute("UPDATE buckets SET position = 2 WHERE bucket = ?", bucket)
    raw.close()
    ledger.append("s", [dropped(), counted()])
    found = views.row_at_head("tally", KEY)
    assert (found.head, found.view.sequences) == (4, [4])


def test_what_is_there_only_for_its_anomalies_is_no_view(ledger: Any) -> None:
    views = views_of(ledger, MESSAGES)
    ledger.append("s", NewEvent({"message_id": "m", "content": "x"}, "message.amended"))
    for _ in range(2):
        assert views.row_at_head("messages", ("", "s", "m")) == AtHead(None, 1)
        views.catch_up()


def test_of_eight_that_decide_on_it_none_is_lost(ledger: Any) -> None:
    views = views_of(ledger, TALLY)

    def count() -> None:
        done = 0
        while done < 4:
            found = views.row_at_head("tally", KEY)
            said = counted(actor=f"{found.view.count if found.view else 0}")
            try:
                ledger.append("s", said, expected=found.head)
            except SequenceConflict:
                continue
            done += 1

    assert together([count] * 8) == [None] * 8
    assert [event.actor for event in ledger.read("s")] == [f"{number}" for number in range(32)]


def test_whoever_folds_and_appends_meanwhile_disturbs_nobody(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    over = threading.Event()

    def write() -> None:
        others = views_of(ledger, TALLY)
        while not over.is_set():
            # More at once than are left to be folded for an answer alone.
            ledger.append("s", [counted("xy"[n % 2]) for n in range(2 * AHEAD_EVENTS_MAX)])
            others.catch_up()

    writer = background(write)
    try:
        seen = 0
        while seen < 10 * AHEAD_EVENTS_MAX:
            found = views.row_at_head("tally", KEY)
            if found.view is not None:
                assert found.view.sequences == list(range(1, found.head, 2))
            seen = found.head
    finally:
        over.set()
    writer.result(DEADLINE_S)


def failing(at: int, view: Any, event: Any) -> Any:
    if event.sequence == at:
        raise ValueError("no")
    return tally_apply(view, event)


def test_a_fold_that_fails_is_heard_of_and_skipped_as_everywhere(ledger: Any) -> None:
    views = views_of(ledger, tally(apply=partial(failing, 2)))
    ledger.append("s", [counted(), counted(), counted()])
    with pytest.raises(ProjectionFailed) as failed:
        views.row_at_head("tally", KEY)
    place = {"bucket": failed.value.bucket, "position": failed.value.position}
    views.skip("tally", reason="broken", by="me", **place)
    assert views.row_at_head("tally", KEY).view.sequences == [1, 3]


REFUSED: set[int] = set()


def refusing(view: Any, event: Any) -> Any:
    if event.sequence in REFUSED:
        raise ValueError("not today")
    return tally_apply(view, event)


def test_what_was_skipped_meanwhile_is_in_no_row_that_was_folded_before(ledger: Any) -> None:
    views, others = (views_of(ledger, tally(apply=refusing)) for _ in range(2))
    for count in (1, 2):
        ledger.append("s", counted())
        assert views.row_at_head("tally", KEY).view.count == count
    REFUSED.add(2)
    try:
        with pytest.raises(ProjectionFailed) as failed:
            others.row("tally", KEY)
        place = {"bucket": failed.value.bucket, "position": failed.value.position}
        others.skip("tally", reason="broken", by="me", **place)
    finally:
        REFUSED.clear()
    assert views.row_at_head("tally", KEY).view.sequences == [1]
    ledger.append("s", counted())
    assert views.row_at_head("tally", KEY).view.sequences == [1, 3]


def failing_elsewhere(session_id: str, view: Any, event: Any) -> Any:
    if event.session_id != session_id:
        raise ValueError("no")
    return tally_apply(view, event)


def test_what_another_session_stops_does_not_matter_until_much_is_left(ledger: Any) -> None:
    views = views_of(ledger, tally(apply=partial(failing_elsewhere, "s")))
    bucket = ledger.door.bucket("", "s")
    other = next(one for one in map(str, range(10_000)) if ledger.door.bucket("", one) == bucket)
    ledger.append("s", counted())
    ledger.append(other, counted())
    with pytest.raises(ProjectionFailed):
        views.row("tally", KEY)
    for count in range(2, AHEAD_EVENTS_MAX + 1):
        ledger.append("s", counted(), expected=views.row_at_head("tally", KEY).head)
        assert views.row_at_head("tally", KEY).view.count == count
    ledger.append("s", [counted() for _ in range(AHEAD_EVENTS_MAX + 1)])
    with pytest.raises(ProjectionFailed):
        views.row_at_head("tally", KEY)


def failing_row(name: str, view: Any, event: Any) -> Any:
    if len(event.data["name"]) > 1 and view is not None and view.name == name:
        raise ValueError("no")
    return tally_apply(view, event)


def test_an_event_goes_into_all_of_its_rows_or_into_none(ledger: Any) -> None:
    views = views_of(ledger, tally(apply=partial(failing_row, "y")))
    ledger.append("s", [counted("x"), counted("y"), counted("xy")])
    for key in (KEY, ("", "s", "y")):
        with pytest.raises(ProjectionFailed):
            views.row_at_head("tally", key)


def test_it_is_read_from_the_version_that_is_active(ledger: Any) -> None:
    old = views_of(ledger, TALLY)
    ledger.append("s", counted())
    assert old.row_at_head("tally", KEY).view.count == 1
    doubled = tally(
        apply=lambda view, event: tally_apply(tally_apply(view, event), event), version=2
    )
    both = views_of(ledger, TALLY, doubled)
    both.catch_up()
    assert both.row_at_head("tally", KEY).view.count == 1


def test_a_row_that_is_kept_is_that_of_the_version_and_the_fold_that_are_read(
    ledger: Any, url: str
) -> None:
    views_of(ledger, TALLY).catch_up()
    both = (TALLY, tally(apply=doubled, version=2))
    with sync_twin(ledger, url) as here:
        Rebuild(here, both[1]).run()
    views, others = views_of(ledger, *both), views_of(ledger, *both)
    for count in (1, 2, 3):
        ledger.append("s", counted())
        assert views.row_at_head("tally", KEY).view.count == count
    others.switch("tally", 2)
    assert views.row_at_head("tally", KEY).view.count == 6
    others.switch("tally", 1)
    for count in (4, 5):
        ledger.append("s", counted())
        assert views.row_at_head("tally", KEY).view.count == count
    changed = views_of(ledger, tally(apply=doubled))
    with pytest.warns(FoldChanged):
        changed.catch_up()
    changed.accept("tally", 1)
    # What another fold made of the last one is what everybody reads now, and goes on from.
    ledger.append("s", counted())
    assert views.row_at_head("tally", KEY).view.count == 7
    assert views.row("tally", KEY).count == 7


def doubled(view: Any, event: Any) -> Any:
    return tally_apply(tally_apply(view, event), event)


def test_an_answer_says_which_positions_it_reflects(ledger: Any) -> None:
    views = views_of(ledger, SESSIONS)
    appended = ledger.append("s", NewEvent({}, "note"))
    given = answer(views, "row_at_head", "sessions", ("", "s"))
    assert given.reflects(appended)
    assert given.value.head == 1


def test_what_makes_no_sense_is_refused(ledger: Any) -> None:
    views = views_of(ledger, SESSIONS, USAGE)
    wrong: list[tuple[Any, Any]] = [
        ("nothing", ("", "s")),
        (5, ("", "s")),
        ("usage", ("", "s")),
        *(("sessions", key) for key in (None, "s", ("s",), ("", "s", "x"), ("", 5), ("", ""))),
    ]
    for name, key in wrong:
        with pytest.raises(InvalidArgument):
            views.row_at_head(name, key)
