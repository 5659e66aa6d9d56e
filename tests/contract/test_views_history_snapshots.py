"""Snapshots make the past of a long session quick; they are a cache and never the truth."""

import inspect
from typing import Any

import msgspec
import pytest

from ledger import NewEvent, Upcasts
from projections import MESSAGES, SESSIONS, ProjectionFailed, Rebuild
from projections.backends.row_queries import RowQuery
from projections.engine.folding import Change
from projections.engine.row_snapshots import ROW_SNAPSHOTS, SNAPSHOT_EVENTS, RowSnapshot
from tests.support.blocking import Blocking
from tests.support.builders import notes, on_durable, together
from tests.support.rebuilds import sync_twin
from tests.support.views import TALLY, Tally, counted, dropped, folded, tally, tally_apply, views_of

LENGTH = 4 * SNAPSHOT_EVENTS + 300
SESSION = ("", "s")
PLACES = (1, 499, 500, 501, 999, 1_250, 1_999, 2_000, 2_001, LENGTH)


@pytest.fixture
def long(ledger: Any) -> Any:
    """A ledger with one session of several times what one fold may read."""
    ledger.append("s", [NewEvent({"agent_id": "a"}, "session.created"), *notes("x" * 699)])
    message = {"role": "user", "content": "once", "message_id": "m"}
    ledger.append("s", NewEvent(message, "message.appended"))
    ledger.append("s", notes("x" * (LENGTH - 701)))
    return ledger


def storage(views: Any) -> Any:
    """The storage behind views of either style."""
    if isinstance(views, Blocking):
        return Blocking(views._target._reader._views, views._loop)
    return views._reader._views


def snapshots(views: Any, ledger: Any, session_id: str = "s") -> list[RowSnapshot]:
    query = RowQuery(
        table=ROW_SNAPSHOTS,
        bucket=ledger.door.bucket("", session_id),
        equal=(("tenant", ""), ("session_id", session_id)),
        order=("row_sha256", "place"),
    )
    return [ROW_SNAPSHOTS.decode(row) for row in storage(views).select(query)]


def store(views: Any, ledger: Any, change: Change) -> None:
    assert storage(views).store(ledger.door.bucket("", "s"), [change])


