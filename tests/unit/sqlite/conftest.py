"""Fixtures of the SQLite backend's own tests: one ledger, its backend, and a caller's connection."""

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from ledger import Ledger
from ledger.backends.sqlite import SqliteBackend


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{path}", lock_timeout_s=60.0) as opened:
        yield opened


@pytest.fixture
def backend(ledger: Ledger) -> SqliteBackend:
    assert isinstance(ledger.backend, SqliteBackend)
    return ledger.backend


@pytest.fixture
def own(ledger: Ledger, path: Path) -> Iterator[apsw.Connection]:
    """A caller's connection to the ledger's file."""
    connection = apsw.Connection(str(path))
    yield connection
    connection.close(True)
