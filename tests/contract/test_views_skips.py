"""An event that cannot be folded is let pass only on demand, and that is on record for good."""

from typing import Any

import pytest

from ledger import CallError, InvalidArgument
from projections import ProjectionFailed, Rebuild, Skip
from tests.support.builders import on_memory, only_sync, sessions_in_buckets
from tests.support.rebuilds import V1, sync_twin
from tests.support.views import TALLY, Poisoned, counted, tally, views_of

WHY: dict[str, Any] = {"reason": "a crawler wrote rubbish", "by": "kim"}


def stopped(ledger: Any, sequence: int = 2) -> Any:
    """Return views of four counted events, stopped at one of them."""
    views = views_of(ledger, tally("poisoned", Poisoned(sequence)), TALLY)
    ledger.append("s", [counted() for _ in range(4)])
    with pytest.raises(ProjectionFailed):
        views.catch_up()
    return views


def sequences(views: Any, name: str = "poisoned") -> list[int]:
    """Return the sequences that are in the row of a session."""
    [row] = views.rows(name, "s")
    found: list[int] = row.sequences
    return found


def skips(views: Any) -> list[Skip]:
    """Return all skips on record."""
    return [skip for view in views.status().views for skip in view.skips]


def test_a_skipped_event_is_left_out_and_the_view_goes_on(ledger: Any) -> None:
    views = stopped(ledger)
    failure = next(one for view in views.status().views for one in view.failures)
    skip = views.skip("poisoned", bucket=failure.bucket, position=failure.position, **WHY)
    assert (skip.event_id, skip.error) == (failure.event_id, "ZeroDivisionError: poison")
    assert (skip.reason, skip.by) == ("a crawler wrote rubbish", "kim")
    assert sequences(views) == [1, 3, 4]
    assert sequences(views, "tally") == [1, 2, 3, 4]
    assert views.status().healthy
    assert skips(views) == skips(views_of(ledger, TALLY)) == [skip]


def unstorable(view: Any, event: Any) -> Any:
    raise ValueError("a\0b \ud800")


def test_a_skip_is_on_record_whatever_the_fold_said(ledger: Any) -> None:
    views = views_of(ledger, tally(apply=unstorable))
    ledger.append("s", counted())
    with pytest.raises(ProjectionFailed):
        views.catch_up()
    bucket, position = place(ledger, 1)
    skip = views.skip("tally", bucket=bucket, position=position, **WHY)
    assert skip.error == r"ValueError: a\x00b \ud800"
    assert skips(views) == [skip]
    assert views.status().healthy


def test_the_past_leaves_a_skipped_event_out_as_well(ledger: Any) -> None:
    views = stopped(ledger)
    views.skip("poisoned", bucket=place(ledger)[0], position=2, **WHY)
    key = ("", "s", "x")
    assert views.row("poisoned", key, as_of=3).sequences == [1, 3]
    [change] = [one for one in views.diff("poisoned", key, 1, 3) if one.field == "count"]
    assert (change.before, change.after) == (1, 2)


def test_others_go_on_behind_a_skipped_event(ledger: Any) -> None:
    views = stopped(ledger)
    others = views_of(ledger, tally("poisoned", Poisoned(2)))
    views.skip("poisoned", bucket=place(ledger)[0], position=2, **WHY)
    assert sequences(others) == [1, 3, 4]


def place(ledger: Any, sequence: int = 2) -> tuple[int, int]:
    """Return the place of an event in the log."""
    [event] = ledger.read("s", after=sequence - 1, limit=1)
    return event.bucket, event.position


@pytest.mark.parametrize("broken", [True, False])
def test_a_version_that_is_made_anew_leaves_the_event_out_again(
    open_ledger: Any, url: str, broken: bool
) -> None:
    ledger = open_ledger(buckets=1)
    fold = Poisoned(2)
    second = tally(apply=fold, version=2)
    ledger.append("s", [counted() for _ in range(4)])
    views_of(ledger, V1).catch_up()
    views = views_of(ledger, V1, second)
    with sync_twin(ledger, url) as twin:
        [failure] = Rebuild(twin, second).run().failures
        views.skip("tally", version=2, bucket=0, position=failure.position, **WHY)
        assert Rebuild(twin, second).run().built
        views.drop("tally", 2)
        fold.broken = broken
        again = views_of(ledger, V1, second)
        assert Rebuild(twin, second).run().built
    again.switch("tally", 2)
    assert sequences(again, "tally") == [1, 3, 4]
    assert len(skips(again)) == 1


