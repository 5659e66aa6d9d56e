"""A strong read that finds everything folded asks the database once, and is never stale."""

from typing import Any

from ledger import Ledger
from projections import Views
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
        storage = views._reader._views = _Counting(views._reader._views)
        assert views.row("tally", KEY) == first
        assert storage.called == ["current"]


class _Counting:
    def __init__(self, views: Any) -> None:
        self.called: list[str] = []
        self._inner = views

    def __getattr__(self, name: str) -> Any:
        self.called.append(name)
        return getattr(self._inner, name)
