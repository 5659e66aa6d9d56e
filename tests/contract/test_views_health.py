"""How far views are behind, and what stopped them: told to whoever asks, in every process."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger import Append, InvalidArgument, NewEvent
from ledger.catalogue import Catalogue, ConsumerOffsetAdvanced
from projections import CONSUMERS, SESSIONS, ProjectionFailed, Rebuild, Status, ViewStatus
from projections.engine.consumer_lags import CONSUMERS_MAX, EVENTS_MAX
from tests.support.builders import sessions_in_buckets
from tests.support.rebuilds import V1, sync_twin
from tests.support.views import TALLY, Poisoned, counted, tally, views_of


def view(status: Status, name: str = "tally", version: int = 1) -> ViewStatus:
    """Return the one view of a status that has this name and version."""
    [found] = [v for v in status.views if (v.projection, v.version) == (name, version)]
    return found


def at(event: Any, seconds: float) -> datetime:
    """Return a moment so long after an event was recorded."""
    moment: datetime = event.recorded_at
    return moment + timedelta(seconds=seconds)


def test_lag_is_counted_per_view_and_bucket_in_events_and_seconds(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=2)
    first, second = sessions_in_buckets(ledger, 2)
    views = views_of(ledger, TALLY)
    ledger.append(first, counted())
    views.catch_up()
    [oldest, _] = ledger.append(first, [counted(), counted()])
    ledger.append(second, counted())
    found = view(views.status(now=at(oldest.event, 60)))
    assert (found.lag_events, found.lag_events_max) == (3, 2)
    assert found.lag_seconds == pytest.approx(60, abs=0.001)
    behind = {lag.bucket: (lag.position, lag.head, lag.events) for lag in found.behind}
    assert behind[oldest.event.bucket] == (1, 3, 2)
    assert sorted(behind.values()) == [(0, 1, 1), (1, 3, 2)]
    assert sum(found.positions) == 1


def test_a_view_that_stands_still_while_the_head_moves_is_unhealthy_within_five_seconds(
    ledger: Any,
) -> None:
    views = views_of(ledger, TALLY)
    appended = ledger.append("s", counted()).event
    assert views.status(now=at(appended, 3.9)).healthy
    late = views.status(now=at(appended, 4.1))
    assert not late.healthy
    assert late.reasons == ("tally version 1 is 1 events and 4.1 s behind",)
    assert views.status(now=at(appended, 4.1), lag_seconds_max=5).healthy
    assert views.status(now=at(appended, 1e6), lag_seconds_max=None).healthy


def test_what_a_clock_recorded_that_was_ahead_is_not_taken_for_young(
    ledger: Any, consumed: Any
) -> None:
    views = views_of(ledger, SESSIONS, CONSUMERS)
    consumed(3)
    views.catch_up()
    appended = ledger.append("s", counted()).event
    assert views.status(now=at(appended, -3.9)).healthy
    found = views.status(now=at(appended, -90))
    since = "since when cannot be told: the oldest was recorded by a clock that was 90.0 s ahead"
    assert found.reasons[0] == f"consumers version 1 is 1 events behind, and {since} of this one"
    assert view(found, "sessions").behind[0].ahead_seconds == pytest.approx(90, abs=0.001)
    assert view(found, "sessions").lag_seconds == 0
    assert views.status(now=at(appended, -90), lag_seconds_max=None).healthy
    views.catch_up()
    [lag] = (found := views.status(now=at(appended, -90))).consumers
    assert (lag.lag_seconds, lag.ahead_seconds) == (0, pytest.approx(90, abs=0.001))
    assert found.reasons == (
        "consumer 'summary' of session 's' of tenant '' is 1 events behind, and"
        f" {since} of this one",
    )
    consumed(5)
    views.catch_up()
    assert views.status(now=at(appended, -90)).healthy


def test_a_view_at_the_head_is_healthy_however_long_nothing_happens(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    appended = ledger.append("s", counted()).event
    views.catch_up()
    found = views.status(now=at(appended, 1e6))
    assert (found.healthy, found.reasons) == (True, ())
    assert (view(found).lag_events, view(found).lag_seconds, view(found).behind) == (0, 0.0, ())


def test_ages_are_counted_by_the_stores_clock(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    appended = ledger.append("s", counted()).event
    found = views.status()
    assert abs(found.at - appended.recorded_at) < timedelta(seconds=30)
    assert 0 <= view(found).lag_seconds < 30
    assert found.at.tzinfo is UTC


def test_a_poison_event_is_named_by_the_status_of_everybody(ledger: Any) -> None:
    views = views_of(ledger, tally("poisoned", Poisoned(2)), TALLY)
    event = ledger.append("s", [counted(), counted(), counted()])[1].event
    with pytest.raises(ProjectionFailed):
        views.catch_up()
    for anybody in (views, views_of(ledger, TALLY)):
        found = anybody.status()
        [failure] = view(found, "poisoned").failures
        assert (failure.bucket, failure.position) == (event.bucket, event.position)
        assert failure.event_id == event.event_id
        assert failure.error == "ZeroDivisionError: poison"
        assert not found.healthy
        [reason] = found.reasons
        assert "poisoned version 1" in reason
        assert repr(event.event_id) in reason
        assert (view(found).failures, view(found).lag_events) == ((), 0)
    assert not view(found, "poisoned").known


def test_a_strong_read_that_fails_is_enough_for_the_status_to_know(ledger: Any) -> None:
    views = views_of(ledger, tally("poisoned", Poisoned(1)))
    ledger.append("s", counted())
    for _ in range(2):
        with pytest.raises(ProjectionFailed):
            views.rows("poisoned", "s")
    assert len(view(views.status(), "poisoned").failures) == 1


def test_health_is_green_again_once_a_corrected_fold_passed_the_event(ledger: Any) -> None:
    fold = Poisoned(2)
    views = views_of(ledger, tally("poisoned", fold))
    ledger.append("s", [counted(), counted(), counted()])
    with pytest.raises(ProjectionFailed):
        views.catch_up()
    fold.broken = False
    assert not views.status().healthy, "nobody has folded yet"
    views.catch_up()
    assert views.status().healthy
    assert [row.sequences for row in views.rows("poisoned", "s")] == [[1, 2, 3]]


@pytest.mark.filterwarnings("ignore::projections.FoldChanged")  # which it is, on purpose
def test_a_later_failure_takes_the_place_of_the_one_before(ledger: Any) -> None:
    folds = Poisoned(1), Poisoned(3)
    ledger.append("s", [counted(), counted(), counted()])
    for fold in folds:
        with pytest.raises(ProjectionFailed):
            views_of(ledger, tally("poisoned", fold)).catch_up()
    [failure] = view(views_of(ledger, TALLY).status(), "poisoned").failures
    assert failure.position == 3


def test_a_poison_event_in_a_rebuild_turns_red_too(open_ledger: Any, url: str) -> None:
    ledger = open_ledger(buckets=1)
    views = views_of(ledger, V1)
    event = ledger.append("s", [counted(), counted()])[1].event
    views.catch_up()
    with sync_twin(ledger, url) as twin:
        Rebuild(twin, tally(apply=Poisoned(2), version=2)).run()
    found = views.status()
    assert not found.healthy
    assert [one.event_id for one in view(found, version=2).failures] == [event.event_id]
    assert (view(found, version=2).active, view(found, version=2).built) == (False, False)
    assert view(found).failures == ()


def test_only_the_version_that_is_read_must_keep_up(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=1)
    appended = ledger.append("s", counted()).event
    views_of(ledger, V1).catch_up()
    views = views_of(ledger, V1, tally(version=2))
    found = views.status(now=at(appended, 100))
    assert found.healthy
    assert view(found, version=2).lag_events == 1


@pytest.fixture
def consumed(ledger: Any) -> Callable[..., None]:
    """A session with three events, and a function that moves a consumer's mark."""
    ledger.append("s", [counted(), counted(), counted()])

    def mark(sequence: int, consumer: str = "summary") -> None:
        ledger.append("s", ConsumerOffsetAdvanced(consumer=consumer, sequence=sequence))

    return mark


