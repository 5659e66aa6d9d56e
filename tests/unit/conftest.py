"""Fixtures of the unit tests."""

from collections.abc import Iterator

import pytest

from ledger.backends.base import OpenOptions
from ledger.backends.postgres import PostgresBackend, open_postgres


@pytest.fixture
def postgres_url(new_database: None, kept_postgres_url: str) -> str:
    """The URL of an empty database that nobody else uses; to make one takes as long as most tests."""
    return kept_postgres_url


@pytest.fixture
def backend(postgres_url: str) -> Iterator[PostgresBackend]:
    """An empty ledger on PostgreSQL, which waits for no lock for long."""
    options = OpenOptions(lock_timeout_s=0.1, connect_timeout_s=60.0)
    opened = open_postgres(postgres_url, options)
    yield opened
    opened.close()
