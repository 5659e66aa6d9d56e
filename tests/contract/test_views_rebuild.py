"""A new version is built beside the old one, compared with it, switched to, and switched back."""

import multiprocessing
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
import pytest

from ledger import InvalidArgument, Ledger
from projections import FoldChanged, ProjectionFailed, Rebuild, VersionDropped
from tests.support.builders import sessions_in_buckets
from tests.support.rebuilds import DOUBLED2, SAME2, V1, V2, Tally2, record_of, sync_twin
from tests.support.views import TALLY, Tally, counted, dropped, stored, tally, views_of


@pytest.fixture
def filled(open_ledger: Any) -> Any:
    """A ledger of three buckets with a view of one version."""
    ledger = open_ledger(buckets=3)
    for session_id in sessions_in_buckets(ledger, 3):
        ledger.append(session_id, [counted(), counted("y"), counted("xy"), dropped("y")])
    views_of(ledger, V1).catch_up()
    return ledger


@pytest.fixture
def here(filled: Any, url: str) -> Iterator[Ledger]:
    """A sync ledger of the filled log."""
    with sync_twin(filled, url) as ledger:
        yield ledger


def test_on_a_new_database_the_highest_version_is_active(ledger: Any) -> None:
    views = views_of(ledger, V1, V2)
    ledger.append("s", counted())
    assert type(views.row("tally", ("", "s", "x"))) is Tally2
    first, second = views.versions()
    assert (first.version, first.active, first.built) == (1, False, False)
    assert (second.version, second.active, second.built) == (2, True, True)


def test_a_version_added_beside_a_filled_one_is_left_to_its_rebuild(filled: Any) -> None:
    views = views_of(filled, V1, V2)
    [session_id, *_] = sessions_in_buckets(filled, 3)
    for consistency in ("strong", "eventual"):
        assert type(views.row("tally", ("", session_id, "x"), consistency=consistency)) is Tally
    views.catch_up()
    added = record_of(views, 2)
    assert (added.active, added.built, added.positions) == (False, False, (0, 0, 0))


def test_a_rebuild_builds_and_a_switch_switches_for_everybody(filled: Any, here: Ledger) -> None:
    views, other = views_of(filled, V1, V2), views_of(filled, V1, V2)
    sessions = sessions_in_buckets(filled, 3)
    before = {s: stored(other, V1, s) for s in sessions}
    report = Rebuild(here, V2).run()
    assert (report.built, report.cancelled, report.failures, report.events) == (True, False, (), 12)
    compared = views.compare("tally")
    assert (compared.old, compared.new, compared.old_rows, compared.new_rows) == (1, 2, 3, 3)
    assert compared.same
    assert compared.old_checksum == compared.new_checksum
    assert {s: stored(other, V1, s) for s in sessions} == before

    views.switch("tally", 2)
    assert (record_of(views, 1).active, record_of(views, 2).active) == (False, True)
    for consistency in ("strong", "eventual"):
        rows = stored(other, V1, sessions[0], consistency=consistency)
        assert [(type(row), row.last_sequence) for row in rows.values()] == [(Tally2, 3)]
    views.switch("tally", 1)
    assert {s: stored(other, V1, s) for s in sessions} == before


def test_both_versions_are_kept_going_so_that_switching_back_needs_no_rebuild(
    filled: Any, here: Ledger
) -> None:
    views = views_of(filled, V1, V2)
    Rebuild(here, V2).run()
    views.switch("tally", 2)
    for session_id in sessions_in_buckets(filled, 3):
        filled.append(session_id, counted())
    views.catch_up()
    assert record_of(views, 1).positions == record_of(views, 2).positions == (5, 5, 5)
    assert views.compare("tally", old=1, new=2).same


def test_a_read_takes_every_built_version_along(filled: Any, here: Ledger) -> None:
    views = views_of(filled, V1, V2)
    Rebuild(here, V2).run()
    [session_id, *_] = sessions_in_buckets(filled, 3)
    bucket = filled.append(session_id, counted()).event.bucket
    views.rows("tally", session_id)
    assert record_of(views, 2).positions[bucket] == record_of(views, 1).positions[bucket] == 5