def test_a_consumer_that_stopped_while_its_session_goes_on_is_unhealthy(
    ledger: Any, consumed: Any
) -> None:
    views = views_of(ledger, SESSIONS, CONSUMERS)
    consumed(3)
    views.catch_up()
    assert views.status().consumers == ()
    appended = ledger.append("s", [counted(), counted()])[0].event
    views.catch_up()
    assert views.status(now=at(appended, 3.9)).healthy
    found = views.status(now=at(appended, 4.1))
    [lag] = found.consumers
    assert (lag.session_id, lag.consumer, lag.sequence, lag.lag_events) == ("s", "summary", 3, 2)
    assert found.reasons == (
        "consumer 'summary' of session 's' of tenant '' is 2 events and 4.1 s behind",
    )
    consumed(6)
    views.catch_up()
    assert views.status(now=at(appended, 100)).healthy


def test_marks_are_no_events_that_a_consumer_is_behind(ledger: Any, consumed: Any) -> None:
    views = views_of(ledger, SESSIONS, CONSUMERS)
    consumed(3)
    consumed(3, "index")
    views.catch_up()
    assert views.status().consumers == ()


def marked(sequence: int, consumer: str = "summary") -> NewEvent:
    """Return an event that moves a consumer's mark."""
    return NewEvent({"consumer": consumer, "sequence": sequence}, "consumer.offset_advanced")


