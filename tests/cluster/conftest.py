"""A ledger on several servers: on one that passes for them, and on a cluster where there is one."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ledger import Ledger, distribute
from tests.support.citus import CLUSTER_URL, SHARDS, new_schema, pretend
from tests.support.postgres_databases import PostgresDatabases

#: What only a cluster shows is collected only where there is one: CI has none, and skips nothing.
collect_ignore = [] if CLUSTER_URL else ["test_servers.py"]


@pytest.fixture(scope="session")
def pretended_url(postgres_server: PostgresDatabases) -> Iterator[str]:
    """A database that is told to have Citus."""
    with postgres_server.temporary_database() as url:
        pretend(url)
        yield url


@pytest.fixture(params=["pretended", "citus"] if CLUSTER_URL else ["pretended"])
def cluster_url(request: pytest.FixtureRequest, pretended_url: str) -> str:
    """The URL of a database with Citus."""
    return CLUSTER_URL if CLUSTER_URL and request.param == "citus" else pretended_url


@pytest.fixture
def schema(cluster_url: str) -> Iterator[str]:
    """A schema of its own in it, without a ledger."""
    with new_schema(cluster_url) as name:
        yield name


@pytest.fixture
def open_spread(cluster_url: str, schema: str) -> Iterator[Callable[..., Ledger]]:
    """A function that opens a ledger on all servers, again and again."""
    distribute(cluster_url, schema=schema, shards=SHARDS)
    opened: list[Ledger] = []

    def open_one(**options: Any) -> Ledger:
        opened.append(Ledger.open(cluster_url, schema=schema, **options))
        return opened[-1]

    yield open_one
    for ledger in opened:
        ledger.close()


@pytest.fixture
def spread_ledger(open_spread: Callable[..., Ledger]) -> Ledger:
    """A ledger on all servers."""
    return open_spread()
