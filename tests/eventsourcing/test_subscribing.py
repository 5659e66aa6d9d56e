"""Subscriptions wake up wherever the event was appended, and miss none."""

import time
from itertools import count, islice
from statistics import median

import pytest
from eventsourcing.persistence import DatabaseError, StoredEvent

from ledger.following import FOLLOW_WAIT_S
from projections.eventsourcing import LedgerFactory
from tests.support.builders import DEADLINE_S, at_best, background, on_durable

EVENTS = 200
SUBSCRIBERS = 4


def stored(version: int, topic: str = "topic") -> StoredEvent:
    return StoredEvent("one", version, topic, b"{}")


@on_durable
def test_subscribers_of_other_factories_get_every_event_once(url: str) -> None:
    writer = LedgerFactory({"LEDGER_URL": url})
    readers = [LedgerFactory({"LEDGER_URL": url}) for _ in range(2)]
    recorder = writer.application_recorder()
    subscriptions = [
        readers[number % 2].application_recorder().subscribe(gt=0) for number in range(SUBSCRIBERS)
    ]
    taken = [background(lambda s=s: [n.id for n in islice(s, EVENTS)]) for s in subscriptions]
    for version in range(1, EVENTS + 1):
        recorder.insert_events([stored(version)])
    for ids in taken:
        assert ids.result(DEADLINE_S) == list(range(1, EVENTS + 1))
    for factory in [writer, *readers]:
        factory.close()


def test_a_waiting_subscriber_is_woken_rather_than_polling(url: str) -> None:
    factory = LedgerFactory({"LEDGER_URL": url})
    recorder = factory.application_recorder()
    versions = count(1)
    with recorder.subscribe() as subscription:

        def delay() -> float:
            version = next(versions)
            arrival = background(lambda: (next(subscription), time.monotonic())[1])
            # It waits by now or it does not: neither way may the event be missed.
            time.sleep(0.02 * (version % 2))
            recorder.insert_events([stored(version)])
            appended = time.monotonic()
            return arrival.result(DEADLINE_S) - appended

        # Polling alone would need twice as long on average.
        enough_s = FOLLOW_WAIT_S / 4
        assert at_best(lambda: median(delay() for _ in range(10)), enough_s) < enough_s
    factory.close()


def test_topics_are_chosen_in_the_database(url: str) -> None:
    factory = LedgerFactory({"LEDGER_URL": url})
    recorder = factory.application_recorder()
    recorder.insert_events([stored(version, f"topic{version % 3}") for version in range(1, 10)])
    with recorder.subscribe(gt=2, topics=["topic0", "topic2"]) as subscription:
        assert [n.id for n in islice(subscription, 5)] == [3, 5, 6, 8, 9]
    factory.close()


@pytest.mark.parametrize("end", ["stop", "close"])
def test_a_waiting_subscriber_can_be_ended_from_another_thread(url: str, end: str) -> None:
    versions = count(1)

    def ending() -> float:
        factory = LedgerFactory({"LEDGER_URL": url})
        recorder = factory.application_recorder()
        [number] = recorder.insert_events([stored(next(versions))])
        subscription = recorder.subscribe(gt=number - 1)
        assert next(subscription).id == number
        rest = background(lambda: list(subscription))
        # It waits by now or it does not: either way the end is near.
        time.sleep(0.02)
        start = time.monotonic()
        if end == "stop":
            subscription.stop()
        else:
            factory.close()
        assert rest.result(DEADLINE_S) == []
        took_s = time.monotonic() - start
        factory.close()
        return took_s

    enough_s = FOLLOW_WAIT_S / 4
    assert at_best(ending, enough_s) < enough_s


def test_a_restored_ledger_that_ends_before_the_subscription_begins_is_an_error(url: str) -> None:
    factory = LedgerFactory({"LEDGER_URL": url})
    recorder = factory.application_recorder()
    recorder.insert_events([stored(1)])
    with recorder.subscribe(gt=2) as subscription, pytest.raises(DatabaseError, match="restored"):
        next(subscription)
    factory.close()
