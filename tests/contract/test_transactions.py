"""Appending inside the caller's own transaction, so that both are stored or neither is."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import apsw
import psycopg
import pytest

from ledger import (
    Append,
    AppendTimeout,
    Event,
    EventIdReused,
    IncarnationConflict,
    InvalidArgument,
    RetryableError,
    SequenceConflict,
)
from tests.support.blocking import Blocking, LoopThread
from tests.support.builders import (
    DEADLINE_S,
    background,
    eventually,
    note,
    notes,
    on_durable,
    on_memory,
    on_postgres,
    on_sqlite,
    only_async,
    only_sync,
    sequences,
    sessions_in_buckets,
    texts,
    whole_feed,
)
from tests.support.views import Tally, counted, tally, tally_apply, views_of


class Own:
    """A connection of the caller's; `raw` is what `append` is given."""

    def __init__(self, raw: Any, begin: str, face: Any) -> None:
        self.raw = raw
        self._begin = begin
        self._face = face

    def begin(self) -> None:
        self._face.execute(self._begin)

    def execute(self, statement: str) -> Any:
        return self._face.execute(statement)

    def close(self) -> None:
        self._face.close()


@pytest.fixture
def connect(url: str, loop: LoopThread | None) -> Iterator[Callable[..., Own]]:
    """A function that connects to the test's database as an application would."""
    opened: list[Own] = []

    def connect_one(address: str = url) -> Own:
        if address.startswith("sqlite"):
            apsw_own = apsw.Connection(address.removeprefix("sqlite:///"))
            own = Own(apsw_own, "BEGIN IMMEDIATE", apsw_own)
        elif loop is None:
            psycopg_own = psycopg.connect(address, autocommit=True)
            own = Own(psycopg_own, "BEGIN", psycopg_own)
        else:
            connecting = psycopg.AsyncConnection.connect(address, autocommit=True)
            async_own = loop.run(connecting)
            own = Own(async_own, "BEGIN", Blocking(async_own, loop))
        opened.append(own)
        return own

    yield connect_one
    for own in opened:
        own.close()


@pytest.fixture
def own(connect: Callable[..., Own], ledger: Any) -> Own:
    """A connection in an open transaction, with a table of its own beside the log."""
    own = connect()
    own.execute("CREATE TABLE orders (id integer)")
    own.begin()
    return own


def orders(own: Own) -> int:
    return len(own.execute("SELECT * FROM orders").fetchall())


@on_durable
def test_an_event_is_invisible_until_the_caller_commits(ledger: Any, own: Own) -> None:
    own.execute("INSERT INTO orders VALUES (1)")
    answer = ledger.append("s", note("a"), connection=own.raw)
    assert (answer.sequence, answer.stored) == (1, True)
    assert (ledger.read("s"), ledger.head("s"), ledger.feed().events) == ([], 0, [])
    own.execute("COMMIT")
    assert ledger.read("s") == ledger.feed().events == [answer.event]


@on_durable
def test_an_event_vanishes_with_the_callers_rollback(
    ledger: Any, connect: Callable[..., Own], own: Own
) -> None:
    own.execute("INSERT INTO orders VALUES (1)")
    ledger.append("s", note("a"), connection=own.raw)
    own.execute("ROLLBACK")
    assert (ledger.read("s"), orders(own)) == ([], 0)
    assert ledger.append("s", note("b")).sequence == 1


@on_sqlite
@only_async
def test_views_that_wait_for_a_transaction_leave_the_loop_its_threads_to_append_to_it(
    open_ledger: Callable[..., Any], connect: Callable[..., Own], loop: LoopThread
) -> None:
    async def have_one_thread() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))

    loop.run(have_one_thread())
    folded: list[Event] = []

    def fold(row: Tally | None, event: Event) -> Tally | None:
        folded.append(event)
        return tally_apply(row, event)

    ledger = open_ledger(lock_timeout_s=DEADLINE_S)
    views, key = views_of(ledger, tally(apply=fold)), ("", "s", "x")
    ledger.append("s", counted())
    assert views.row("tally", key).count == 1
    ledger.append("s", counted())
    own = connect()
    own.begin()
    folded.clear()
    waiting = background(lambda: views.row("tally", key))
    eventually(lambda: folded)  # what comes next is to store that
    began = time.monotonic()
    ledger.append("t", note(), connection=own.raw)
    assert time.monotonic() - began < DEADLINE_S / 2
    own.execute("COMMIT")
    assert waiting.result(DEADLINE_S).count == 2


