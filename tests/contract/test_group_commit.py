"""Group commit: appends that meet share a transaction, and nothing else."""

import asyncio
from collections.abc import Callable
from typing import Any

import apsw
import psycopg
import pytest

from ledger import (
    Append,
    Appended,
    AsyncLedger,
    EventIdReused,
    IntegrityError,
    InvalidEvent,
    LedgerError,
    NewEvent,
    RetryableError,
    SequenceConflict,
    StorageFailed,
)
from tests.support.blocking import LoopThread
from tests.support.builders import (
    note,
    on_durable,
    only_async,
    sequences,
    texts,
    together,
    whole_feed,
)

Open = Callable[..., Any]


def test_appends_that_meet_are_all_stored_once(ledger: Any) -> None:
    answers = together([lambda n=n: ledger.append("s", note(str(n))) for n in range(40)])
    assert sorted(sequences(answers)) == list(range(1, 41))
    stored = {event.sequence: event for event in ledger.read("s")}
    assert all(stored[answer.sequence] == answer.event for answer in answers)


def test_each_gets_its_own_outcome_and_none_fails_with_its_neighbours(ledger: Any) -> None:
    ledger.append("s", note("taken", event_id="taken"))
    kinds = {
        "good": lambda n: ledger.append("s", note(f"good {n}")),
        "stale": lambda n: ledger.append("s", note(f"stale {n}"), expected=0),
        "reused": lambda n: ledger.append("s", note(f"reused {n}", event_id="taken")),
        "repeat": lambda n: ledger.append("s", note("taken", event_id="taken")),
        "invalid": lambda n: ledger.append("s", NewEvent({"x": {n}}, "x")),
        "other": lambda n: ledger.append(f"t{n}", [note("1"), note("2")], expected=0),
    }
    calls = [(kind, number) for number in range(6) for kind in kinds]
    outcomes = together([lambda k=kind, n=n: kinds[k](n) for kind, n in calls])
    found: dict[str, list[Any]] = {kind: [] for kind in kinds}
    for (kind, _), outcome in zip(calls, outcomes, strict=True):
        found[kind].append(outcome)
    assert {type(one) for one in found["good"]} == {Appended}
    assert {type(one) for one in found["stale"]} == {SequenceConflict}
    assert {type(one) for one in found["reused"]} == {EventIdReused}
    assert {type(one) for one in found["invalid"]} == {InvalidEvent}
    assert {(one.stored, one.sequence) for one in found["repeat"]} == {(False, 1)}
    assert [sequences(one) for one in found["other"]] == [[1, 2]] * 6
    assert sorted(texts(ledger.read("s"))) == sorted(["taken", *(f"good {n}" for n in range(6))])


#: What PostgreSQL may fail a statement with, and what its caller then gets. SQLite's is another.
FAILURES = [
    pytest.param("57014", RetryableError, id="cancelled"),
    pytest.param("53100", StorageFailed, id="disk-full"),
]


def fail_at(url: str, kind: str, state: str) -> None:
    """Let a statement fail as a whole that stores an event of a type."""
    if url.startswith("sqlite:"):
        connection = apsw.Connection(url.removeprefix("sqlite:///"))
        connection.execute(
            f"CREATE TRIGGER fails BEFORE INSERT ON events WHEN NEW.type = '{kind}'"
            " BEGIN SELECT RAISE(ABORT, 'fails'); END"
        )
        connection.close()
        return
    with psycopg.connect(url) as admin:
        admin.execute(
            "CREATE FUNCTION ledger.fail() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$"
        )
        admin.execute(
            "CREATE TRIGGER fails BEFORE INSERT ON ledger.events FOR EACH ROW"
            f" WHEN (NEW.type = '{kind}') EXECUTE FUNCTION ledger.fail()"
        )


@on_durable
@pytest.mark.parametrize(("state", "expected"), FAILURES)
def test_a_statement_that_one_fails_is_none_of_its_neighbours(
    open_ledger: Open, url: str, state: str, expected: type[LedgerError]
) -> None:
    ledger = open_ledger(lanes=1)
    fail_at(url, "bad", state)
    calls = [lambda n=n: ledger.append(f"s{n}", note()) for n in range(40)]
    bad = [lambda n=n: ledger.append(f"s{n}", [note(), note(type="bad")]) for n in (3, 50)]
    bad.append(lambda: ledger.append_many([Append(f"s{n}", note()) for n in range(50, 53)]))
    outcomes = together([*calls[:20], *bad, *calls[20:]])
    failed = {type(one) for one in outcomes[20:22]}
    assert failed == {IntegrityError if url.startswith("sqlite:") else expected}
    assert [type(one) for one in outcomes[:20] + outcomes[23:]] == [Appended] * 40
    assert [sequences(one) for one in outcomes[22]] == [[1]] * 3
    assert len(whole_feed(ledger)) == 43
    assert ledger.verify().ok


