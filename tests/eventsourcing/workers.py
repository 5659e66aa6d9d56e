"""What child processes of these tests do; each function gets its end of a pipe last."""

import time
from itertools import count as count_from
from itertools import islice
from multiprocessing.connection import Connection

from eventsourcing.application import Application
from eventsourcing.persistence import StoredEvent
from eventsourcing.projection import EventSourcedProjectionRunner, ProjectionRunner
from eventsourcing.tests.projection import AggregateEventCountersProjection, Counters

from projections.eventsourcing import LedgerFactory
from tests.eventsourcing.cases import CountersView
from tests.eventsourcing.homes import MODULE


def insert(url: str, writer: str, count: int, events: int, pipe: Connection) -> None:
    """Insert as often as told, once the parent says so, and report ids and when they were there.

    The time is that of the monotonic clock, which the processes of one machine share.
    """
    factory = LedgerFactory({"LEDGER_URL": url})
    recorder = factory.application_recorder()
    pipe.send("ready")
    versions = count_from(1, events)
    while (pause_s := pipe.recv()) is not None:
        for first in islice(versions, count):
            time.sleep(pause_s)
            ids = recorder.insert_events(
                [StoredEvent(writer, first + place, "topic", b"{}") for place in range(events)]
            )
            pipe.send((ids, time.monotonic()))
    factory.close()


def subscribe(url: str, count: int, pipe: Connection) -> None:
    """Report each id and when it came."""
    factory = LedgerFactory({"LEDGER_URL": url})
    with factory.application_recorder().subscribe(gt=0) as subscription:
        pipe.send("ready")
        for notification in islice(subscription, count):
            pipe.send((notification.id, time.monotonic()))
    factory.close()


def run_projection(url: str, kind: str, pipe: Connection) -> None:
    """Run a projection until the process is killed."""
    env = {"PERSISTENCE_MODULE": MODULE, "LEDGER_URL": url}
    runner: ProjectionRunner | EventSourcedProjectionRunner
    if kind == "view":
        runner = ProjectionRunner(
            application_class=Application,
            projection_class=AggregateEventCountersProjection,
            view_class=CountersView,
            env=env,
        )
    else:
        runner = EventSourcedProjectionRunner(
            application_class=Application, projection_class=Counters, env=env
        )
    with runner:
        pipe.send("running")
        runner.run_forever()
