"""The fixtures of the fault tests: durable backends, sync and async, and servers to break."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.contract.conftest import loop, open_ledger
from tests.support.blocking import Blocking, LoopThread
from tests.support.postgres import PostgresServer
from tests.support.postgres_plugin import running

__all__ = ["loop", "open_ledger", "server", "url"]


@pytest.fixture(params=("sqlite", "postgres"))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a ledger that does not exist yet; see the marks on_… for only one."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of the test file's own, to be stopped and killed; it flushes every commit."""
    with running(PostgresServer(durable=True)) as server:
        yield server


@pytest.fixture
def outbox(url: str, loop: LoopThread | None) -> Iterator[Any]:
    """A caller's own connection, outside autocommit."""
    if loop is None:
        connection: Any = psycopg.connect(url)
    else:
        connection = Blocking(loop.run(psycopg.AsyncConnection.connect(url)), loop)
    yield connection
    connection.close()