def test_only_what_is_built_is_switched_to(filled: Any) -> None:
    views = views_of(filled, V1, V2)
    with pytest.raises(InvalidArgument, match="rebuild it first"):
        views.switch("tally", 2)
    with pytest.raises(InvalidArgument, match="know no version 3"):
        views.switch("tally", 3)
    assert record_of(views, 1).active


def test_switching_to_the_active_version_changes_nothing(filled: Any) -> None:
    views = views_of(filled, V1, V2)
    views.switch("tally", 1)
    assert (record_of(views, 1).active, record_of(views, 2).active) == (True, False)


def test_a_process_that_knows_one_version_reads_that(filled: Any, here: Ledger) -> None:
    old = views_of(filled, V1)
    [session_id, *_] = sessions_in_buckets(filled, 3)
    Rebuild(here, V2).run()
    views_of(filled, V1, V2).switch("tally", 2)
    filled.append(session_id, counted())
    assert old.row("tally", ("", session_id, "x")) == Tally(
        tenant="", session_id=session_id, name="x", count=3, sequences=[1, 3, 5]
    )
    new = views_of(filled, V2)
    assert new.row("tally", ("", session_id, "x")).last_sequence == 5


def test_a_version_alone_counts_as_built_once_it_was_at_the_end(filled: Any) -> None:
    views = views_of(filled, V2)
    assert not record_of(views, 2).built
    views.catch_up()
    assert record_of(views, 2).built
    views_of(filled, V1, V2).switch("tally", 2)


def test_the_active_version_is_not_dropped_and_others_are(filled: Any, here: Ledger) -> None:
    old, views = views_of(filled, V1), views_of(filled, V1, V2)
    [session_id, *_] = sessions_in_buckets(filled, 3)
    old.catch_up()
    Rebuild(here, V2).run()
    with pytest.raises(InvalidArgument, match="version 1 of tally is active"):
        views.drop("tally", 1)
    views.switch("tally", 2)
    views.drop("tally", 1)
    filled.append(session_id, counted())
    assert views.row("tally", ("", session_id, "x")).last_sequence == 5
    assert record_of(views, 1).positions == ()
    with pytest.raises(InvalidArgument, match="no version 1"):
        views.drop("tally", 1)
    with pytest.raises(VersionDropped):
        old.row("tally", ("", session_id, "x"))


def test_a_dropped_version_can_be_rebuilt(filled: Any, here: Ledger) -> None:
    views = views_of(filled, V1, V2)
    Rebuild(here, V2).run()
    views.drop("tally", 2)
    assert Rebuild(here, V2).run().built
    assert views.compare("tally").same


def test_a_comparison_names_the_rows_that_differ(filled: Any, here: Ledger) -> None:
    first, second, _ = sessions_in_buckets(filled, 3)

    def apply(view: Any, event: Any) -> Any:
        if event.session_id == first:
            return None
        row = V1.apply(view, event)
        return row and msgspec.structs.replace(row, count=row.count + (event.session_id == second))

    changed = tally(apply=apply, version=2)
    Rebuild(here, changed).run()
    views = views_of(filled, V1, changed)
    found = views.compare("tally", old=1, new=2)
    assert (found.old_rows, found.new_rows, found.differing, found.same) == (3, 2, 2, False)
    assert found.old_checksum != found.new_checksum
    by_session = {one.key[1]: one for one in found.differences}
    assert set(by_session) == {first, second}
    assert (by_session[first].only_in, by_session[first].fields["count"]) == (1, (2, None))
    assert (by_session[second].only_in, by_session[second].fields) == (None, {"count": (2, 4)})
    assert len(views.compare("tally", limit=1).differences) == 1
    assert views.compare("tally", limit=0).differing == 2


