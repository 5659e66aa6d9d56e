"""Lists of an orchestrator's store whose rows move while they are read."""

from itertools import cycle
from typing import Any

import msgspec
import pytest

from ledger import NewEvent
from projections.session_stores.orchestrator import EventRecord, RetentionPolicy
from tests.stores.orchestrator_cases import another, at, event, ids, run_of, session, upkeep_of
from tests.support.blocking import LoopThread
from tests.support.moving import written_between
from tests.support.questions import Questions


def between(store: Any, *writes: Any) -> Any:
    """Return a store behind whose reads of rows the writes come, one after the other."""
    moved = another(store)
    written_between(moved.views, writes)
    return moved


def test_a_session_that_moves_between_statuses_is_always_listed(store: Any) -> None:
    store.save_session(session(status="active"))
    turn = cycle(("paused", "active"))

    def move() -> None:
        store.update_session("s", lambda record: msgspec.structs.replace(record, status=next(turn)))

    for limit in (None, 1):
        for _ in range(2):
            moved = between(store, *[move] * 9)
            assert ids(moved.list_sessions(status=["active", "paused"], limit=limit)) == ["s"]


def test_a_session_of_other_writers_is_listed_under_a_word_for_several_statuses(
    store: Any,
) -> None:
    store.save_session(session(status="active"))
    turn = cycle(("processing", "idle", "active"))

    def move() -> None:
        store.ledger.append("s", NewEvent({"status": next(turn)}, "session.status_changed"))

    for _ in range(3):
        moved = between(store, *[move] * 9)
        assert ids(moved.list_sessions(status="active")) == ["s"]


def test_a_run_that_moves_between_statuses_is_always_listed(store: Any) -> None:
    store.save_session(session())
    for number in range(4):
        store.save_run(run_of(id=f"r{number}", status="running"))

    for number in range(4):

        def finish(number: int = number) -> None:
            store.save_run(run_of(id=f"r{number}", status="completed"))

        for limit in (None, 4):
            moved = between(store, finish)
            found = moved.list_runs("s", status=["running", "completed"], limit=limit)
            assert ids(found) == ["r0", "r1", "r2", "r3"]


def test_several_statuses_are_listed_in_one_order(store: Any) -> None:
    for number in range(12):
        status = ("pending", "active", "paused")[number % 3]
        store.save_session(session(f"s{number:02}", status=status))
        store.save_run(run_of("s00", f"r{number:02}", status=("pending", "running")[number % 2]))
    wanted = [f"s{number:02}" for number in range(12) if number % 3]
    asked = {"status": ["paused", "active"]}
    assert ids(store.list_sessions(**asked)) == wanted
    assert ids(store.list_sessions(**asked, limit=3, offset=2)) == wanted[2:5]
    assert ids(store.list_sessions(**asked, agent_id="nobody")) == []
    assert store.list_sessions(status=[]) == store.list_runs("s00", status=[]) == []
    both = ["running", "pending"]
    assert ids(store.list_runs("s00", status=both, limit=5)) == [f"r{n:02}" for n in range(5)]


@pytest.fixture
def questions(store: Any, loop: LoopThread | None, monkeypatch: pytest.MonkeyPatch) -> Questions:
    return Questions(store.ledger, loop, monkeypatch, "read", "heads")


def said(store: Any, life: str) -> None:
    facts = [
        NewEvent({"role": "user", "content": f"{life} {n}"}, "message.appended") for n in range(3)
    ]
    store.ledger.append("s", facts)


def contents(records: Any) -> list[str]:
    return [record.data["content"] for record in records]


