"""Memory: pages are counted in events, and hold few of them where events are big."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from ledger import NewEvent
from ledger.paging import PAGE_BYTES, PageSize
from ledger.records import Record
from tests.support.builders import only_sync

MEBIBYTE = 1_048_576
EVENTS = 96
#: A first page of 16 events, a later one, and a copy of each on its way.
BYTES_MAX = 56 * MEBIBYTE


def big() -> NewEvent:
    return NewEvent({"text": "x" * (MEBIBYTE - 64)}, "note")


def verified(ledger: Any) -> int:
    return int(ledger.verify().events)


def exported(ledger: Any) -> int:
    return sum(1 for _ in ledger.export_lines()) - 2


def followed(ledger: Any) -> int:
    follower = iter(ledger.follow())
    return sum(1 for _ in zip(range(EVENTS), follower, strict=False))


@only_sync
@pytest.mark.parametrize("work", [verified, exported, followed])
def test_big_events_are_not_read_by_the_thousand(
    open_ledger: Callable[..., Any], work: Callable[[Any], int]
) -> None:
    ledger = open_ledger(buckets=1)
    for _ in range(EVENTS // 16):
        ledger.append("s", [big() for _ in range(16)])
    tracemalloc.start(1)
    try:
        done = work(ledger)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert done == EVENTS
    assert peak < BYTES_MAX


def record(payload_bytes: int) -> Record:
    return Record(
        0, 1, "", "s", 1, "e", "note", 1, None, 0, 0, None, None, None, None, None, "{}", "",
        b"x" * payload_bytes, b"", b"", b"",
    )  # fmt: skip


def test_pages_of_small_events_are_as_large_as_ever_after_three() -> None:
    size = PageSize(5_000)
    sizes = []
    for _ in range(4):
        sizes.append(size.events)
        size.saw([record(200)] * size.events)
    assert sizes == [16, 256, 4_096, 5_000]


@pytest.mark.parametrize("payload_bytes", [10_000, MEBIBYTE, 100 * MEBIBYTE])
def test_a_page_of_big_events_holds_what_fits(payload_bytes: int) -> None:
    size = PageSize(5_000)
    one = record(payload_bytes)
    for _ in range(4):
        size.saw([one] * size.events)
    assert size.events == max(1, PAGE_BYTES // (payload_bytes + 1_026))