def test_two_versions_of_one_number_or_of_two_keys_are_refused(ledger: Any) -> None:
    with pytest.raises(InvalidArgument, match="twice"):
        views_of(ledger, V1, V1)
    other = msgspec.structs.replace(V2, key=("tenant", "name", "session_id"))
    with pytest.raises(InvalidArgument, match="different keys"):
        views_of(ledger, V1, other)


def test_a_poisoned_bucket_stops_alone_and_goes_on_when_the_fold_is_corrected(
    filled: Any, here: Ledger
) -> None:
    first, *_ = sessions_in_buckets(filled, 3)
    poison = filled.append(first, counted("z")).event
    filled.append(first, counted())

    def apply(view: Any, event: Any) -> Any:
        if event.data["name"] == "z":
            raise ZeroDivisionError("poison")
        return V1.apply(view, event)

    report = Rebuild(here, tally(apply=apply, version=2)).run()
    [failure] = report.failures
    assert isinstance(failure, ProjectionFailed)
    assert (failure.bucket, failure.position) == (poison.bucket, poison.position)
    assert (failure.event_id, report.built) == (poison.event_id, False)
    views = views_of(filled, V1, tally(version=2))
    with pytest.warns(FoldChanged, match="fold of projection tally changed"):
        views.versions()
    places = record_of(views, 2).positions
    assert places[poison.bucket] == poison.position - 1
    assert sorted(places) == [4, 4, 4]
    assert stored(views, V1, first)  # readers are not held up

    with pytest.warns(FoldChanged, match="Other code has begun version 2 of projection tally"):
        again = Rebuild(here, tally(version=2)).run()
    assert (again.built, again.events, again.changed) == (True, 2, True)
    assert views.compare("tally").same


def test_a_rebuild_that_other_code_began_says_so_until_it_is_dropped_or_accepted(
    filled: Any, here: Ledger
) -> None:
    assert record_of(views_of(filled, V1, DOUBLED2), 2).positions == (0, 0, 0)
    # Nothing is folded yet, so that nothing is left of that code.
    mended = Rebuild(here, SAME2).run()
    assert (mended.built, mended.changed) == (True, False)
    views = views_of(filled, V1, SAME2)
    assert (record_of(views, 2).changed, views.compare("tally").same) == (False, True)
    views.drop("tally", 2)

    began = Rebuild(here, DOUBLED2, on_progress=lambda _: began.cancel())
    assert 0 < began.run().events < 12
    with pytest.warns(FoldChanged, match="Drop the version and rebuild all of it"):
        mixed = Rebuild(here, SAME2).run()
    assert (mixed.built, mixed.changed) == (True, True)
    assert not views.compare("tally").same
    views.drop("tally", 2)
    anew = Rebuild(here, SAME2).run()
    assert (anew.built, anew.changed, anew.events) == (True, False, 12)
    assert views.compare("tally").same

    with pytest.warns(FoldChanged):
        assert Rebuild(here, DOUBLED2).run().changed
    views_of(filled, V1, DOUBLED2).accept("tally", 2)
    assert not Rebuild(here, DOUBLED2).run().changed


def test_a_changed_fold_is_reported_until_its_version_is_raised_or_accepted(filled: Any) -> None:
    def apply(view: Any, event: Any) -> Any:
        return V1.apply(view, event)

    changed = tally(apply=apply)
    views = views_of(filled, changed)
    with pytest.warns(FoldChanged) as caught:
        views.catch_up()
    assert len(caught) == 1
    views.catch_up()  # once is enough
    found = record_of(views, 1)
    assert (found.changed, len(found.stored_digest), len(found.code_digest)) == (True, 64, 64)
    assert not record_of(views_of(filled, V1), 1).changed

    views.accept("tally", 1)
    assert not record_of(views_of(filled, changed), 1).changed
    with pytest.warns(FoldChanged):
        views_of(filled, V1).catch_up()


