"""Many at once: numbers stay dense, readers see no gap, and consumers miss nothing."""

import threading
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

from ledger import Append, Event
from tests.support.builders import (
    DEADLINE_S,
    background,
    note,
    notes,
    sequences,
    texts,
    together,
    whole_feed,
)

Open = Callable[..., Any]


def append_each(ledger: Any, session: str, names: list[str]) -> list[int]:
    return [ledger.append(session, note(name)).sequence for name in names]


def test_u_01_50_writers_of_20_appends_each_give_exactly_1_to_1000(ledger: Any) -> None:
    writers = [[f"{writer} {n}" for n in range(20)] for writer in range(50)]
    answers = together([partial(append_each, ledger, "s", names) for names in writers])
    assert sorted(number for answer in answers for number in answer) == list(range(1, 1_001))
    assert all(answer == sorted(answer) for answer in answers)
    events = ledger.read("s")
    assert sequences(events) == list(range(1, 1_001))
    stored = {event.sequence: event.data["text"] for event in events}
    for names, answer in zip(writers, answers, strict=True):
        assert [stored[number] for number in answer] == names


def test_asm_86_50_appends_at_once_get_1_to_50(ledger: Any) -> None:
    answers = together([lambda: ledger.append("s", note())] * 50)
    assert sorted(sequences(answers)) == list(range(1, 51))
    assert ledger.head("s") == 50


def test_asm_87_batches_at_once_stay_whole(ledger: Any) -> None:
    answers = together([lambda b=b: ledger.append("s", notes([str(b)] * 5)) for b in range(10)])
    assert sequences(ledger.read("s")) == list(range(1, 51))
    for answer in answers:
        numbers = sequences(answer)
        assert numbers == list(range(numbers[0], numbers[0] + 5))


def test_new_sessions_at_once_each_begin_at_1(ledger: Any) -> None:
    answers = together([lambda n=n: ledger.append(f"s{n}", notes("ab")) for n in range(40)])
    assert [sequences(answer) for answer in answers] == [[1, 2]] * 40


def test_a_reader_never_sees_a_gap_or_half_a_batch(ledger: Any) -> None:
    done = threading.Event()

    def read() -> list[list[int]]:
        seen = []
        while not done.is_set():
            seen.append(sequences(ledger.read("s")))
        return seen

    readers = [background(read) for _ in range(2)]
    together([lambda: [ledger.append("s", notes("abc")) for _ in range(10)]] * 4)
    done.set()
    for reader in readers:
        seen = reader.result(DEADLINE_S)
        assert all(one == list(range(1, len(one) + 1)) and len(one) % 3 == 0 for one in seen)
        assert all(len(before) <= len(after) for before, after in pairwise(seen))


def test_consumers_with_nothing_but_a_cursor_get_everything_once(open_ledger: Open) -> None:
    ledger = open_ledger(buckets=8)
    writers, batches = 6, 15
    expected = writers * batches * 4

    def write(writer: int) -> None:
        for batch in range(batches):
            name = f"{writer} {batch}"
            if batch % 3:
                ledger.append(f"s{(writer + batch) % 5}", notes([name] * 4))
            else:
                two = notes([name] * 2)
                ledger.append_many([Append(f"own{writer}", two), Append("s0", notes([name] * 2))])

    def consume(limit: int) -> list[Event]:
        events: list[Event] = []
        cursor = None
        while len(events) < expected:
            page = ledger.feed(cursor, limit=limit)
            events += page.events
            cursor = page.cursor
        assert ledger.feed(cursor).events == []
        return events

    consumers = [background(partial(consume, limit)) for limit in (1, 7, 1_000)]
    assert together([partial(write, writer) for writer in range(writers)]) == [None] * writers
    log = {(event.bucket, event.position): event for event in whole_feed(ledger)}
    for consumer in consumers:
        events = consumer.result(4 * DEADLINE_S)
        assert {(event.bucket, event.position): event for event in events} == log
        assert len(events) == expected
        by_session: dict[str, list[int]] = defaultdict(list)
        for event in events:
            by_session[event.session_id].append(event.sequence)
        assert all(found == list(range(1, len(found) + 1)) for found in by_session.values())


def test_followers_get_what_many_writers_append(open_ledger: Open) -> None:
    ledger = open_ledger(buckets=4)

    def follow() -> list[str]:
        found = []
        with ledger.follow() as follower:
            for event in follower:
                found.append(event.data["text"])
                if len(found) == 200:
                    break
        return sorted(found)

    followers = [background(follow) for _ in range(3)]
    names = [[f"{writer} {n}" for n in range(20)] for writer in range(10)]
    together([partial(append_each, ledger, f"s{n}", one) for n, one in enumerate(names)])
    expected = sorted(name for one in names for name in one)
    assert [follower.result(4 * DEADLINE_S) for follower in followers] == [expected] * 3


def test_asm_84_readers_and_writers_of_all_kinds_do_not_disturb_each_other(ledger: Any) -> None:
    ledger.append("s", note("first", event_id="first"))
    calls = [
        lambda: ledger.append("s", notes("ab")),
        lambda: ledger.read("s"),
        lambda: ledger.read("s", newest_first=True, limit=1),
        lambda: ledger.get("s", "first"),
        lambda: ledger.head("s"),
        lambda: ledger.feed(),
        lambda: ledger.list_session_ids(),
        lambda: ledger.read("s", wait=0.01, types=["never"]),
    ]
    outcomes = together(calls * 8)
    assert [one for one in outcomes if isinstance(one, Exception)] == []
    assert texts(ledger.read("s")) == ["first", *"ab" * 8]
