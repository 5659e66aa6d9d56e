"""Versions that are dropped while they are folded and read: who can goes on, the others are told."""

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ledger import InvalidArgument, Ledger
from projections import Daemon, Rebuild, VersionDropped, Views
from tests.support.builders import DEADLINE_S, background, on_durable, only_sync, together
from tests.support.handling import Calls, handler, handlers_of
from tests.support.rebuilds import POISONED2, V1, V2, Tally2, record_of, sync_twin
from tests.support.views import TALLY, Tally, counted, tally, views_of

pytestmark = pytest.mark.usefixtures("new_database")


class Interrupted:
    """A function that lets something else happen before it returns, once, when it is armed."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.meanwhile: Callable[[], None] | None = None

    def __call__(self, *args: Any) -> Any:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return self._function(*args)


def built(here: Ledger, first: Any) -> Views:
    """Make two versions, of which the second is read, and return views of both."""
    Views(here, projections=[first]).catch_up()
    assert Rebuild(here, V2).run().built
    views = Views(here, projections=[first, V2])
    views.switch("tally", 2)
    return views


@pytest.mark.filterwarnings("ignore::projections.FoldChanged")  # what it carries is
@pytest.mark.parametrize("moment", ["keys", "apply"])
def test_a_version_that_goes_while_a_page_is_folded_is_left_out(
    open_ledger: Any, url: str, moment: str
) -> None:
    ledger = open_ledger()
    ledger.append("s", counted())
    interrupted = Interrupted(getattr(V1, moment))
    first = msgspec.structs.replace(V1, **{moment: interrupted})
    with sync_twin(ledger, url) as here:
        owner = built(here, first)
        views = views_of(ledger, first, V2)

        def drop() -> None:
            owner.switch("tally", 2)
            owner.drop("tally", 1)

        def read() -> Any:
            [row] = views.rows("tally", "s")
            return row

        def read_together() -> Any:
            [row] = views.together("s", ["tally"])["tally"]
            return row

        def wait() -> Any:
            views.wait_for(ledger.read("s")[-1], DEADLINE_S)
            return views.row("tally", ("", "s", "x"), consistency="eventual")

        def fold() -> Any:
            views.catch_up()
            return views.row("tally", ("", "s", "x"), consistency="eventual")

        for ask in (read, read_together, wait, fold):
            for active in (2, 1):  # kept going, and the very one that is asked for
                assert Rebuild(here, first).run().built
                owner.switch("tally", active)
                number = ledger.append("s", counted()).event.sequence
                interrupted.meanwhile = drop
                row = ask()
                assert (type(row), row.last_sequence) == (Tally2, number)
                assert interrupted.meanwhile is None
                assert record_of(views, 1).positions == ()


@pytest.mark.filterwarnings("ignore::projections.FoldChanged")  # what it carries is
@only_sync
def test_a_daemon_leaves_out_what_is_gone_until_nothing_is_left(ledger: Any) -> None:
    ledger.append("s", counted())
    interrupted = Interrupted(V1.keys)
    first = msgspec.structs.replace(V1, keys=interrupted)
    owner = built(ledger, first)
    daemon = Daemon(ledger, projections=[first, V2])
    alone = [Daemon(ledger, projections=[first], names=names) for names in (["tally"], None)]
    for other in alone:
        other.advance()
    ledger.append("s", counted())
    interrupted.meanwhile = lambda: owner.drop("tally", 1)
    assert daemon.advance() == []
    assert sum(owner.positions("tally")) == 2
    for other in alone:
        with pytest.raises(VersionDropped, match="No version of projection tally"):
            other.advance()


def test_who_knows_a_dropped_version_alone_is_told_so(open_ledger: Any, url: str) -> None:
    ledger = open_ledger()
    place = ledger.append("s", counted())
    with sync_twin(ledger, url) as here:
        owner = built(here, V1)
        strong, eventual = views_of(ledger, V1), views_of(ledger, V1)
        for views in (strong, eventual):
            views.rows("tally", "s")
        owner.drop("tally", 1)
    reads: tuple[Callable[..., Any], ...] = (
        lambda views, **how: views.row("tally", ("", "s", "x"), **how),
        lambda views, **how: views.rows("tally", "s", **how),
        lambda views, **how: views.together("s", ["tally"], **how),
        lambda views, **how: views.together_many(["s", "t"], ["tally"], **how),
        lambda views, **how: views.wait_for(place, 0.1, **how),
    )
    for read in reads:
        for views, how in ((strong, "strong"), (eventual, "eventual")):
            with pytest.raises(VersionDropped, match="No version of projection tally") as told:
                read(views, consistency=how)
            assert (told.value.projection, told.value.version) == ("tally", None)
    assert strong.row("tally", ("", "s", "x"), as_of=1).count == 1  # folded from the log alone


def test_several_views_are_of_one_moment_for_who_knows_the_old_version_alone(
    open_ledger: Any, url: str
) -> None:
    ledger = open_ledger()
    ledger.append("s", counted())
    other = tally("other")
    old = views_of(ledger, V1, other)
    old.catch_up()
    with sync_twin(ledger, url) as here:
        built(here, V1)
    ledger.append("s", counted())
    for consistency in ("strong", "eventual"):
        found = old.together("s", ["tally", "other"], consistency=consistency)
        many = old.together_many(["s", "t"], ["tally", "other"], consistency=consistency)
        assert many == {"s": found, "t": {"tally": [], "other": []}}
        assert [(type(row), row.count) for rows in found.values() for row in rows] == [
            (Tally, 2),
            (Tally, 2),
        ]


def test_dropping_twice_says_that_there_is_none(open_ledger: Any, url: str) -> None:
    ledger = open_ledger()
    with pytest.raises(InvalidArgument, match="no version 1 of tally is stored"):
        views_of(ledger, V1).drop("tally", 1)
    ledger.append("s", counted())
    with sync_twin(ledger, url) as here:
        built(here, V1)
    # Each opens the views anew, as a command does.
    views_of(ledger, V1, V2).drop("tally", 1)
    with pytest.raises(InvalidArgument, match="no version 1 of tally is stored"):
        views_of(ledger, V1, V2).drop("tally", 1)


@only_sync
def test_a_rebuild_counts_what_it_folded_and_not_what_failed(ledger: Any) -> None:
    ledger.append("s", [counted("x"), counted("x"), counted("y"), counted("x")])
    seen: list[int] = []
    report = Rebuild(ledger, POISONED2, on_progress=lambda one: seen.append(one.events)).run()
    assert (report.built, report.events, seen[-1]) == (False, 2, 2)
    assert report.failures[0].position == 3


def test_a_view_and_a_handler_of_one_name_are_refused_before_anything_is_made(ledger: Any) -> None:
    ledger.append("s", counted())
    calls = Calls()
    handlers_of(ledger, handler(calls, "note")).run()
    views = views_of(ledger, TALLY)
    views.catch_up()
    before = [(one.projection, one.version) for one in overview(ledger)]
    for wrong in (tally("note"), tally("note", version=2)):
        for known in ([wrong], [tally("another"), wrong]):
            with pytest.raises(InvalidArgument, match=f"'{wrong.name}' is a .*handler"):
                views_of(ledger, *known).catch_up()
    for version in (1, 2):
        with pytest.raises(InvalidArgument, match="'tally' is a view"):
            handlers_of(ledger, handler(calls, "tally", version=version)).run()
    for taken in ("claims_of_note", "claims_of_mail", "row_snapshots"):
        with pytest.raises(InvalidArgument, match=f"'{taken}' .*take another name") as caught:
            handlers_of(ledger, handler(calls, taken))
        assert caught.value.argument == "name"
        with pytest.raises(InvalidArgument, match=f"'{taken}' .*take another name") as caught:
            views_of(ledger, tally(taken))
        assert caught.value.argument == "name"
    assert [(one.projection, one.version) for one in overview(ledger)] == before
    ledger.append("s", counted())
    assert handlers_of(ledger, handler(calls, "note")).run().called == 1
    assert views.row("tally", ("", "s", "x")).count == 2


@on_durable
@only_sync
def test_dropping_and_rebuilding_kills_nobody_who_folds_or_reads(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=2)
    ledger.append("s", [counted() for _ in range(50)])
    owner = built(ledger, V1)
    daemon = Daemon(ledger, projections=[V1, V2])
    running = background(daemon.watch)
    over = threading.Event()

    def drop() -> None:
        try:
            for turn in range(8):
                name = turn % 2 + 1
                owner.switch("tally", 3 - name)
                owner.drop("tally", name)
                assert Rebuild(ledger, (V1, V2)[name - 1]).run().built
        finally:
            over.set()

    def write_and_read() -> None:
        views = views_of(ledger, V1, V2)
        while not over.is_set():
            number = ledger.append("s", counted()).event.sequence
            reads = views.rows("tally", "s"), views.together("s", ["tally"])["tally"]
            assert all(row.sequences[-1] == number for rows in reads for row in rows)
            views.rows("tally", "s", consistency="eventual")

    try:
        assert together([drop, write_and_read]) == [None] * 2
        assert not running.done()
    finally:
        daemon.stop()
        running.result(DEADLINE_S)
    owner.catch_up()
    assert owner.compare("tally", old=1, new=2).same


def overview(ledger: Any) -> Any:
    """Return all versions of views and handlers that are stored."""
    return views_of(ledger, TALLY).status(lag_seconds_max=None).views
