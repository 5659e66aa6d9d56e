"""Handlers: plain functions, called for every event in order, with a key that never changes."""

import asyncio
from typing import Any

import pytest

from ledger import AsyncLedger, CallError, Event, InvalidArgument, LedgerClosed, NewEvent
from projections import AsyncHandlers, Handler, Handlers
from tests.support.blocking import Blocking, LoopThread
from tests.support.builders import (
    DEADLINE_S,
    background,
    eventually,
    note,
    notes,
    on_durable,
    on_memory,
    only_async,
    only_sync,
    sessions_in_buckets,
)
from tests.support.handling import Calls, Clock, Crashed, as_task, handler, handlers_of

#: The format of keys is a promise to whoever keeps them: it never changes.
KEY = "ea1336588958b10d7c4dc80d1d530a7ffb645db206adf44677d9601b61e7057b"


def test_a_handler_is_called_for_every_event_in_order(ledger: Any) -> None:
    calls = Calls()
    runner = handlers_of(ledger, handler(calls))
    for number in range(3):
        for session_id in ("s", "t"):
            ledger.append(session_id, notes("ab"[: number % 2 + 1]))
    ledger.append("s", note("theirs"), tenant="acme")
    assert runner.run().called == 9
    for tenant, session_id, count in (("", "s", 4), ("", "t", 4), ("acme", "s", 1)):
        place = tenant, session_id
        found = [e for e in calls.events if (e.tenant, e.session_id) == place]
        assert found == ledger.read(session_id, tenant=tenant)
        assert len(found) == count
    assert runner.run().called == 0
    ledger.append("s", note("new"))
    assert handlers_of(ledger, handler(calls)).run().called == 1
    assert len({*calls.keys}) == len(calls.keys) == 10


def test_handlers_are_of_a_ledger_of_their_own_face(ledger: Any) -> None:
    opened = ledger._target if isinstance(ledger, Blocking) else ledger
    other = Handlers if isinstance(ledger, Blocking) else AsyncHandlers
    wanted = "a Ledger" if isinstance(ledger, Blocking) else "an AsyncLedger"
    for given, shown in ((opened, f"a value of type {type(opened).__name__}"), (None, "None")):
        with pytest.raises(InvalidArgument) as caught:
            other(given, [handler(Calls())])
        assert str(caught.value) == f"ledger: expected {wanted}, got {shown}."


def test_a_key_is_the_events_own_wherever_it_is_called(open_ledger: Any, url: str) -> None:
    ledger = open_ledger()
    mails, calls = Calls(), Calls()
    ledger.append("s", note("a", event_id="e1"))
    ledger.append("t", note("a", event_id="e1"))
    ledger.append("s", note("a", event_id="e1"), tenant="acme")
    ledger.fork("s", at=1, into="fork")
    ledger.append("fork", note("a", event_id="e1"))
    ledger.delete("s")
    ledger.append("s", note("a", event_id="e2"))
    both = handler(calls), handler(mails, "mail")
    handlers_of(ledger, *both).run()
    assert len({*calls.keys, *mails.keys}) == 2 * len(calls.events)
    assert calls.keys == [both[0].key(event) for event in calls.events]
    first = next(event for event in calls.events if (event.session_id, event.sequence) == ("t", 1))
    assert both[0].key(first) == KEY
    assert len({len(key) for key in calls.keys}) == 1

    other = open_ledger("memory:", buckets=3)
    other.import_lines(list(ledger.export_lines()))
    again = Calls()
    handlers_of(other, handler(again, version=7)).run()
    assert sorted(again.keys) == sorted(calls.keys)


def test_a_handler_is_called_for_what_it_wants_from_where_it_begins(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=3)
    sessions = sessions_in_buckets(ledger, 3)
    for session_id in sessions[:2]:
        ledger.append(session_id, [note("a"), NewEvent({}, "other"), note("b")])
    ledger.append(sessions[0], note("theirs"), tenant="acme")
    named = {
        "typed": {"types": frozenset({"other"})},
        "theirs": {"tenant": "acme"},
        "none": {"types": frozenset[str]()},
        "new": {"start": "head"},
    }
    calls = {name: Calls() for name in named}
    runner = handlers_of(ledger, *(handler(calls[n], n, **options) for n, options in named.items()))
    assert runner.run().called == 3
    assert [event.type for event in calls["typed"].events] == ["other", "other"]
    assert [event.tenant for event in calls["theirs"].events] == ["acme"]
    # The third bucket was empty when the handler began at the head.
    for session_id in sessions:
        ledger.append(session_id, note("new"))
    runner.run()
    assert [event.data for event in calls["new"].events] == [{"text": "new"}] * 3
    assert Handler(name="n", version=1, handle=Calls()).start == "head"


