"""A read of several pages, or of several sessions, answers as of one moment.

Others write behind every one of its questions to the backend. What it answers must be what a read
would have answered all at once before, between or after what they wrote.
"""

from collections.abc import Callable
from functools import partial
from itertools import combinations_with_replacement
from typing import Any

import pytest

from tests.support.blocking import LoopThread
from tests.support.builders import notes, sequences, texts
from tests.support.questions import Questions

PAGE_EVENTS = 3

Step = Callable[[Any, str], Any]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of three events."""
    monkeypatch.setattr("ledger.reading.READ_PAGE_EVENTS", PAGE_EVENTS)


@pytest.fixture
def questions(ledger: Any, loop: LoopThread | None, monkeypatch: pytest.MonkeyPatch) -> Questions:
    """What reads ask the backend."""
    return Questions(ledger, loop, monkeypatch, "read", "head", "heads")


def append(session: str, words: str) -> Step:
    return lambda ledger, tenant: ledger.append(session, notes(words), tenant=tenant)


def delete(session: str) -> Step:
    return lambda ledger, tenant: ledger.delete(session, tenant=tenant)


def fork(parent: str, at: int, into: str) -> Step:
    return lambda ledger, tenant: ledger.fork(parent, at, into, tenant=tenant)


LONG = [append("s", "abcdefg")]
LINE = [
    append("g", "abcd"),
    fork("g", 4, "p"),
    append("p", "efg"),
    fork("p", 3, "s"),
    append("s", "hijk"),
]
# what was there, and what others do meanwhile
LIVES: dict[str, tuple[list[Step], list[Step]]] = {
    "deleted, a page anew": (LONG, [delete("s"), append("s", "tu")]),
    "deleted, pages anew": (LONG, [delete("s"), append("s", "tuvwxyz")]),
    "deleted with a life before": ([append("s", "0123"), delete("s"), *LONG], [delete("s")]),
    "appended to": (LONG, [append("s", "tu")]),
    "exactly pages, deleted": ([append("s", "abcdef")], [delete("s"), append("s", "uvwxyz")]),
    "a fork deleted": (LINE, [delete("s"), append("s", "tuvw")]),
    "a parent deleted": (LINE, [delete("p"), append("p", "tuvw")]),
    "a root deleted": (LINE, [delete("g"), append("g", "tuvwxyz")]),
    "root, then parent": (LINE, [delete("g"), delete("p")]),
    "parent, then fork": (LINE, [delete("p"), delete("s")]),
    "parent and fork grow": (LINE, [append("p", "u"), append("s", "v")]),
}
NEWEST = {"newest_first": True, "limit": 4}
BOUNDED = {"after": 1, "before": 7}
OF_TYPES = {"limit": 5, "types": ["note"]}
QUERIES: list[dict[str, Any]] = [
    {},
    NEWEST,
    {"newest_first": True},
    BOUNDED,
    OF_TYPES,
    {"deleted": True},
]
QUERIES_OF_LINES: list[dict[str, Any]] = [{"lineage": True}, {"lineage": True} | NEWEST]


@pytest.mark.parametrize("lives", LIVES)
def test_what_others_write_between_two_questions_is_seen_whole_or_not_at_all(
    ledger: Any, questions: Questions, lives: str
) -> None:
    before, meanwhile = LIVES[lives]
    number = 0
    for query in QUERIES_OF_LINES if before is LINE else QUERIES:
        tenant = begun(ledger, questions, f"at once {query}", before)
        answers = [texts(ledger.read("s", tenant=tenant, **query))]
        places = range(1, len(questions.asked) + 1)
        for step in meanwhile:
            step(ledger, tenant)
            answers.append(texts(ledger.read("s", tenant=tenant, **query)))
        for chosen in combinations_with_replacement(places, len(meanwhile)):
            number += 1
            tenant = begun(ledger, questions, f"t{number}", before)
            steps: dict[int, list[Callable[[], Any]]] = {}
            for place, step in zip(chosen, meanwhile, strict=True):
                steps.setdefault(place, []).append(partial(step, ledger, tenant))
            questions.interrupt(steps)
            found = texts(ledger.read("s", tenant=tenant, **query))
            assert found in answers, (query, chosen)


def begun(ledger: Any, questions: Questions, tenant: str, before: list[Step]) -> str:
    questions.interrupt({})
    for step in before:
        step(ledger, tenant)
    questions.interrupt({})
    return tenant


@pytest.mark.parametrize("newest_first", [False, True], ids=["oldest first", "newest first"])
def test_a_session_that_is_deleted_again_and_again_is_read_all_the_same(
    ledger: Any, questions: Questions, newest_first: bool
) -> None:
    ledger.append("s", notes("0000000"))
    lives = iter(range(1, 10))

    def again() -> None:
        assert ledger.delete("s")
        ledger.append("s", notes(str(next(lives)) * 7))

    questions.interrupt({number: [again] for number in range(1, 8)})
    assert texts(ledger.read("s", newest_first=newest_first)) == ["1"] * 7
    assert questions.asked == ["read", "head", "read", "read", "read"]


def test_what_fits_a_page_is_one_question(ledger: Any, questions: Questions) -> None:
    ledger.append("s", notes("abcd"))
    assert sequences(ledger.read("s", after=2)) == [3, 4]
    assert sequences(ledger.read("s", limit=PAGE_EVENTS)) == [1, 2, 3]
    assert ledger.read("s", limit=0) == []
    assert questions.asked == ["read", "read"]


def test_only_a_read_that_goes_on_asks_where_the_session_ends(
    ledger: Any, questions: Questions
) -> None:
    ledger.append("s", notes("abcdefg"))
    assert len(ledger.read("s")) == 7
    assert questions.asked == ["read", "head", "read", "read"]
    questions.interrupt({})
    assert len(ledger.read("s", deleted=True)) == 7
    assert questions.asked == ["read", "read", "read"]


def test_only_the_lineage_of_a_fork_asks_for_ends_and_for_all_at_once(
    ledger: Any, questions: Questions
) -> None:
    begun(ledger, questions, "", LINE)
    assert len(ledger.read("g", lineage=True, limit=2)) == 2
    assert questions.asked == ["read", "read"]
    questions.interrupt({})
    assert len(ledger.read("s", lineage=True)) == 12
    assert questions.asked.count("heads") == 1
    assert "head" not in questions.asked
