"""One contract, every backend, sync and async: the fixtures that make a test run six times."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger import AsyncLedger, Ledger
from ledger.backends.base import Place
from ledger.records import Record
from tests.support.blocking import Blocking, LoopThread
from tests.support.builders import DEADLINE_S

BACKENDS = ("memory", "sqlite", "postgres")
STYLES = ("sync", "async")


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a ledger that does not exist yet; see the marks on_… for less than all."""
    if request.param == "memory":
        return "memory:"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return str(request.getfixturevalue("kept_postgres_url"))


@pytest.fixture(params=STYLES)
def loop(request: pytest.FixtureRequest) -> Iterator[LoopThread | None]:
    """The event loop of the async ledger; None for the sync one."""
    if request.param == "sync":
        yield None
        return
    thread = LoopThread()
    yield thread
    left = thread.run(remaining_tasks())
    thread.stop()
    assert left == [], "a closed ledger left tasks behind"


async def remaining_tasks() -> list[str]:
    """The tasks of the loop that do not end by themselves."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    _, left = await asyncio.wait(tasks, timeout=DEADLINE_S) if tasks else (set(), set())
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)
    return [str(task) for task in left]


@pytest.fixture
def open_ledger(url: str, loop: LoopThread | None) -> Iterator[Callable[..., Any]]:
    """A function that opens the test's ledger with the given options, again and again."""
    opened: list[Any] = []

    def open_one(address: str = url, **options: Any) -> Any:
        if not opened and str(address).startswith("postgresql:"):
            from tests.support.postgres_kept import buckets_wanted  # needs the driver

            buckets_wanted(address, options.get("buckets"))
        if loop is None:
            ledger: Any = Ledger.open(address, **options)
        else:
            ledger = Blocking(loop.run(AsyncLedger.open(address, **options)), loop)
        opened.append(ledger)
        return ledger

    yield open_one
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(open_ledger: Callable[..., Any]) -> Any:
    """An empty ledger."""
    return open_ledger()


@pytest.fixture
def stored(loop: LoopThread | None) -> Callable[..., list[Record]]:
    """A function that returns every stored row of a ledger, session by session."""

    def rows(ledger: Any, session: str | None = None, page_events: int = 1_000) -> list[Record]:
        backend = ledger.backend if loop is None else Blocking(ledger.backend, loop)
        found: list[Record] = []
        for bucket in range(ledger.buckets):
            place = Place(bucket)
            while page := backend.scan(place, page_events):
                found += page
                last = page[-1]
                place = Place(bucket, last.tenant, last.session_id, last.sequence)
        return [row for row in found if session in (None, row.session_id)]

    return rows
