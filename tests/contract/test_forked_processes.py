"""fork(2): a child is refused its parent's ledgers, and the parent's go on as if it were not there."""

import asyncio
import os
import pickle
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from ledger import Append, ForkedProcess, Ledger, StopError
from tests.support.blocking import LoopThread
from tests.support.builders import (
    DEADLINE_S,
    background,
    note,
    on_durable,
    on_memory,
    on_postgres,
    on_sqlite,
    only_sync,
    sequences,
    texts,
)

pytestmark = pytest.mark.usefixtures("new_database")

Open = Callable[..., Any]


def in_a_forked_child(call: Callable[[], Any]) -> Any:
    """Return what a call returns, or the exception it raises, in a forked child."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Newer Pythons warn of a fork beside threads, which is what these tests are about.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            try:
                answer = call()
            except Exception as error:
                answer = error
            os.write(writing, pickle.dumps(answer))
        finally:
            os._exit(0)  # nothing of the test run is the child's to finish
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return pickle.loads(answer)  # noqa: S301 - written by this very file


def errors_of(ledger: Any, loop: LoopThread | None) -> list[str]:
    """Call everything that a ledger can do, and return the name of what each call raised."""
    own = ledger if loop is None else ledger._target

    def raised(call: Callable[[], Any]) -> str:
        async def awaited() -> None:
            result = call()
            if hasattr(result, "__anext__"):
                await anext(result)
            elif not isinstance(result, str):
                await result

        try:
            if loop is None:
                result = call()
                if hasattr(result, "__next__"):
                    next(result)
            else:
                asyncio.run(awaited())
        except Exception as error:
            return type(error).__name__
        return "nothing"

    return [
        raised(call)
        for call in (
            lambda: own.append("s", note()),
            lambda: own.append_many([Append("s", note())]),
            lambda: own.append("s", note(), connection=object()),
            lambda: own.read("s"),
            lambda: own.read("s", wait=1, after=9),
            lambda: own.get("s", "e"),
            lambda: own.head("s"),
            lambda: own.heads(["s"]),
            lambda: own.feed(),
            lambda: own.list_session_ids(),
            lambda: own.fork("s", 1, "t"),
            lambda: own.delete("s"),
            lambda: own.verify(),
            lambda: own.verify("s"),
            lambda: own.export_lines(),
            lambda: own.follow(),
            lambda: own.follow("s"),
        )
    ]


def test_a_forked_child_is_refused_its_parents_ledger(ledger: Any, loop: LoopThread | None) -> None:
    ledger.append("s", note("before"))
    found = in_a_forked_child(lambda: errors_of(ledger, loop))
    assert found == ["ForkedProcess"] * len(found)
    assert issubclass(ForkedProcess, StopError)
    ledger.append("s", note("after"))
    assert texts(ledger.read("s")) == ["before", "after"]
    assert ledger.verify().ok


@only_sync
def test_the_error_says_what_to_do_instead(ledger: Any) -> None:
    error = in_a_forked_child(lambda: ledger.append("s", note()))
    assert "parent process" in str(error)
    assert "Open a ledger in the child" in str(error)


def test_a_child_that_closes_its_copy_closes_nothing_of_the_parents(
    ledger: Any, loop: LoopThread | None
) -> None:
    ledger.append("s", note("before"))

    def close() -> str:
        asyncio.run(ledger._target.close()) if loop else ledger.close()
        return "closed"

    assert in_a_forked_child(close) == "closed"
    assert ledger.append("s", note("after")).sequence == 2
    assert texts(ledger.read("s")) == ["before", "after"]


@only_sync
def test_a_child_forked_in_the_middle_of_appends_is_refused_at_once(ledger: Any) -> None:
    over = threading.Event()

    def append_on() -> int:
        count = 0
        while not over.is_set():
            ledger.append("s", note())
            count += 1
        return count

    writers = [background(append_on) for _ in range(4)]
    # Somebody holds the lanes' locks at most of these moments, and nobody in the child gives back.
    errors = [in_a_forked_child(lambda: ledger.append("s", note())) for _ in range(10)]
    over.set()
    count = sum(writer.result(DEADLINE_S) for writer in writers)
    assert [type(error) for error in errors] == [ForkedProcess] * 10
    assert sequences(ledger.read("s")) == list(range(1, count + 1))
    assert ledger.verify().ok


@on_memory
@only_sync
def test_a_child_may_open_a_ledger_in_memory(ledger: Any) -> None:
    assert in_a_forked_child(lambda: Ledger.open("memory:").append("s", note()).sequence) == 1
    assert ledger.head("s") == 0


@on_postgres
@only_sync
def test_a_child_may_open_its_parents_database(ledger: Any, url: str) -> None:
    ledger.append("s", note("parent"))

    def append() -> int:
        with Ledger.open(url) as own:
            return own.append("s", note("child")).sequence

    assert in_a_forked_child(append) == 2
    assert ledger.append("s", note("parent")).sequence == 3
    assert ledger.verify().ok


@on_sqlite
@only_sync
def test_a_child_cannot_open_the_file_that_its_parent_has_open(ledger: Any, url: str) -> None:
    ledger.append("s", note())
    error = in_a_forked_child(lambda: Ledger.open(url))
    assert type(error) is ForkedProcess
    assert "ledger.db" in str(error)
    assert ledger.append("s", note()).sequence == 2


@on_sqlite
@only_sync
def test_a_child_may_open_a_file_that_its_parent_has_closed(ledger: Any, url: str) -> None:
    ledger.append("s", note())
    ledger.close()

    def append() -> int:
        with Ledger.open(url) as own:
            return own.append("s", note()).sequence

    assert in_a_forked_child(append) == 2


@on_durable
@only_sync
def test_a_second_ledger_in_the_child_does_not_open_the_first(open_ledger: Open, url: str) -> None:
    first = open_ledger()
    first.append("s", note())

    def both() -> list[str]:
        with Ledger.open("memory:") as own:
            own.append("s", note())
        return errors_of(first, None)

    assert set(in_a_forked_child(both)) == {"ForkedProcess"}
