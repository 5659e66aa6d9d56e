"""Several processes on one ledger, and processes that die."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.builders import (
    eventually,
    note,
    on_durable,
    only_sync,
    sequences,
    texts,
    whole_feed,
)

pytestmark = pytest.mark.usefixtures("new_database")

ROOT = Path(__file__).resolve().parents[2]
Open = Callable[..., Any]


def start_writer(url: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.contract.writer", url, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


@on_durable
def test_u_19_two_processes_of_four_threads_lose_nothing(ledger: Any, url: str) -> None:
    writers = [start_writer(url, name, 4, 15, 2) for name in ("one", "two")]
    for number in range(30):
        ledger.append("s", note(f"here {number}"))
    endings = [(writer.communicate(timeout=120)[1], writer.returncode) for writer in writers]
    assert endings == [("", 0), ("", 0)]
    events = ledger.read("s")
    assert sequences(events) == list(range(1, 2 * 4 * 15 * 2 + 30 + 1))
    assert len(set(texts(events))) == len(events)
    for name in ("one", "two"):
        for thread in range(4):
            own = ledger.read(f"{name}.{thread}")
            expected = [f"{name}.{thread} {n} {e}" for n in range(15) for e in range(2)]
            assert texts(own) == expected
            assert [text for text in texts(events) if text in set(expected)] == expected
    feed = whole_feed(ledger)
    assert len({(event.bucket, event.position) for event in feed}) == len(feed) == 510


@on_durable
@only_sync
def test_u_04_a_killed_writer_leaves_no_partial_batch(open_ledger: Open, url: str) -> None:
    ledger = open_ledger()
    writer = start_writer(url, "doomed", 3, 0, 7)
    try:
        eventually(lambda: ledger.head("s") >= 70)
    finally:
        writer.kill()
        writer.communicate()
    ledger.append("s", note("after"))
    events = open_ledger().read("s")
    assert sequences(events) == list(range(1, len(events) + 1))
    batches = texts(events[:-1])
    assert len(batches) % 7 == 0
    for start in range(0, len(batches), 7):
        first = batches[start].removesuffix(" 0")
        assert batches[start : start + 7] == [f"{first} {event}" for event in range(7)]


@on_durable
@only_sync
def test_what_was_acknowledged_survives_the_end_of_the_process(ledger: Any, url: str) -> None:
    program = (
        "import os, sys; from ledger import Ledger, NewEvent; ledger = Ledger.open(sys.argv[1]);"
        "ledger.append('s', NewEvent({'text': 'kept'}, 'note')); os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", program, url], cwd=ROOT, check=False)
    assert (done.returncode, texts(ledger.read("s"))) == (9, ["kept"])