@on_durable
def test_the_same_event_may_come_again_after_a_rollback(ledger: Any, own: Own) -> None:
    event = note("a")
    ledger.append("s", event, connection=own.raw)
    own.execute("ROLLBACK")
    own.begin()
    assert ledger.append("s", event, connection=own.raw).stored
    own.execute("COMMIT")
    assert texts(ledger.read("s")) == ["a"]


@on_durable
def test_several_appends_of_one_transaction_see_each_other(ledger: Any, own: Own) -> None:
    assert sequences(ledger.append("s", notes("ab"), connection=own.raw)) == [1, 2]
    event = note("c")
    assert ledger.append("s", event, expected=2, connection=own.raw).sequence == 3
    assert not ledger.append("s", event, expected=2, connection=own.raw).stored
    own.execute("COMMIT")
    assert texts(ledger.read("s")) == ["a", "b", "c"]


@on_durable
def test_several_sessions_may_share_the_callers_transaction(ledger: Any, own: Own) -> None:
    appends = [Append("a", notes("12")), Append("b", note("3"), "t")]
    answers = ledger.append_many(appends, connection=own.raw)
    assert [sequences(part) for part in answers] == [[1, 2], [1]]
    own.execute("COMMIT")
    assert (texts(ledger.read("a")), texts(ledger.read("b", tenant="t"))) == (["1", "2"], ["3"])


@on_durable
def test_a_rejection_leaves_the_transaction_usable(ledger: Any, own: Own) -> None:
    own.execute("INSERT INTO orders VALUES (1)")
    ledger.append("s", note("a", event_id="e"), connection=own.raw)
    with pytest.raises(SequenceConflict):
        ledger.append("s", note("b"), expected=0, connection=own.raw)
    with pytest.raises(EventIdReused):
        ledger.append("s", [note("c"), note("d", event_id="e")], connection=own.raw)
    with pytest.raises(IncarnationConflict):
        ledger.append("s", note("g"), incarnation=1, connection=own.raw)
    ledger.append("s", note("f"), incarnation=0, connection=own.raw)
    own.execute("COMMIT")
    assert (texts(ledger.read("s")), orders(own)) == (["a", "f"], 1)


@on_durable
def test_a_savepoint_takes_its_events_back(ledger: Any, own: Own) -> None:
    ledger.append("s", note("a"), connection=own.raw)
    own.execute("SAVEPOINT mine")
    ledger.append("s", note("b"), connection=own.raw)
    own.execute("ROLLBACK TO SAVEPOINT mine")
    assert ledger.append("s", note("c"), connection=own.raw).sequence == 2
    own.execute("COMMIT")
    assert texts(ledger.read("s")) == ["a", "c"]


@on_durable
def test_followers_wake_when_the_caller_commits(ledger: Any, own: Own) -> None:
    found = background(lambda: ledger.read("s", wait=DEADLINE_S))
    ledger.append("s", note("a"), connection=own.raw)
    assert not found.done()
    own.execute("COMMIT")
    assert texts(found.result(DEADLINE_S)) == ["a"]


@on_durable
def test_a_held_bucket_ends_other_appends_with_a_timeout(
    open_ledger: Callable[..., Any], connect: Callable[..., Own]
) -> None:
    ledger = open_ledger(lock_timeout_s=0.3)
    own = connect()
    own.begin()
    ledger.append("s", note("a"), connection=own.raw)
    with pytest.raises(AppendTimeout, match="let it finish") as caught:
        ledger.append("s", note("b"))
    assert isinstance(caught.value, RetryableError)
    assert caught.value.bucket == ledger.door.bucket("", "s")
    own.execute("COMMIT")
    assert ledger.append("s", note("c")).sequence == 2


@on_durable
def test_an_append_goes_on_when_the_held_bucket_is_free(ledger: Any, own: Own) -> None:
    ledger.append("s", note("a"), connection=own.raw)
    waiting = background(lambda: ledger.append("s", note("b")))
    own.execute("COMMIT")
    assert waiting.result(DEADLINE_S).sequence == 2


@on_postgres
def test_other_buckets_go_on_while_one_is_held(
    open_ledger: Callable[..., Any], connect: Callable[..., Own]
) -> None:
    ledger = open_ledger(buckets=8)
    held, *others = sessions_in_buckets(ledger, 8)
    own = connect()
    own.begin()
    ledger.append(held, note("a"), connection=own.raw)
    waiting = [background(lambda: ledger.append(held, note("b"))) for _ in range(8)]
    for session in others * 3:
        ledger.append(session, note())
    assert not any(one.done() for one in waiting)
    own.execute("COMMIT")
    assert sorted(one.result(DEADLINE_S).sequence for one in waiting) == list(range(2, 10))
    assert [ledger.head(session) for session in others] == [3] * 7


