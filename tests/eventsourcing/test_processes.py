"""Several processes on one log: subscribers miss nothing, and killed projections count right."""

import random
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from typing import Any

import pytest
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate
from eventsourcing.persistence import TrackingRecorder
from eventsourcing.projection import EventSourcedProjectionRunner, ProjectionRunner
from eventsourcing.tests.projection import AggregateEventCountersProjection, Counters
from eventsourcing.utils import Environment

from projections.eventsourcing import LedgerFactory
from tests.eventsourcing.cases import CountersView
from tests.eventsourcing.homes import MODULE
from tests.eventsourcing.workers import insert, run_projection, subscribe
from tests.support.builders import DEADLINE_S, at_best, background, on_durable, take
from tests.support.processes import Child, child, switching_s
from tests.support.workers import echo

WRITERS = 3
INSERTS = 60
EVENTS = 2
WAKE_UP_S = 0.05
QUIET_INSERTS = 20
KILLS = 10
SAVED = 8

pytestmark = on_durable


@pytest.fixture
def factory(url: str) -> Iterator[LedgerFactory]:
    factory = LedgerFactory({"LEDGER_URL": url})
    yield factory
    factory.close()


def answers(running: Child, count: int) -> list[Any]:
    return [running.answer() for _ in range(count)]


def test_subscribers_see_what_concurrent_processes_insert_once_and_in_order(
    url: str, factory: LedgerFactory
) -> None:
    total = WRITERS * INSERTS * EVENTS
    with ExitStack() as stack:
        reader = stack.enter_context(child(subscribe, url, total))
        writers = [
            stack.enter_context(child(insert, url, f"writer-{number}", INSERTS, EVENTS))
            for number in range(WRITERS)
        ]
        assert {running.answer() for running in [reader, *writers]} == {"ready"}
        with factory.application_recorder().subscribe(gt=0) as subscription:
            here = background(lambda: [n.id for n in take(subscription, total)])
            for writer in writers:
                writer.pipe.send(0)
            inserted = [ids for writer in writers for ids, _ in answers(writer, INSERTS)]
            assert here.result(DEADLINE_S) == list(range(1, total + 1))
        assert [number for number, _ in answers(reader, total)] == list(range(1, total + 1))
    # Each insert's events stand together, and nobody was told another's ids.
    assert all(ids == list(range(ids[0], ids[0] + EVENTS)) for ids in inserted)
    assert sorted(chain.from_iterable(inserted)) == list(range(1, total + 1))
    assert factory.ledger.verify().ok


def test_a_subscriber_is_woken_by_another_process_at_once(url: str) -> None:
    def own_delay_s() -> float:
        writer.pipe.send(0.05)
        there = {ids[0]: at for ids, at in answers(writer, QUIET_INSERTS)}
        delays = [at - there[number] for number, at in answers(reader, QUIET_INSERTS)]
        return statistics.median(delays) - switching_s(echoing)

    with child(insert, url, "one", QUIET_INSERTS, 1) as writer, child(echo) as echoing:
        assert writer.answer() == "ready"
        with child(subscribe, url, sys.maxsize) as reader:
            assert reader.answer() == "ready"
            assert at_best(own_delay_s, WAKE_UP_S) < WAKE_UP_S


@pytest.mark.parametrize("kind", ["view", "process"])
def test_a_killed_projection_has_counted_every_event_once(url: str, kind: str) -> None:
    chance = random.Random(kind)
    env = {"PERSISTENCE_MODULE": MODULE, "LEDGER_URL": url}
    interrupted = 0
    with Application[Any](env=env) as app:
        for _ in range(KILLS):
            with child(run_projection, url, kind) as runner:
                assert runner.answer() == "running"
                for _ in range(SAVED):
                    aggregate = Aggregate()
                    aggregate.trigger_event(Aggregate.Event)
                    app.save(aggregate)
                time.sleep(chance.uniform(0, 0.1))
                runner.kill()
            last = app.recorder.max_notification_id()
            interrupted += tracked(env, kind) < last
    assert interrupted
    assert counted(env, kind, last) == (KILLS * SAVED, KILLS * SAVED)
    factory = LedgerFactory(env)
    assert factory.ledger.verify().ok
    factory.close()


def tracked(env: dict[str, str], kind: str) -> int:
    """Return how far the projection has come."""
    name = AggregateEventCountersProjection.name if kind == "view" else Counters.name
    factory = LedgerFactory(Environment(name, env))
    recorder: TrackingRecorder = factory.tracking_recorder(CountersView)
    if kind == "process":
        recorder = factory.process_recorder()
    reached = recorder.max_tracking_id(Application.name) or 0
    factory.close()
    return reached


def counted(env: dict[str, str], kind: str, last: int | None) -> tuple[int, int]:
    """Let the projection come to the end and return what it counted."""
    if kind == "view":
        with ProjectionRunner(
            application_class=Application,
            projection_class=AggregateEventCountersProjection,
            view_class=CountersView,
            env=env,
        ) as runner:
            runner.wait(last, timeout=DEADLINE_S)
            view = runner.view
            return view.get_created_event_counter(), view.get_subsequent_event_counter()
    with EventSourcedProjectionRunner(
        application_class=Application, projection_class=Counters, env=env
    ) as sourced:
        sourced.wait(last, timeout=DEADLINE_S)
        counters = sourced.projection
        return counters.get_count(Aggregate.Created), counters.get_count(Aggregate.Event)