def test_what_was_called_since_the_last_checkpoint_is_called_again(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=1)
    ledger.append("s", notes("abcdefghij"))
    # Killed right behind a call: the first, the last before a checkpoint, the next, the last of all.
    for before in (1, 4, 5, 10):
        calls, clock, name = Calls(), Clock(), f"n{before}"
        options = {"repeats_max": 4, "checkpoint_s": 1.0, "claim_s": 10.0, "clock": clock}
        # It is looked at once for the bucket, once for the visit, and behind each event.
        clock.looks_left = 1 + before
        with pytest.raises(Crashed):
            handlers_of(ledger, handler(calls, name), **options).run()
        assert calls.sequences == list(range(1, before + 1))
        clock.looks_left = None
        survivor = handlers_of(ledger, handler(calls, name), **options)
        # The claim is the dead one's until it was seen to stand still for long enough.
        left = survivor.run(wait_s=0)
        assert (left.called, left.held) == (0, ((name, 0),))
        clock.now += 10
        survivor.run()
        assert calls.sequences[before:] == list(range((before - 1) // 4 * 4 + 1, 11))
        assert len({*calls.keys}) == 10


class Ended(BaseException):
    """As a KeyboardInterrupt, which would end the tests' own event loop."""


def test_a_run_that_is_ended_within_a_call_repeats_that_call_alone(ledger: Any) -> None:
    ledger.append("s", notes("abc"))
    calls = Calls(3, error=Ended)
    with pytest.raises(Ended):
        handlers_of(ledger, handler(calls)).run()
    again = Calls()
    handlers_of(ledger, handler(again)).run()
    assert (calls.sequences, again.sequences) == ([1, 2], [3])


@pytest.mark.parametrize("before", [1, 4, 5])
def test_a_run_that_is_ended_between_calls_repeats_none(open_ledger: Any, before: int) -> None:
    ledger = open_ledger(buckets=1)
    ledger.append("s", notes("abcdefghij"))
    calls, clock = Calls(), Clock(error=Ended)
    clock.looks_left = 1 + before
    with pytest.raises(Ended):
        handlers_of(ledger, handler(calls), repeats_max=4, clock=clock).run()
    assert calls.sequences == list(range(1, before + 1))
    handlers_of(ledger, handler(calls), repeats_max=4).run(wait_s=0)
    assert calls.sequences == list(range(1, 11))


@on_durable
@only_async
@pytest.mark.parametrize("at", [4, 8, 10])
def test_a_run_that_is_cancelled_as_it_keeps_its_place_repeats_no_call(
    url: str, loop: LoopThread, at: int
) -> None:
    calls = Calls()

    async def call(event: Event, key: str) -> None:
        calls(event, key)
        if len(calls.keys) == at:
            asyncio.current_task().cancel()  # type: ignore[union-attr]  # which is told behind this call

    async def scenario() -> None:
        async with await AsyncLedger.open(url) as ledger:
            await ledger.append("s", notes("abcdefghij"))
            pace = {"repeats_max": 4, "checkpoint_s": 0.1, "claim_s": 0.3}
            running = asyncio.create_task(AsyncHandlers(ledger, [handler(call)], **pace).run())
            await asyncio.wait([running])
            assert running.cancelled()
            assert calls.sequences == list(range(1, at + 1))
            while len(calls.keys) < 10:  # a place that was kept all the same kept the claim, too
                await AsyncHandlers(ledger, [handler(call)], **pace).run()
            assert calls.sequences == list(range(1, 11))

    loop.run(scenario())


@on_durable
@only_sync
def test_a_run_that_is_ended_ends_where_its_place_cannot_be_kept(ledger: Any) -> None:
    ledger.append("s", note())

    def end(event: Event, key: str) -> None:
        ledger.close()
        raise Ended

    with pytest.raises(Ended) as caught:
        Handlers(ledger, [handler(end)]).watch()
    assert isinstance(caught.value.__cause__, LedgerClosed)


@on_durable
@only_async
def test_a_task_that_is_cancelled_ends_where_its_place_cannot_be_kept(
    url: str, loop: LoopThread
) -> None:
    async def scenario() -> None:
        ledger = await AsyncLedger.open(url)
        await ledger.append("s", note())

        async def end(event: Event, key: str) -> None:
            await ledger.close()
            asyncio.current_task().cancel()  # type: ignore[union-attr]  # there is one
            await asyncio.sleep(0)

        watching = asyncio.create_task(AsyncHandlers(ledger, [handler(end)]).watch())
        await asyncio.wait([watching], timeout=DEADLINE_S)
        assert watching.cancelled()

    loop.run(scenario())


def test_watching_follows_the_log_and_ends_when_told_to(ledger: Any) -> None:
    calls = Calls()
    runner = handlers_of(ledger, handler(calls))
    watching = background(runner.watch)
    for count in range(1, 4):
        ledger.append("s", note())
        eventually(lambda count=count: calls.sequences == list(range(1, count + 1)))  # type: ignore[misc]  # a default binds it
    runner.stop()
    watching.result(DEADLINE_S)
    ledger.append("s", note())
    assert runner.run().called == 0
    assert handlers_of(ledger, handler(calls)).run().called == 1


class TellsLater:
    """An object that is called like an async function."""

    async def __call__(self, failure: Exception) -> None: ...


@on_memory
@only_sync
def test_what_cannot_be_run_is_refused(ledger: Any) -> None:
    plain = handler(Calls())
    refused: list[tuple[list[Any], dict[str, Any]]] = [
        ([], {}),
        ([plain, plain], {}),
        ([plain], {"repeats_max": 0}),
        ([plain], {"checkpoint_s": 0}),
        ([plain], {"checkpoint_s": float("nan")}),
        ([plain], {"claim_s": float("inf")}),
        ([plain], {"claim_s": 1.5}),
        *(([plain], {name: 5}) for name in ("on_failure", "on_retry", "clock")),
        *(([plain], {name: as_task(Calls())}) for name in ("on_failure", "on_retry")),
        *(([plain], {name: TellsLater()}) for name in ("on_failure", "on_retry")),
    ]
    refused += [
        ([handler(Calls(), name)], {}) for name in ("", "A", "a-b", "1a", "x" * 41, "runs", None)
    ]
    refused += [([handler(Calls(), version=version)], {}) for version in (0, -1, 2**31, 1.0, True)]
    wrong = [("start", "end"), ("types", "note"), ("types", ["note"]), ("types", {""})]
    wrong += [("tenant", 1), ("retry_on", ValueError), ("retry_on", (BaseException,))]
    wrong += [("retry_on", ("ValueError",))]
    refused += [([handler(Calls(), **{name: value})], {}) for name, value in wrong]
    refused += [([handler("notify")], {}), ([Calls()], {})]
    for handlers, options in refused:
        with pytest.raises(CallError):
            handlers_of(ledger, *handlers, **options)
    for wait_s in (-1, float("nan"), float("inf"), "1", True):
        with pytest.raises(InvalidArgument, match="wait_s"):
            handlers_of(ledger, plain).run(wait_s=wait_s)
    longest = handlers_of(ledger, handler(Calls(), "x" * 40, version=2**31 - 1))
    ledger.append("s", note())
    assert longest.run().called == 1


@on_memory
@only_sync
def test_a_thread_does_not_run_async_functions(ledger: Any) -> None:
    with pytest.raises(InvalidArgument, match="AsyncHandlers"):
        handlers_of(ledger, handler(as_task(Calls())))


@on_memory
@only_async
def test_a_task_does_not_run_functions_that_would_hold_up_its_loop(ledger: Any) -> None:
    with pytest.raises(InvalidArgument, match="async one"):
        AsyncHandlers(ledger._target, [handler(Calls())])
