"""Where handlers stop: at an event, named in every process's status; nothing else is held up."""

from datetime import timedelta
from typing import Any

import pytest

from ledger import InvalidArgument, NewEvent, RetryableError, Upcasts
from ledger.visible_text import REASON_CHARS_MAX
from projections import HandlerFailed, HandlerSuperseded
from tests.support.builders import (
    DEADLINE_S,
    background,
    eventually,
    note,
    notes,
    on_memory,
    only_sync,
    sessions_in_buckets,
)
from tests.support.handling import Calls, Clock, handler, handlers_of
from tests.support.views import TALLY, views_of


def test_a_handler_that_raises_stops_at_that_event_and_nothing_else_does(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=2)
    first, second = sessions_in_buckets(ledger, 2)
    events = [one.event for one in ledger.append(first, notes("abc"))]
    ledger.append(second, note())
    told: list[HandlerFailed] = []
    poisoned, fine = Calls(2), Calls()
    runner = handlers_of(ledger, handler(poisoned), handler(fine, "fine"), on_failure=told.append)
    [failure] = runner.run().failures
    place = events[1].bucket, events[1].position, events[1].event_id
    assert (failure.handler, failure.version) == ("notify", 1)
    assert (failure.bucket, failure.position, failure.event_id) == place
    assert isinstance(failure.__cause__, ZeroDivisionError)
    assert told == [failure]
    assert (len(fine.events), len(poisoned.events)) == (4, 2)

    views = views_of(ledger, TALLY)
    views.catch_up()
    status = views.status()
    [reason] = status.reasons
    for said in ("notify version 1", repr(events[1].event_id), "ZeroDivisionError: poison"):
        assert said in reason
    assert not status.healthy

    assert runner.run().failures[0].position == failure.position
    poisoned.failing.clear()
    assert handlers_of(ledger, handler(poisoned)).run().called == 2
    assert [e.sequence for e in poisoned.events if e.session_id == first] == [1, 2, 3]
    assert views.status().healthy


def test_an_event_is_left_out_on_demand_and_on_record(ledger: Any) -> None:
    events = [one.event for one in ledger.append("s", notes("abc"))]
    calls = Calls(2)
    runner = handlers_of(ledger, handler(calls))
    runner.run()
    bucket, position = events[1].bucket, events[1].position
    why = {"reason": "rubbish", "by": "kim"}
    for wrong in (
        {"bucket": bucket, "position": position + 1},
        {"bucket": bucket, "position": -1},
        {"bucket": 10_000, "position": position},
    ):
        with pytest.raises(InvalidArgument):
            runner.skip("notify", **wrong, **why)
    with pytest.raises(InvalidArgument, match="none named"):
        runner.skip("other", bucket=bucket, position=position, **why)
    with pytest.raises(ValueError, match="reason"):
        runner.skip("notify", bucket=bucket, position=position, reason="", by="kim")

    # By another process than the one that stopped there.
    skip = handlers_of(ledger, handler(calls)).skip(
        "notify", bucket=bucket, position=position, **why
    )
    assert (skip.projection, skip.event_id, skip.by) == ("notify", events[1].event_id, "kim")
    assert skip.error == "ZeroDivisionError: poison"
    assert runner.run().failures == ()
    assert calls.sequences == [1, 3]
    status = views_of(ledger, TALLY).status(lag_seconds_max=None)
    assert status.healthy
    assert [one for view in status.views for one in view.skips] == [skip]
    with pytest.raises(InvalidArgument, match="not stopped"):
        runner.skip("notify", bucket=bucket, position=position, **why)


def test_a_version_that_was_relieved_decides_nothing_any_more(ledger: Any) -> None:
    [event] = [one.event for one in ledger.append("s", notes("a"))]
    place = {"bucket": event.bucket, "position": event.position}
    old = handlers_of(ledger, handler(Calls(1)))
    new = handlers_of(ledger, handler(Calls(1), version=2))
    assert [len(runner.run().failures) for runner in (old, new)] == [1, 1]
    with pytest.raises(HandlerSuperseded, match="notify"):
        old.skip("notify", **place, reason="rubbish", by="kim")
    assert new.skip("notify", **place, reason="rubbish", by="kim").version == 2
    assert new.run().failures == ()


@only_sync
def test_a_daemon_tries_again_what_may_succeed_later_and_leaves_the_rest_alone(
    open_ledger: Any,
) -> None:
    ledger = open_ledger(buckets=1)
    ledger.append("s", notes("ab"))
    clock, told = Clock(), list[str]()
    unreachable, named, broken = Calls(1, error=ConnectionError), Calls(1), Calls(1)
    runner = handlers_of(
        ledger,
        handler(unreachable, "unreachable"),
        handler(named, "named", retry_on=(ArithmeticError,)),
        handler(broken, "broken"),
        clock=clock,
        on_failure=lambda failure: told.append(failure.handler),
    )
    watching = background(runner.watch)
    eventually(lambda: sorted(told) == ["broken", "named", "unreachable"])
    clock.now += 0.5
    eventually(lambda: sorted(told) == ["broken", *["named"] * 2, *["unreachable"] * 2])
    unreachable.failing.clear()
    named.failing.clear()
    clock.now += 1
    eventually(lambda: unreachable.sequences == named.sequences == [1, 2])
    runner.stop()
    watching.result(DEADLINE_S)
    assert told.count("broken") == 1
    # Whoever runs it, by hand or anew, tries everything.
    broken.failing.clear()
    assert handlers_of(ledger, handler(broken, "broken")).run().called == 2
    assert handler(Calls()).retry_on == (RetryableError, ConnectionError, TimeoutError)


