"""Fixtures of the unit tests."""

from collections.abc import Iterator

import pytest

from ledger.backends.base import OpenOptions
from ledger.backends.postgres import PostgresBackend, open_postgres


@pytest.fixture
def backend(postgres_url: str) -> Iterator[PostgresBackend]:
    """An empty ledger on PostgreSQL, with short time-outs."""
    options = OpenOptions(lock_timeout_s=0.1, connect_timeout_s=5.0)
    opened = open_postgres(postgres_url, options)
    yield opened
    opened.close()
