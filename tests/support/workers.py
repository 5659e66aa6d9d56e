"""What child processes of the fault tests do; each function gets its end of a pipe last."""

import asyncio
import resource
import threading
import time
from collections.abc import Callable
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any

import apsw

# Loaded before the fork, so that a child does not spend its short life on importing.
import ledger.backends.postgres
import ledger.backends.sqlite
import ledger.catalogue
from ledger import AsyncLedger, Ledger, NewEvent
from ledger.backends.sqlite import backup as backup_module
from tests.support.claims import writes


def write(
    url: str, writer: str, seed: int, threads: int, count: int | None, pipe: Connection
) -> None:
    """Append in several threads and report every answer, or the error that ended a thread."""
    reporting = threading.Lock()

    def report(message: Any) -> None:
        with reporting:
            pipe.send(message)

    def work(number: int) -> None:
        try:
            for answer in islice(writes(opened, f"{writer}.{number}", seed), count):
                report(answer)
        except Exception as error:
            report(error)

    with Ledger.open(url) as opened:
        started = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()


def open_only(url: str, schema: str, pipe: Connection) -> None:
    """Open a ledger and say when that was done."""
    pipe.send("started")
    with Ledger.open(url, schema=schema, buckets=64):
        pipe.send("opened")


def hold_write_lock(path: str, pipe: Connection) -> None:
    """Hold a SQLite file's write lock, from the moment this is said until something is heard."""
    connection = apsw.Connection(path)
    connection.execute("BEGIN IMMEDIATE")
    pipe.send("held")
    pipe.recv()
    connection.execute("ROLLBACK")
    pipe.send("released")


def back_up(url: str, copy: str, pipe: Connection) -> None:
    """Copy a ledger's file page by page, and say when that begins and when it is done."""
    backup_module._STEP_PAGES = 1
    pipe.send("begins")
    ledger.backup(url, copy)
    pipe.send("done")


def append_on_demand(url: str, pipe: Connection) -> None:
    """Wait as long as each message says, append to session "s", answer with the moment of return.

    The moment is on the monotonic clock, which the processes of one machine share.
    """
    with Ledger.open(url) as opened:
        pipe.send("ready")
        while (delay_s := pipe.recv()) is not None:
            time.sleep(delay_s)
            opened.append("s", NewEvent({}, "note"))
            pipe.send(time.monotonic())


def echo(pipe: Connection) -> None:
    """Send back every message, up to None."""
    while (message := pipe.recv()) is not None:
        pipe.send(message)


def follow_idly(url: str, style: str, pipe: Connection) -> None:
    """Follow a log in which nothing happens; answer every message with the CPU seconds so far."""

    def answer() -> None:
        while True:
            pipe.recv()
            usage = resource.getrusage(resource.RUSAGE_SELF)
            pipe.send(usage.ru_utime + usage.ru_stime)

    threading.Thread(target=answer, daemon=True).start()
    ready: Callable[[], None] = lambda: pipe.send("ready")  # noqa: E731 - one line of two twins
    if style == "sync":
        with Ledger.open(url) as opened:
            for _ in opened.follow():
                ready()
    else:
        asyncio.run(_follow_idly(url, ready))


async def _follow_idly(url: str, ready: Callable[[], None]) -> None:
    async with await AsyncLedger.open(url) as opened:
        async for _ in opened.follow():
            ready()
