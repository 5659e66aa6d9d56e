"""The engine on a log in memory, stepped so that two projectors meet where it hurts."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from ledger import IntegrityError, Ledger, NewEvent
from ledger.plans import Plan, run
from projections import ProjectionFailed
from projections.backends.base import Instant, Instants
from projections.backends.memory import MemoryViews
from projections.engine.folding import Change
from projections.engine.projector import Projector
from projections.engine.tables import Key, Row, Table
from projections.readers.reading import Reader
from tests.support.views import TALLY, counted, tally, tally_apply

Wanted = Sequence[tuple[Table, Sequence[Key]]]


class Watched:
    """A storage that calls back before it loads or stores, and notes the moves."""

    def __init__(self, views: MemoryViews) -> None:
        self._views = views
        self.before_load: Callable[[], None] = lambda: None
        self.before_store: Callable[[], None] = lambda: None
        self.moves: list[tuple[str, int, int]] = []
        self.loads = 0
        #: By projection, what stands behind the tenant in the keys that were loaded.
        self.asked: list[tuple[str, list[str]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._views, name)

    def load(self, bucket: int, wanted: Wanted) -> list[dict[Key, Row]]:
        self.loads += 1
        self.asked += [(table.projection.name, [key[1] for key in keys]) for table, keys in wanted]
        hook, self.before_load = self.before_load, lambda: None
        hook()
        return self._views.load(bucket, wanted)

    def store(self, bucket: int, changes: Sequence[Change], *, durable: bool = True) -> bool:
        hook, self.before_store = self.before_store, lambda: None
        hook()
        stored = self._views.store(bucket, changes, durable=durable)
        if stored:
            self.moves += [(c.table.projection.name, c.before, c.after) for c in changes]
        return stored


@pytest.fixture
def ledger() -> Ledger:
    return Ledger.open("memory:")


@pytest.fixture
def views(ledger: Ledger) -> Any:
    return Watched(MemoryViews(ledger.backend))  # type: ignore[arg-type]  # it is a memory ledger


def projector(ledger: Ledger, views: Any, *projections: Any, batch: int = 500) -> Projector:
    tables = [Table(projection) for projection in projections or (TALLY,)]
    views.prepare(tables)
    return Projector(ledger.backend, views, tables, ledger.upcasts, batch)


def rows(views: Any, name: str = "view_tally_v1") -> list[Any]:
    return [row[3:] for row in views._state.rows[name][0].values()]


@pytest.mark.parametrize("moment", ["before_load", "before_store"])
def test_whoever_finds_the_checkpoint_moved_starts_again(
    ledger: Ledger, views: Any, moment: str
) -> None:
    slow, fast = projector(ledger, views), projector(ledger, views)
    ledger.append("s", counted())  # of a session that begins in the page nothing is loaded
    run(fast.catch_up(None))
    ledger.append("s", [counted(), counted()])
    setattr(views, moment, lambda: run(fast.catch_up(None)))
    run(slow.catch_up(None))
    assert views.moves == [("tally", 0, 1), ("tally", 1, 3)]
    assert rows(views) == [(3, "[1,2,3]")]


def test_rows_of_a_session_that_begins_in_the_page_are_not_looked_for(
    ledger: Ledger, views: Any
) -> None:
    by_name = msgspec.structs.replace(
        tally("named"), key=("tenant", "name"), keys=lambda event: [(event.tenant, "x")]
    )
    engine = projector(ledger, views)
    ledger.append("s", [counted(), counted()])
    run(engine.catch_up(None))
    assert (views.asked, rows(views)) == ([], [(2, "[1,2]")])
    ledger.append("s", counted())
    ledger.append("t", counted())
    run(engine.catch_up(None))
    assert views.asked == [("tally", ["s"])]
    assert rows(views) == [(3, "[1,2,3]"), (1, "[1]")]
    # Rows that are no session's own may be there before any session begins.
    run(projector(ledger, views, by_name).catch_up(None))
    assert views.asked[1:] == [("named", ["x"])]


def test_the_loser_goes_on_with_what_the_winner_left(ledger: Ledger, views: Any) -> None:
    slow, fast = projector(ledger, views, batch=500), projector(ledger, views, batch=2)
    ledger.append("s", [counted() for _ in range(5)])
    views.before_store = lambda: run(fast.catch_up(None))
    run(slow.catch_up(None))
    assert views.moves == [("tally", 0, 2), ("tally", 2, 4), ("tally", 4, 5)]
    assert rows(views) == [(5, "[1,2,3,4,5]")]


def test_rows_of_a_later_position_cannot_fail_a_fold(ledger: Ledger, views: Any) -> None:
    def strict(view: Any, event: Any) -> Any:
        if view is not None and event.sequence in view.sequences:
            raise AssertionError("folded twice")
        return tally_apply(view, event)

    slow = projector(ledger, views, tally(apply=strict))
    fast = projector(ledger, views)
    ledger.append("s", counted())
    run(fast.catch_up(None))
    ledger.append("s", [counted(), counted()])
    views.before_load = lambda: run(fast.catch_up(None))
    run(slow.catch_up(None))  # the failure was read from a checkpoint that moved, so it is nobody's
    assert rows(views) == [(3, "[1,2,3]")]
    assert views.moves == [("tally", 0, 1), ("tally", 1, 3)]
    assert views.overview().failures == []


def test_views_at_different_positions_are_not_of_one_moment(ledger: Ledger, views: Any) -> None:
    reader = Reader(
        ledger.backend, views, ledger.door, ledger.upcasts, [TALLY, tally("other")], 500
    )
    ledger.append("s", counted())

    def ask() -> dict[str, list[Any]]:
        return run(
            reader.one_session.together(
                ["tally", "other"], ("", "s"), "strong", limit=None, newest_first=False
            )
        )

    ask()
    snapshot, taken = views.snapshot_of_each, 0

    def one_ahead(queries: Any, sessions: Any) -> Any:
        # Both are far enough, but somebody has just folded one of them alone.
        nonlocal taken
        taken += 1
        found = snapshot(queries, sessions)
        if taken > 1:
            return found
        [(bucket, instant)] = found.buckets.items()
        ahead = msgspec.structs.replace(instant.checkpoints["other", 1], position=2)
        places = {**instant.checkpoints, ("other", 1): ahead}
        return Instants({bucket: Instant(instant.head, places, ())}, [[[], []]])

    views.together = lambda bucket, session, wanted: None  # as if something was left to be folded
    views.snapshot_of_each = one_ahead
    assert [len(rows) for rows in ask().values()] == [1, 1]
    assert taken == 2


def test_projections_at_one_position_share_a_page_and_those_behind_catch_up_with_it(
    ledger: Ledger, views: Any
) -> None:
    ledger.append("s", [counted() for _ in range(3)])
    run(projector(ledger, views, tally("b")).catch_up(None))
    ledger.append("s", [counted() for _ in range(3)])
    views.moves.clear()
    run(projector(ledger, views, tally("a"), tally("b"), batch=4).catch_up(None))
    assert views.moves == [("a", 0, 3), ("a", 3, 6), ("b", 3, 6)]


def test_a_page_that_touches_no_row_moves_the_checkpoint_without_a_load(
    ledger: Ledger, views: Any
) -> None:
    engine = projector(ledger, views)
    ledger.append("s", counted())
    run(engine.catch_up(None))
    ledger.append("s", [NewEvent({}, "thing.unknown") for _ in range(3)])
    run(engine.catch_up(None))
    assert (views.moves, views.loads) == ([("tally", 0, 1), ("tally", 1, 4)], 0)


def test_a_fold_that_changes_nothing_stores_no_row(ledger: Ledger, views: Any) -> None:
    engine = projector(ledger, views, tally(apply=lambda view, event: view))
    ledger.append("s", counted())
    run(engine.catch_up(None))
    assert (views.moves, rows(views)) == ([("tally", 0, 1)], [])


def test_nothing_to_do_costs_one_look(ledger: Ledger, views: Any) -> None:
    engine = projector(ledger, views)
    ledger.append("s", counted())
    run(engine.catch_up(None))
    assert len(replies(engine.catch_up(0))) == 1


def replies(plan: Plan[None]) -> list[Any]:
    """Drive a plan and return what it was answered, call by call."""
    answers = []
    try:
        answers.append(next(plan))
        while True:
            answers.append(plan.send(answers[-1]))
    except StopIteration:
        return answers


def test_a_key_of_another_session_is_refused(ledger: Ledger, views: Any) -> None:

    foreign = msgspec.structs.replace(TALLY, keys=lambda event: [("", "other", "x")])
    ledger.append("s", counted())
    with pytest.raises(ProjectionFailed, match="another session"):
        run(projector(ledger, views, foreign).catch_up(None))


def test_a_gap_in_the_log_is_noticed(
    ledger: Ledger, views: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = projector(ledger, views)
    ledger.append("s", [counted(), counted(), counted()])
    feed = ledger.backend.feed
    monkeypatch.setattr(ledger.backend, "feed", lambda query: feed(query)[::2])
    with pytest.raises(IntegrityError, match="Position 2"):
        run(engine.catch_up(None))
    assert rows(views) == []