@pytest.mark.parametrize("position", [1, 3, 4, 5, 0])
def test_only_the_event_at_which_the_view_stands_can_be_skipped(ledger: Any, position: int) -> None:
    views = stopped(ledger)
    with pytest.raises(InvalidArgument, match="position"):
        views.skip("poisoned", bucket=place(ledger)[0], position=position, **WHY)
    assert skips(views) == []
    with pytest.raises(ProjectionFailed):
        views.rows("poisoned", "s")


@pytest.mark.filterwarnings("ignore::projections.FoldChanged")  # which it is, on purpose
def test_what_can_be_folded_by_now_is_not_skipped(ledger: Any) -> None:
    stopped(ledger)
    fold = Poisoned(2)
    fold.broken = False
    fixed = views_of(ledger, tally("poisoned", fold))
    with pytest.raises(InvalidArgument, match="not stopped there"):
        fixed.skip("poisoned", bucket=place(ledger)[0], position=2, **WHY)
    assert sequences(fixed) == [1, 2, 3, 4]
    assert skips(fixed) == []


def test_a_view_that_is_not_stopped_has_nothing_to_skip(ledger: Any) -> None:
    views = stopped(ledger)
    with pytest.raises(InvalidArgument, match="not stopped there"):
        views.skip("tally", bucket=place(ledger)[0], position=2, **WHY)
    with pytest.raises(InvalidArgument, match="version"):
        views.skip("tally", bucket=place(ledger)[0], position=2, version=3, **WHY)


def test_the_same_event_is_skipped_once(ledger: Any) -> None:
    views = stopped(ledger)
    bucket, position = place(ledger)
    views.skip("poisoned", bucket=bucket, position=position, **WHY)
    with pytest.raises(InvalidArgument, match="not stopped there"):
        views.skip("poisoned", bucket=bucket, position=position, **WHY)
    assert len(skips(views)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": ""},
        {"reason": " "},
        {"by": ""},
        {"by": 7},
        {"reason": "x" * 5_000},
        {"bucket": 9_999},
    ],
    ids=str,
)
def test_a_skip_says_who_and_why_and_where(ledger: Any, wrong: dict[str, Any]) -> None:
    views = stopped(ledger)
    bucket, position = place(ledger)
    given = {"bucket": bucket, "position": position, **WHY, **wrong}
    with pytest.raises(CallError, match=next(iter(wrong))):
        views.skip("poisoned", **given)
    assert skips(views) == []


@on_memory
@only_sync
def test_a_deletion_is_never_skipped(ledger: Any) -> None:
    """Its session's rows would stay; alone it folds, even where its page holds a broken row."""
    views = views_of(ledger, TALLY)
    ledger.append("s", counted("x"))
    ledger.append("other", counted("x"))
    views.catch_up()
    ledger.delete("s")
    ledger.append("other", counted("x"))
    [rows] = views._reader.projector._views._state.rows["view_tally_v1"]
    rows._groups["", "other"]["", "other", "x"] = (*rows["", "other", "x"][:-1], "no JSON")
    with pytest.raises(ProjectionFailed):
        views.catch_up()
    with pytest.raises(InvalidArgument, match="not stopped there"):
        views.skip("tally", bucket=0, position=3, **WHY)
    assert ("", "s", "x") not in rows
    assert views.positions("tally") == (3,)


def test_other_buckets_keep_their_events_at_the_same_position(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=2)
    first, second = sessions_in_buckets(ledger, 2)
    views = views_of(ledger, tally("poisoned", Poisoned(2)))
    for session_id in (first, second):
        ledger.append(session_id, [counted() for _ in range(3)])
    with pytest.raises(ProjectionFailed):
        views.catch_up()
    bucket = ledger.door.bucket("", first)
    views.skip("poisoned", bucket=bucket, position=2, **WHY)
    assert [row.sequences for row in views.rows("poisoned", first)] == [[1, 3]]
    with pytest.raises(ProjectionFailed):
        views.rows("poisoned", second)
