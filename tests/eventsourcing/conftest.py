"""The backends of the tests that are not the wheel's."""

from pathlib import Path

import pytest


@pytest.fixture(params=("memory", "sqlite", "postgres"))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a ledger that does not exist yet; see the marks on_… for less than all."""
    if request.param == "memory":
        return "memory:"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    address = str(request.getfixturevalue("kept_postgres_url"))
    from tests.support.postgres_kept import buckets_wanted  # needs the driver

    buckets_wanted(address, 1)  # as its factory makes them
    return address