def counted_reads(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by the number of events with every read of the log."""
    backend, counts = ledger.backend, []
    read = backend.read

    async def counting_async(query: Any) -> Any:
        records = await read(query)
        counts.append(len(records))
        return records

    def counting(query: Any) -> Any:
        records = read(query)
        counts.append(len(records))
        return records

    is_async = inspect.iscoroutinefunction(read)
    monkeypatch.setattr(backend, "read", counting_async if is_async else counting)
    return counts


def counts_of(views: Any) -> list[int]:
    return [views.session("s", as_of=place).event_count for place in PLACES]


def test_after_the_first_time_a_fold_reads_few_events(
    long: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = views_of(long, SESSIONS)
    reads = counted_reads(long, monkeypatch)
    assert views.session("s", as_of=800).event_count == 800
    assert sum(reads) <= LENGTH
    for place in range(1, LENGTH + 1, 53):
        reads.clear()
        assert views.session("s", as_of=place).event_count == place
        assert sum(reads) <= SNAPSHOT_EVENTS


def test_another_process_finds_the_snapshots(long: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    views_of(long, SESSIONS).session("s", as_of=LENGTH)
    reads = counted_reads(long, monkeypatch)
    assert views_of(long, SESSIONS).session("s", as_of=1_999).event_count == 1_999
    assert sum(reads) <= SNAPSHOT_EVENTS


def test_a_session_that_grew_is_folded_on_from_its_last_snapshot(
    long: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = views_of(long, SESSIONS)
    views.session("s", as_of=LENGTH)
    long.append("s", notes("x" * 600))
    reads = counted_reads(long, monkeypatch)
    assert views.session("s", as_of=LENGTH + 600).event_count == LENGTH + 600
    assert sum(reads) <= 2 * SNAPSHOT_EVENTS
    reads.clear()
    assert views.session("s", as_of=LENGTH + 599).event_count == LENGTH + 599
    assert sum(reads) <= SNAPSHOT_EVENTS


def test_a_row_has_one_snapshot_per_stretch_that_touched_it(long: Any) -> None:
    views = views_of(long, SESSIONS)
    views.session("s", as_of=LENGTH)
    assert [int(one.place) for one in snapshots(views, long)] == [500, 1_000, 1_500, 2_000]


def test_a_row_that_is_touched_once_has_two(long: Any) -> None:
    views = views_of(long, MESSAGES)
    key = ("", "s", "m")
    for place in (LENGTH, 700, 701, 1_400):
        found = views.row("messages", key, as_of=place)
        assert (found is not None) == (place >= 701)
    kept = [(int(one.place), one.upto) for one in snapshots(views, long)]
    assert kept == [(0, 500), (1_000, 2_000)]


def test_a_row_that_went_behind_a_snapshot_is_gone(ledger: Any) -> None:
    there = [counted("a"), *(counted("b") for _ in range(SNAPSHOT_EVENTS))]
    ledger.append("s", [*there, dropped("a"), counted("b")])
    views = views_of(ledger, TALLY)
    for _ in range(2):
        assert views.row("tally", ("", "s", "a"), as_of=len(there) + 2) is None
        assert views.row("tally", ("", "s", "a"), as_of=len(there)).count == 1


def test_a_short_session_has_none(ledger: Any) -> None:
    ledger.append("s", notes("x" * (SNAPSHOT_EVENTS - 1)))
    views = views_of(ledger, SESSIONS)
    assert views.session("s", as_of=SNAPSHOT_EVENTS - 1).event_count == SNAPSHOT_EVENTS - 1
    assert snapshots(views, ledger) == []


def test_many_may_ask_at_once(long: Any) -> None:
    views = [views_of(long, SESSIONS) for _ in range(4)]
    found = together([lambda one=one: counts_of(one) for one in views])
    assert found == [list(PLACES)] * 4
    assert len(snapshots(views[0], long)) == 4


def forged(snapshot: RowSnapshot) -> RowSnapshot:
    """The snapshot with another number in it, as a disk or a hand may have put it there."""
    assert snapshot.row_json is not None
    assert f",{int(snapshot.place)}," in snapshot.row_json
    text = snapshot.row_json.replace(f",{int(snapshot.place)},", ",7,")
    return msgspec.structs.replace(snapshot, row_json=text)


def of_another_fold(snapshot: RowSnapshot) -> RowSnapshot:
    """The snapshot as a fold of another version would have left it."""
    other = msgspec.structs.replace(forged(snapshot), fold_digest="0:other")
    return other.held(other.upto)


@pytest.mark.parametrize("spoilt", [forged, of_another_fold])
@pytest.mark.parametrize("which", [slice(None), slice(1, 2), slice(-1, None)], ids=str)
def test_a_snapshot_that_does_not_serve_is_ignored_and_made_again(
    long: Any, spoilt: Any, which: slice
) -> None:
    views = views_of(long, SESSIONS)
    views.session("s", as_of=LENGTH)
    good = snapshots(views, long)
    rows = [ROW_SNAPSHOTS.encode(spoilt(snapshot)) for snapshot in good[which]]
    store(views, long, Change(ROW_SNAPSHOTS, 0, 0, rows))
    assert snapshots(views, long) != good
    assert counts_of(views) == list(PLACES)
    assert snapshots(views, long) == good


@pytest.mark.parametrize("which", [slice(None), slice(1, 2), slice(-1, None)], ids=str)
def test_snapshots_that_are_gone_are_missed_by_nobody(long: Any, which: slice) -> None:
    views = views_of(long, SESSIONS)
    views.session("s", as_of=LENGTH)
    keys = [ROW_SNAPSHOTS.key_of(snapshot) for snapshot in snapshots(views, long)]
    store(views, long, Change(ROW_SNAPSHOTS, 0, 0, gone=keys[which]))
    assert counts_of(views) == list(PLACES)


def times(number: int) -> Any:
    """A fold that counts every event so many times."""

    def apply(view: Any, event: Any) -> Any:
        for _ in range(number):
            view = tally_apply(view, event)
        return view

    return apply


def test_old_and_new_code_keep_snapshots_side_by_side(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.append("s", [counted("a") for _ in range(1_100)])
    ledger.append("s", NewEvent({"agent_id": "a"}, "session.created"))
    key = ("", "s", "a")
    old = views_of(ledger, tally())
    new = views_of(ledger, tally(apply=times(2), version=2), SESSIONS)
    for _ in range(2):
        assert new.session("s", as_of=1_101).event_count == 1_101
        assert old.row("tally", key, as_of=1_050).count == 1_050
        assert new.row("tally", key, as_of=1_050).count == 2_100
    assert len(snapshots(old, ledger)) == 6
    reads = counted_reads(ledger, monkeypatch)
    for views, factor in ((old, 1), (new, 2), (old, 1), (new, 2)):
        reads.clear()
        assert views.row("tally", key, as_of=1_050).count == 1_050 * factor
        assert sum(reads) <= 50


def test_a_row_has_snapshots_of_so_many_folds_and_no_more(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.readers.history.FOLDS_MAX", 3)
    ledger.append("s", [counted("ab"[n % 2]) for n in range(600)])
    views = [views_of(ledger, tally(version=version)) for version in range(1, 6)]
    views[0].row("tally", ("", "s", "b"), as_of=600)
    lengths = []
    for one in views:
        for _ in range(2):
            assert one.row("tally", ("", "s", "a"), as_of=600).count == 300
        lengths.append(len(snapshots(one, ledger)))
    assert lengths == [2, 3, 4, 2, 3]


def by(number: int) -> Any:
    """An upcaster that says by how much is counted."""
    return lambda data: {"name": "a" * number}


def first_letter(event: Any) -> Any:
    return [(event.tenant, event.session_id, event.data["name"][0])]


def lengths_added(view: Any, event: Any) -> Any:
    view = view or Tally(tenant=event.tenant, session_id=event.session_id, name="a")
    return msgspec.structs.replace(view, count=view.count + len(event.data["name"]))


@on_durable
@pytest.mark.filterwarnings("ignore::projections.FoldChanged")  # which it is, on purpose
def test_other_upcasters_make_snapshots_of_their_own(open_ledger: Any) -> None:
    adding = msgspec.structs.replace(TALLY, keys=first_letter, apply=lengths_added)
    ledgers = []
    for number in (1, 10):
        upcasts = Upcasts()
        upcasts.register("thing.counted", from_version=1, upcaster=by(number))
        ledgers.append(open_ledger(upcasts=upcasts))
    ledgers[0].append("s", [counted("b") for _ in range(1_100)])
    for _ in range(2):
        for ledger, number in zip(ledgers, (1, 10), strict=True):
            views = views_of(ledger, adding)
            [row] = views.rows("tally", "s", as_of=1_050)
            assert row == views.row("tally", ("", "s", "a"), as_of=1_050)
            assert row.count == 1_050 * number


def test_a_deletion_removes_them_with_the_rows(long: Any) -> None:
    views = views_of(long, SESSIONS)
    views.session("s", as_of=LENGTH)
    views.catch_up()
    assert len(snapshots(views, long)) == 4
    long.delete("s")
    views.catch_up()
    assert snapshots(views, long) == []


def test_a_rebuild_that_folds_the_deletion_removes_them_too(long: Any, url: str) -> None:
    views = views_of(long, SESSIONS)
    views.session("s", as_of=LENGTH)
    assert len(snapshots(views, long)) == 4
    long.delete("s")
    with sync_twin(long, url) as here:
        Rebuild(here, SESSIONS).run()
    assert snapshots(views, long) == []


def test_nothing_of_a_deleted_session_comes_back_into_them(long: Any) -> None:
    views = views_of(long, SESSIONS)
    views.session("s", as_of=LENGTH)
    long.delete("s")
    long.append("s", notes("y" * 1_200))
    assert views.session("s", as_of=LENGTH) is None
    head = LENGTH + 1 + 1_200
    assert [views.session("s", as_of=head).event_count for _ in range(2)] == [1_200, 1_200]
    views.catch_up()
    assert views.row("sessions", SESSION, as_of=LENGTH, deleted=True).event_count == LENGTH
    assert all(int(one.place) > LENGTH for one in snapshots(views, long))


def test_a_fold_that_fails_further_on_is_no_matter(ledger: Any) -> None:
    def apply(view: Any, event: Any) -> Any:
        if event.sequence == 1_150:
            raise RuntimeError("no")
        return tally_apply(view, event)

    ledger.append("s", [counted("a") for _ in range(1_400)])
    views = views_of(ledger, tally(apply=apply))
    key = ("", "s", "a")
    for _ in range(2):
        assert views.row("tally", key, as_of=1_149).count == 1_149
        with pytest.raises(ProjectionFailed):
            views.row("tally", key, as_of=1_150)
    assert [int(one.place) for one in snapshots(views, ledger)] == [500, 1_000]


@pytest.mark.parametrize("projection", [SESSIONS, MESSAGES, TALLY], ids=lambda one: one.name)
def test_rows_that_went_through_a_snapshot_are_what_folding_gives(
    ledger: Any, projection: Any
) -> None:
    turn = [
        NewEvent(
            {"agent_id": "a", "metadata": {"f": 1.5}, "labels": {"é": "\n"}}, "session.created"
        ),
        NewEvent({"role": "user", "content": "hi", "message_id": "m"}, "message.appended"),
        counted("ab"),
        counted("a"),
        NewEvent({"model": "m", "cost_usd": 0.1, "input_tokens": 3}, "usage.recorded"),
    ]
    for turns in range(6):
        ledger.append(
            "s",
            [
                msgspec.structs.replace(one, event_id=f"{n}-{turns}")
                for n, one in enumerate(turn * 50)
            ],
        )
    views = views_of(ledger, projection)
    events = ledger.read("s")
    for place in (1_500, 1_499, 1_001, 1_000, 999, 3):
        rows = folded(projection, events[:place])
        for key in rows:
            assert views.row(projection.name, key, as_of=place) == rows[key]