@pytest.mark.parametrize("behind", range(1, 7))
@pytest.mark.parametrize("limit", [None, 2])
@pytest.mark.parametrize("begun_anew", [False, True])
def test_events_are_of_one_life_and_nothing_redacted_is_among_them(
    store: Any, questions: Questions, begun_anew: bool, limit: int | None, behind: int
) -> None:
    said(store, "old")
    store.ledger.append("s", NewEvent({"reason": "gdpr", "sequences": [1]}, "content.redacted"))

    def delete() -> None:
        assert store.ledger.delete("s")
        if begun_anew:
            said(store, "new")

    questions.interrupt({behind: [delete]})
    found = contents(store.get_events("s", limit=limit))
    old, new = ["old 1", "old 2"], [f"new {n}" for n in range(3)] if begun_anew else []
    assert found in (old[:limit], new[:limit])


#: What is the same fact whether it was sent or received.
SAID = {"role": "user", "content": "x"}


def sent(count: int) -> list[EventRecord]:
    return [event(f"s{n}", "message_sent", data=SAID) for n in range(count)]


def received(count: int) -> list[EventRecord]:
    return [event(f"r{n}", "message_received", data=SAID) for n in range(count)]


def test_a_small_page_costs_few_questions_whatever_comes_before_it(
    store: Any, questions: Questions
) -> None:
    store.append_events(sent(600) + received(3))
    of_type = {"type": "message_received"}
    hidden = RetentionPolicy(max_events_per_session=40)
    for pruned in (False, True):
        if pruned:
            assert upkeep_of(store, lambda: at(0)).prune_session_events("s", hidden) == 563
        for filters, expected in (
            (of_type | {"limit": 1}, ["r0"]),
            (of_type | {"limit": 2, "before": 603}, ["r0", "r1"]),
            (of_type | {"limit": 5}, ["r0", "r1", "r2"]),
            ({"limit": 1}, ["s563" if pruned else "s0"]),
            ({"limit": 2, "after": 500}, ["s563", "s564"] if pruned else ["s500", "s501"]),
            ({"limit": 1, "before": 564}, [] if pruned else ["s0"]),
        ):
            questions.interrupt({})
            assert ids(store.get_events("s", **filters)) == expected
            # Of a page, of what hides it and of the life that it is of.
            assert len(questions.asked) <= 3 * 11, filters


def test_what_is_there_at_once_is_one_small_page(store: Any, questions: Questions) -> None:
    store.append_events(received(50))
    questions.interrupt({})
    assert ids(store.get_events("s", limit=2)) == ["r0", "r1"]
    assert questions.asked == ["read", "read"]


def test_what_hides_events_is_read_once_for_all_pages(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append_events(received(100))
    for n in range(10):
        hidden = {"reason": "x", "sequences": list(range(9 * n + 1, 9 * n + 10))}
        store.ledger.append("s", NewEvent(hidden, "content.redacted"))
    backend = store.ledger.backend
    read, starts = backend.read, list[int]()

    def noted(query: Any) -> Any:
        starts.extend([query.after] if query.of_redactions else [])
        return read(query)

    monkeypatch.setattr(backend, "read", noted)
    assert ids(store.get_events("s", limit=5)) == [f"r{n}" for n in range(90, 95)]
    assert (starts[0], {*starts[1:]}) == (1, {110})


@pytest.mark.parametrize("behind", range(1, 9))
@pytest.mark.parametrize("limit", [1, 3])
def test_what_is_redacted_or_deleted_between_pages_is_taken_in(
    store: Any, questions: Questions, limit: int, behind: int
) -> None:
    store.append_events(sent(3) + received(4))

    def redact() -> None:
        store.ledger.append("s", NewEvent({"reason": "x", "sequences": [4]}, "content.redacted"))

    def begin_anew() -> None:
        assert store.ledger.delete("s")
        store.append_events([*sent(1), event("new", data=SAID)])

    asked = {"type": "message_received", "limit": limit}
    questions.interrupt({behind: [redact]})
    before, after = ["r0", "r1", "r2", "r3"][:limit], ["r1", "r2", "r3"][:limit]
    assert ids(store.get_events("s", **asked)) in (before, after)
    questions.interrupt({behind: [begin_anew]})
    assert ids(store.get_events("s", **asked)) in (before, after, ["new"])
