"""One contract, every backend, sync and async: the fixtures that make a test run six times."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger import AsyncLedger, Ledger
from tests.support.blocking import Blocking, LoopThread

BACKENDS = ("memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres))
STYLES = ("sync", "async")


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a ledger that does not exist yet."""
    if request.param == "memory":
        return "memory:"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=STYLES)
def open_ledger(request: pytest.FixtureRequest, url: str) -> Iterator[Callable[..., Any]]:
    """A function that opens the test's ledger with the given options, again and again.

    Memory ledgers are gone when closed: tests of reopening skip them by `durable_url`.
    """
    opened: list[Any] = []
    loop = LoopThread() if request.param == "async" else None

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
    if loop is not None:
        loop.stop()


@pytest.fixture
def ledger(open_ledger: Callable[..., Any]) -> Any:
    """An empty ledger."""
    return open_ledger()