@on_postgres
def test_a_batch_over_a_held_bucket_waits_whole(
    open_ledger: Callable[..., Any], connect: Callable[..., Own]
) -> None:
    ledger = open_ledger(buckets=8)
    held, other = sessions_in_buckets(ledger, 2)
    own = connect()
    own.begin()
    ledger.append(held, note("a"), connection=own.raw)
    batch = [Append(other, note("b")), Append(held, note("c"))]
    waiting = background(lambda: ledger.append_many(batch))
    assert ledger.append(other, note("d"), expected=0).sequence == 1
    own.execute("COMMIT")
    assert [sequences(part) for part in waiting.result(DEADLINE_S)] == [[2], [2]]


@on_postgres
def test_the_lock_timeout_is_the_ledgers_not_the_callers(ledger: Any, own: Own) -> None:
    before = own.execute("SHOW lock_timeout").fetchone()
    ledger.append("s", note(), connection=own.raw)
    assert own.execute("SHOW lock_timeout").fetchone() == before


# What is refused.


@on_memory
def test_a_memory_ledger_has_no_transactions_to_join(ledger: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ledger.append("s", note(), connection=object())
    assert (caught.value.argument, ledger.head("s")) == ("connection", 0)


@on_durable
def test_something_that_is_no_connection_is_refused(ledger: Any) -> None:
    for thing in (object(), "connection", ledger):
        with pytest.raises(InvalidArgument) as caught:
            ledger.append("s", note(), connection=thing)
        assert caught.value.argument == "connection"


@on_durable
def test_a_connection_without_a_transaction_is_refused(
    ledger: Any, connect: Callable[..., Own]
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ledger.append("s", note(), connection=connect().raw)
    assert (caught.value.argument, ledger.head("s")) == ("connection", 0)


@on_durable
def test_a_closed_connection_is_refused(ledger: Any, own: Own) -> None:
    own.close()
    with pytest.raises((InvalidArgument, RetryableError)):
        ledger.append("s", note(), connection=own.raw)
    assert ledger.head("s") == 0


@on_sqlite
def test_a_connection_to_another_file_is_refused(
    ledger: Any, connect: Callable[..., Own], tmp_path: Any
) -> None:
    for other in (f"sqlite:///{tmp_path}/other.db", "sqlite:///:memory:"):
        own = connect(other)
        own.begin()
        with pytest.raises(InvalidArgument) as caught:
            ledger.append("s", note(), connection=own.raw)
        assert caught.value.argument == "connection"


@on_postgres
@only_sync
def test_a_connection_to_another_database_is_refused(
    ledger: Any, connect: Callable[..., Own], url: str
) -> None:
    own = connect(url.rpartition("/")[0] + "/postgres")
    own.begin()
    with pytest.raises(InvalidArgument) as caught:
        ledger.append("s", note(), connection=own.raw)
    assert caught.value.argument == "connection"


@on_postgres
@only_async
def test_a_sync_connection_is_refused_by_the_async_ledger(ledger: Any, url: str) -> None:
    with psycopg.connect(url) as own:
        own.execute("SELECT 1")
        with pytest.raises(InvalidArgument) as caught:
            ledger.append("s", note(), connection=own)
    assert caught.value.argument == "connection"


@on_postgres
@only_sync
def test_an_async_connection_is_refused_by_the_sync_ledger(ledger: Any, url: str) -> None:
    loop = LoopThread()
    own = loop.run(psycopg.AsyncConnection.connect(url))
    loop.run(own.execute("SELECT 1"))
    with pytest.raises(InvalidArgument) as caught:
        ledger.append("s", note(), connection=own)
    loop.run(own.close())
    loop.stop()
    assert caught.value.argument == "connection"


@on_postgres
@only_sync
def test_psycopgs_own_transactions_can_be_joined(ledger: Any, url: str) -> None:
    with psycopg.connect(url) as own:
        with own.transaction():
            ledger.append("s", note("a"), connection=own)
        with own.transaction(force_rollback=True):
            ledger.append("s", note("b"), connection=own)
    assert texts(whole_feed(ledger)) == ["a"]


@on_postgres
@only_sync
def test_the_callers_row_factory_does_not_matter(ledger: Any, url: str) -> None:
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as own:
        own.execute("SELECT 1")
        assert ledger.append("s", notes("ab"), connection=own)[1].sequence == 2
        with pytest.raises(SequenceConflict):
            ledger.append("s", note(), expected=9, connection=own)
    assert eventually(lambda: ledger.head("s")) == 2