@only_sync
def test_what_an_upcaster_raised_for_a_moment_is_tried_again(open_ledger: Any) -> None:
    failing = [True]

    def flaky(old: dict[str, Any]) -> dict[str, Any]:
        if failing:
            raise ConnectionError
        return old

    upcasts = Upcasts()
    upcasts.register("order.priced", from_version=1, upcaster=flaky)
    ledger = open_ledger(upcasts=upcasts, buckets=1)
    ledger.append("s", NewEvent({}, "order.priced", schema_version=1))
    clock, calls, told = Clock(), Calls(), list[HandlerFailed]()
    runner = handlers_of(ledger, handler(calls), clock=clock, on_failure=told.append)
    watching = background(runner.watch)
    eventually(lambda: len(told) == 1)
    failing.clear()
    clock.now += 1
    eventually(lambda: calls.sequences == [1])
    runner.stop()
    watching.result(DEADLINE_S)


def test_a_failure_that_nobody_asked_to_be_told_of_is_logged(
    ledger: Any, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.append("s", note())
    runner = handlers_of(ledger, handler(Calls(1)))
    watching = background(runner.watch)
    [record] = eventually(lambda: [one for one in caplog.records if one.name == "projections"])
    runner.stop()
    watching.result(DEADLINE_S)
    assert record.levelname == "ERROR"
    assert record.getMessage().startswith("Handler notify version 1 stopped in bucket")


def test_a_handler_that_nobody_runs_is_unhealthy_when_the_log_moves_on(ledger: Any) -> None:
    runner = handlers_of(ledger, handler(Calls()))
    runner.run()
    appended = ledger.append("s", note()).event
    views = views_of(ledger, TALLY)
    views.catch_up()

    def reasons(seconds: float) -> tuple[str, ...]:
        now = appended.recorded_at + timedelta(seconds=seconds)
        found: tuple[str, ...] = views.status(now=now).reasons
        return found

    assert reasons(3.9) == ()
    assert reasons(4.1) == ("notify version 1 is 1 events and 4.1 s behind",)
    runner.run()
    assert reasons(4.1) == ()


def test_a_retired_handler_is_nobodys_concern_until_it_is_run_again(ledger: Any) -> None:
    calls = Calls(2)
    runner = handlers_of(ledger, handler(calls))
    ledger.append("s", notes("ab"))
    runner.run()
    views = views_of(ledger, TALLY)
    views.catch_up()
    assert not views.status().healthy
    runner.retire("notify")
    assert views.status(lag_seconds_max=0).healthy
    assert [one.projection for one in views.status().views] == ["tally"]
    with pytest.raises(InvalidArgument, match="none named"):
        runner.retire("other")
    calls.failing.clear()
    assert runner.run().called == 1
    assert {one.projection for one in views.status().views} == {"notify", "tally"}


@on_memory
def test_an_event_that_cannot_be_decoded_stops_who_wants_it(open_ledger: Any) -> None:
    upcasts = Upcasts()
    upcasts.register("order.priced", from_version=1, upcaster=lambda old: {"cents": old["amount"]})
    ledger = open_ledger(upcasts=upcasts)
    ledger.append("s", [NewEvent({}, "order.priced", schema_version=1), note()])
    priced, others = Calls(), Calls()
    wanted = handler(priced, "priced", types=frozenset({"order.priced"}))
    [failure] = (
        handlers_of(ledger, wanted, handler(others, "others", types=frozenset({"note"})))
        .run()
        .failures
    )
    assert (failure.handler, failure.position) == ("priced", 1)
    for told in (
        "UpcastFailed: The upcaster of 'order.priced' from version 1",
        "KeyError: 'amount'",
    ):
        assert told in failure.reason
    assert others.sequences == [2]


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


def test_whatever_a_handler_raises_is_kept(ledger: Any) -> None:
    ledger.append("s", [note(), note()])
    odd = "a\0b \ud800 \x1b[2J " + "x" * 2_000

    def raises(error: Exception) -> Any:
        def handle(event: Any, key: str) -> None:
            raise error

        return handle

    both = handler(raises(ValueError(odd)), "odd"), handler(raises(Unspeakable()), "unspeakable")
    found = handlers_of(ledger, *both).run().failures
    status = views_of(ledger, TALLY).status(lag_seconds_max=None)
    assert [one.error for view in status.views for one in view.failures] == [
        "ValueError: " + "a\\x00b \\ud800 \\x1b[2J " + "x" * (REASON_CHARS_MAX - 23) + "…",
        "Unspeakable: its text cannot be told (ZeroDivisionError)",
    ]
    assert len(found) == 2
    assert all(str(one).isprintable() for one in found)


@on_memory
def test_a_name_belongs_to_a_view_or_to_a_handler(ledger: Any) -> None:
    views_of(ledger, TALLY).catch_up()
    with pytest.raises(InvalidArgument, match="is a view"):
        handlers_of(ledger, handler(Calls(), "tally", version=2)).run()
