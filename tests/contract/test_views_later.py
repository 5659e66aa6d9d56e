"""What a session has behind a sequence, for who goes on where it stopped."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger import InvalidArgument, NewEvent
from projections import QA, TRACES
from projections.backends.memory import MemoryViews
from projections.backends.postgres.backend import PostgresViews
from projections.backends.postgres.backend_async import AsyncPostgresViews
from projections.backends.sqlite.backend import SqliteViews
from tests.support.views import answer, views_of


def asked(number: int) -> NewEvent:
    said = {"qa_id": f"{9 - number}", "question": f"q{number}", "answer": ""}
    return NewEvent(said, "qa.recorded")


def step(number: int) -> NewEvent:
    said = {"step_id": f"{9 - number}", "origin_function": f"f{number}", "status": "ok"}
    return NewEvent(said, "trace.appended")


@pytest.fixture
def views(ledger: Any) -> Any:
    """Views of a session with an answer at every odd sequence, and a step at every even one."""
    for number in range(5):
        ledger.append("s", [asked(number), step(number)])
    ledger.append("s", NewEvent({"qa_id": "9", "context": "c"}, "qa.amended"))
    ledger.append("other", [asked(1), step(1)])
    return views_of(ledger, QA, TRACES)


def questions(rows: Any) -> list[str]:
    return [one.question for one in rows]


def test_what_is_behind_a_sequence_comes_oldest_first(ledger: Any, views: Any) -> None:
    assert questions(views.qa_after("s", 0)) == [f"q{n}" for n in range(5)]
    assert (
        questions(views.qa_after("s", 4))
        == questions(views.qa_after("s", 3))
        == [
            "q2",
            "q3",
            "q4",
        ]
    )
    assert questions(views.qa_after("s", 3, limit=2)) == ["q2", "q3"]
    assert views.qa_after("s", 3, limit=0) == views.qa_after("s", 9) == []
    assert views.qa_after("s", 2**63 - 1) == views.qa_after("s", 0, tenant="theirs") == []
    assert [one.first_sequence for one in views.steps_after("s", 3)] == [4, 6, 8, 10]
    assert [one.first_sequence for one in views.steps_after("s", 4, limit=1)] == [6]
    assert (views.count_steps("s"), views.count_steps("nothing")) == (5, 0)
    appended = ledger.append("s", [asked(7), step(7)])
    assert questions(views.qa_after("s", 9)) == ["q7"]
    assert views.count_steps("s") == 6
    for reader in ("qa_after", "steps_after"):
        assert answer(views, reader, "s", 10).reflects(appended[1])
    ledger.append("s", asked(8))
    assert questions(views.qa_after("s", 12, consistency="eventual")) == []
    ledger.delete("s")
    assert views.qa_after("s", 0) == [] == views.steps_after("s", 0)


def test_no_more_is_read_than_what_is_returned(views: Any, monkeypatch: Any) -> None:
    views.catch_up()
    limits: list[Any] = []
    for owner in (MemoryViews, SqliteViews, PostgresViews, AsyncPostgresViews):
        for name in ("select", "read", "current"):
            monkeypatch.setattr(owner, name, noting(getattr(owner, name), limits))
    assert len(views.qa_after("s", 5, limit=2)) == 2
    assert len(views.steps_after("s", 5, limit=2)) == 2
    assert {query.limit for query in limits} == {2}
    assert {query.at_least for query in limits} == {(("first_sequence", 6),)}


def noting(method: Callable[..., Any], queries: list[Any]) -> Any:
    def noted(self: Any, query: Any) -> Any:
        queries.append(query)
        return method(self, query)

    return noted


def test_arguments_that_make_no_sense_are_refused(views: Any) -> None:
    for name, call in {
        "sequence": lambda: views.qa_after("s", -1),
        "limit": lambda: views.steps_after("s", 0, limit=-1),
        "session_id": lambda: views.qa_after("", 0),
        "tenant": lambda: views.count_steps("s", tenant=None),
        "consistency": lambda: views.count_steps("s", consistency="weak"),
    }.items():
        with pytest.raises(InvalidArgument) as caught:
            call()
        assert caught.value.argument == name