def test_one_of_many_with_the_same_expectation_wins(ledger: Any) -> None:
    calls = [lambda n=n: ledger.append("s", note(str(n)), expected=0) for n in range(20)]
    outcomes = together(calls)
    winners = [one for one in outcomes if isinstance(one, Appended)]
    assert [type(one) for one in outcomes].count(SequenceConflict) == 19
    assert ledger.read("s") == [winners[0].event]


def test_the_same_event_from_many_at_once_is_stored_once(ledger: Any) -> None:
    event = note("a")
    outcomes = together([lambda: ledger.append("s", event)] * 20)
    assert [one.stored for one in outcomes].count(True) == 1
    assert [one.event for one in outcomes] == ledger.read("s") * 20


def test_the_same_id_from_many_at_once_belongs_to_one(ledger: Any) -> None:
    calls = [lambda n=n: ledger.append("s", note(str(n), event_id="e")) for n in range(20)]
    outcomes = together(calls)
    winners = [one for one in outcomes if isinstance(one, Appended)]
    assert [type(one) for one in outcomes].count(EventIdReused) == 19
    assert ledger.read("s") == [winners[0].event]


def test_every_error_has_a_traceback_of_its_own(ledger: Any) -> None:
    ledger.append("s", note())
    outcomes = together([lambda: ledger.append("s", note(), expected=0)] * 10)
    assert len({id(error) for error in outcomes}) == 10


def test_batches_over_sessions_meet_single_appends(open_ledger: Open) -> None:
    ledger = open_ledger(buckets=4)
    sessions = [f"s{number}" for number in range(6)]
    many = [lambda: ledger.append_many([Append(one, note("m")) for one in sessions])] * 8
    single = [lambda s=session: ledger.append(s, note("1")) for session in sessions * 2]
    outcomes = together(many + single)
    assert [one for one in outcomes if isinstance(one, Exception)] == []
    for session in sessions:
        assert sequences(ledger.read(session)) == list(range(1, 11))
    assert len(whole_feed(ledger)) == 60


@only_async
def test_a_cancelled_caller_does_not_hurt_the_others(
    open_ledger: Open, url: str, loop: LoopThread
) -> None:
    ledger: AsyncLedger = open_ledger()._target

    async def cancel_some() -> list[Any]:
        tasks = [asyncio.create_task(ledger.append("s", note(str(n)))) for n in range(30)]
        await asyncio.sleep(0)  # all are queued, none is stored
        for task in tasks[::3]:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    outcomes = loop.run(cancel_some())
    survivors = [one for n, one in enumerate(outcomes) if n % 3]
    assert {type(one) for one in outcomes[::3]} == {asyncio.CancelledError}
    assert {type(one) for one in survivors} == {Appended}
    read = loop.run(ledger.read("s"))
    assert sequences(read) == list(range(1, len(read) + 1))
    assert {one.event.event_id for one in survivors} <= {event.event_id for event in read}


@only_async
@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8])
def test_the_caller_who_leads_may_be_cancelled_at_any_moment(
    open_ledger: Open, loop: LoopThread, turns: int
) -> None:
    ledger: AsyncLedger = open_ledger()._target
    event = note("led")

    async def cancel_the_first() -> list[Any]:
        first = asyncio.create_task(ledger.append("s", event))
        others = [asyncio.create_task(ledger.append("s", note(str(n)))) for n in range(5)]
        for _ in range(turns):
            await asyncio.sleep(0)
        first.cancel()
        return await asyncio.gather(*others)

    answers = loop.run(cancel_the_first())
    repeated = loop.run(ledger.append("s", event))  # whatever became of it, it is there once now
    read = loop.run(ledger.read("s"))
    assert sorted(texts(read)) == ["0", "1", "2", "3", "4", "led"]
    assert [answer.event in read for answer in [*answers, repeated]] == [True] * 6


@only_async
def test_a_cancelled_reader_leaves_the_ledger_usable(open_ledger: Open, loop: LoopThread) -> None:
    ledger: AsyncLedger = open_ledger()._target

    async def cancel_waiting() -> None:
        waiting = [asyncio.create_task(ledger.read("s", wait=60)) for _ in range(20)]
        following = asyncio.create_task(anext(ledger.follow()))
        for _ in range(20):
            await asyncio.sleep(0)
        for task in [*waiting, following]:
            task.cancel()
        await asyncio.gather(*waiting, following, return_exceptions=True)

    loop.run(cancel_waiting())
    loop.run(ledger.append("s", note("a")))
    assert texts(loop.run(ledger.read("s", wait=60))) == ["a"]