OTHERS = [f"other {number}" for number in range(CONSUMERS_MAX + 1)]


def test_a_consumer_that_stopped_is_found_among_many_that_spoke_later(ledger: Any) -> None:
    views = views_of(ledger, SESSIONS, CONSUMERS)
    left = ledger.append("s", [marked(0), counted()])[1].event
    ledger.append_many([Append(other, [counted(), marked(1)]) for other in OTHERS])
    views.catch_up()
    found = views.status(now=at(left, 4.1))
    assert [(lag.session_id, lag.lag_events) for lag in found.consumers] == [("s", 1)]
    assert found.reasons == (
        "consumer 'summary' of session 's' of tenant '' is 1 events and 4.1 s behind",
    )


def test_the_longest_lags_are_told_where_too_many_are_behind(ledger: Any) -> None:
    views = views_of(ledger, SESSIONS, CONSUMERS)
    ledger.append_many([Append(other, [marked(0)]) for other in OTHERS])
    left = ledger.append("s", [marked(0), counted()])[1].event
    ledger.append_many([Append(other, [counted()]) for other in OTHERS])
    views.catch_up()
    found = views.status(now=at(left, 100))
    assert len(found.consumers) == CONSUMERS_MAX
    assert (found.consumers[0].session_id, found.consumers[0].lag_events) == ("s", 1)


def test_what_lies_behind_very_many_marks_is_not_called_healthy(ledger: Any) -> None:
    views = views_of(ledger, SESSIONS, CONSUMERS)
    ledger.append("s", [counted(), marked(1), *(marked(9_999, "other") for _ in range(EVENTS_MAX))])
    views.catch_up()
    unknown = (
        "consumer 'summary' of session 's' of tenant '' left 1000 marks lying,"
        " and what lies behind them is not known",
    )  # perhaps nothing
    assert views.status().reasons == unknown
    ledger.append("s", counted())
    views.catch_up()
    assert (views.status().reasons, views.status().consumers) == (unknown, ())
    assert views.status(lag_seconds_max=None).healthy
    ledger.append("s", marked(EVENTS_MAX))
    views.catch_up()
    [lag] = views.status().consumers
    assert (lag.consumer, lag.lag_events) == ("summary", 1)


def test_what_a_session_had_before_it_was_deleted_is_left_by_nobody(ledger: Any) -> None:
    views = views_of(ledger, SESSIONS, CONSUMERS)
    ledger.append("s", [counted(), counted(), marked(0)])
    ledger.delete("s")
    ledger.append("s", marked(0))
    views.catch_up()
    assert views.status().consumers == ()
    ledger.append("s", counted())
    views.catch_up()
    assert [lag.lag_events for lag in views.status().consumers] == [1]


@pytest.mark.parametrize("sequence", [-(2**63), 2**63 - 1])
def test_a_mark_may_be_any_number_of_64_bits(open_ledger: Any, sequence: int) -> None:
    """Of a ledger whose catalogue lets it in."""
    ledger = open_ledger(catalogue=Catalogue())
    views = views_of(ledger, SESSIONS, CONSUMERS)
    ledger.append("s", [counted(), marked(sequence)])
    views.catch_up()
    assert len(views.status().consumers) == (sequence < 0)


def test_what_is_no_bound_and_no_moment_is_refused(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    for bound in (-1, "5", float("nan"), True):
        with pytest.raises(InvalidArgument, match="lag_seconds_max"):
            views.status(lag_seconds_max=bound)
    with pytest.raises(InvalidArgument, match="now"):
        views.status(now=datetime(2026, 1, 1))


def test_a_status_folds_nothing(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    ledger.append("s", NewEvent({}, "thing.unknown"))
    assert view(views.status()).lag_events == view(views.status()).lag_events == 1


class _Mute(Exception):
    """An error whose text nobody gets to see."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (ValueError("a\0b \ud800 \x1b[2J"), r"ValueError: a\x00b \ud800 \x1b[2J"),
        (ValueError("x" * 5_000), "ValueError: " + "x" * 988 + "…"),
        (_Mute(), "_Mute: its text cannot be told (RuntimeError)"),
    ],
    ids=["unstorable", "long", "mute"],
)
def test_a_failure_is_kept_whatever_the_fold_says(ledger: Any, error: Exception, kept: str) -> None:
    def apply(view: Any, event: Any) -> Any:
        raise error

    views = views_of(ledger, tally(apply=apply))
    ledger.append("s", counted())
    with pytest.raises(ProjectionFailed):
        views.catch_up()
    [failure] = view(views.status()).failures
    assert failure.error == kept
