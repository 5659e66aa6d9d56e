"""One contract, every backend, sync and async: the fixtures that make a test run six times."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger import AsyncLedger, Ledger
from tests.support.blocking import Blocking, LoopThread

BACKENDS = ("memory", "sqlite", "postgres")
STYLES = ("sync", "async")


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a ledger that does not exist yet; see the marks on_… for less than all."""
    if request.param == "memory":
        return "memory:"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=STYLES)
def loop(request: pytest.FixtureRequest) -> Iterator[LoopThread | None]:
    """The event loop of the async ledger; None for the sync one."""
    if request.param == "sync":
        yield None
        return
    thread = LoopThread()
    yield thread
    thread.stop()


@pytest.fixture
def open_ledger(url: str, loop: LoopThread | None) -> Iterator[Callable[..., Any]]:
    """A function that opens the test's ledger with the given options, again and again."""
    opened: list[Any] = []

    def open_one(address: str = url, **options: Any) -> Any:
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
