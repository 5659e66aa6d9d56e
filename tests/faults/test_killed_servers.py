"""A PostgreSQL server killed under projectors: what was folded is undone whole, and folded again."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from ledger import RetryableError
from tests.support.builders import whole_feed
from tests.support.postgres import PostgresServer
from tests.support.views import TALLY, counted, folded, stored, tally, views_of

pytestmark = pytest.mark.postgres


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    """An empty database of the server that is going to be killed."""
    with server.databases.temporary_database() as url:
        yield url


def test_a_killed_server_takes_views_back_whole_and_no_event(
    open_ledger: Callable[..., Any], server: PostgresServer
) -> None:
    ledger = open_ledger(buckets=1)
    other = tally("other")
    views = views_of(ledger, TALLY, other, batch_events_max=2)
    count = 0
    for _ in range(4):
        for _ in range(12):
            ledger.append("s", counted("xyz"[count % 3]))
            count += 1
            views.rows("tally", "s")
        # Commits that are not flushed are in the dead server's memory, up to 0.6 s of them.
        server.kill()
        server.start()
        with suppress(RetryableError):  # its connections are dead, or have been replaced before
            views.rows("tally", "s", consistency="eventual")
        events = whole_feed(ledger)
        assert len(events) == count
        for projection in (TALLY, other):
            assert stored(views, projection, "s") == folded(projection, events)
