"""A strong read that finds everything folded asks the database once, and is never stale."""

from typing import Any

from ledger import Ledger, NewEvent
from projections import Views
from projections.folds.runs import RUNS
from projections.folds.sessions import SESSIONS
from tests.support.builders import on_durable
from tests.support.views import TALLY, counted, views_of

KEY = ("", "s", "x")


@on_durable
def test_an_append_of_another_ledger_is_in_the_next_answer(open_ledger: Any) -> None:
    writer = open_ledger()
    views = views_of(open_ledger(), TALLY)
    for count in range(1, 4):
        writer.append("s", counted())
        for _ in range(2):
            assert views.row("tally", KEY).count == count
            assert [row.count for row in views.rows("tally", "s")] == [count]


@on_durable
def test_an_append_of_another_ledger_is_in_the_next_list(open_ledger: Any) -> None:
    writer = open_ledger()
    views = views_of(open_ledger(), SESSIONS, RUNS)
    for count in range(1, 4):
        writer.append(f"s{count}", NewEvent({}, "run.started", run_id=f"r{count}"))
        for _ in range(2):
            newest = [f"s{number}" for number in range(count, 0, -1)]
            assert [row.session_id for row in views.sessions()] == newest
            first = views.sessions_page(limit=1)
            rest = views.sessions_page(limit=9, cursor=first.cursor).items if count > 1 else []
            assert [row.session_id for row in (*first.items, *rest)] == newest
            assert [row.session_id for row in views.runs_page().items] == newest
            assert views.find_run(f"r{count}").session_id == f"s{count}"
    assert views.sessions(status="paused") == []
    writer.delete("s2")
    assert [row.session_id for row in views.sessions()] == ["s3", "s1"]


def test_what_is_not_there_is_not_found_either_time(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    ledger.append("s", counted())
    for _ in range(2):
        assert views.row("tally", ("", "s", "other")) is None
        assert views.rows("tally", "other") == []


def test_a_deletion_is_in_the_next_answer(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    ledger.append("s", counted())
    assert [views.row("tally", KEY).count for _ in range(2)] == [1, 1]
    ledger.delete("s")
    assert views.row("tally", KEY) is None


def test_a_read_with_nothing_to_fold_is_one_call() -> None:
    with Ledger.open("memory:") as ledger:
        ledger.append("s", counted())
        views = Views(ledger, projections=[TALLY])
        first = views.row("tally", KEY)
        reader = views._reader
        storage = reader._views = reader.projector._views = _Counting(reader._views)
        # Behind an event that was new, there likely is another one, and it is fetched in the same call.
        for called in ("backlog", "current_row", "current_row"):
            assert views.row("tally", KEY) == first
            assert storage.called == [called]
            storage.called.clear()
        assert views.rows("tally", "s") == [first]
        assert storage.called == ["current"]


def test_a_list_with_nothing_to_fold_is_one_call() -> None:
    with Ledger.open("memory:") as ledger:
        for number in range(9):
            ledger.append(f"s{number}", counted())
        views = Views(ledger, projections=[SESSIONS])
        found = views.sessions()
        assert len(found) == 9
        storage = views._reader._views = _Counting(views._reader._views)
        assert views.sessions() == views.sessions_page(limit=9).items == found
        assert storage.called == ["current", "current"]


class _Counting:
    def __init__(self, views: Any) -> None:
        self.called: list[str] = []
        self._inner = views

    def __getattr__(self, name: str) -> Any:
        self.called.append(name)
        return getattr(self._inner, name)