def test_a_built_version_whose_fold_fails_later_does_not_disturb_readers(
    filled: Any, here: Ledger
) -> None:
    first, *_ = sessions_in_buckets(filled, 3)

    def apply(view: Any, event: Any) -> Any:
        if event.data["name"] == "z":
            raise ZeroDivisionError("poison")
        return V1.apply(view, event)

    poisoned = tally(apply=apply, version=2)
    Rebuild(here, poisoned).run()
    views = views_of(filled, V1, poisoned)
    filled.append(first, [counted("z"), counted()])
    assert views.row("tally", ("", first, "x")).count == 3
    with pytest.raises(ProjectionFailed):
        views.catch_up()
    with pytest.raises(ProjectionFailed):
        views.switch("tally", 2)
    assert record_of(views, 1).active


def test_a_cancelled_rebuild_goes_on_where_it_stopped(filled: Any, here: Ledger) -> None:
    rebuild = Rebuild(here, V2, on_progress=lambda one: one.events >= 4 and rebuild.cancel())
    report = rebuild.run()
    assert (report.cancelled, report.built, report.events) == (True, False, 4)
    again = Rebuild(here, V2).run()
    assert (again.cancelled, again.built, again.events) == (False, True, 8)
    assert views_of(filled, V1, V2).compare("tally").same


def test_progress_is_told_from_where_the_rebuild_stands_to_the_end(
    filled: Any, here: Ledger
) -> None:
    seen: list[Any] = []
    Rebuild(here, V2, on_progress=seen.append).run()
    assert [(one.events, one.events_total) for one in seen] == [(n, 12) for n in (0, 4, 8, 12)]
    assert seen[0].left_s is None
    assert seen[-1].left_s == 0
    assert seen[-1].events_per_second > 0


def test_a_throttled_rebuild_keeps_the_rate(filled: Any, here: Ledger) -> None:
    report = Rebuild(here, V2, events_per_second=60).run()
    assert (report.built, report.events) == (True, 12)
    assert report.seconds >= 12 / 60


def test_a_rebuild_of_what_is_built_does_nothing(filled: Any, here: Ledger) -> None:
    report = Rebuild(here, TALLY).run()
    assert (report.built, report.events) == (True, 0)


def test_wrong_arguments_are_refused(filled: Any, here: Ledger) -> None:
    for options in (
        {"processes": -1},
        {"processes": 2},
        {"events_per_second": 0},
        {"events_per_second": float("nan")},
        {"on_progress": 5},
        {"processes": 2, "open_ledger": 5},
    ):
        with pytest.raises(InvalidArgument):
            Rebuild(here, V2, **options)


def opened_beside(shared: Any, url: str) -> Ledger:
    return Ledger.open(url)


def test_what_other_processes_cannot_find_by_name_is_refused(filled: Any, here: Ledger) -> None:
    lost = msgspec.structs.replace(V2, apply=lambda row, event: row)
    opens = partial(Ledger.open, "memory:")
    for name, projection, open_ledger in (
        ("open_ledger", V2, lambda: Ledger.open("memory:")),
        ("projection", lost, opens),
    ):
        with pytest.raises(InvalidArgument, match=f"{name}: .* at the top of a module"):
            Rebuild(here, projection, processes=2, open_ledger=open_ledger)


@pytest.mark.parametrize("kind", ["Lock", "Queue", "Event"])
def test_what_processes_share_may_be_in_what_opens_their_ledger(
    filled: Any, here: Ledger, kind: str
) -> None:
    shared = getattr(multiprocessing.get_context("spawn"), kind)()
    Rebuild(here, V2, processes=2, open_ledger=partial(opened_beside, shared, "memory:"))


def test_processes_that_open_another_ledger_fold_nothing(filled: Any, here: Ledger) -> None:
    elsewhere = partial(Ledger.open, "memory:")
    with pytest.raises(InvalidArgument, match="open_ledger: it opens another ledger"):
        Rebuild(here, V2, processes=1, open_ledger=elsewhere).run()
