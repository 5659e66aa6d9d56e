"""A dump restored into another cluster is the same ledger: cursors, numbers and hashes go on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger import InvalidCursor
from tests.support.builders import take, whole_feed
from tests.support.claims import Claims, check_numbers, write_until
from tests.support.postgres import PostgresServer

EVENTS = 60

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def new_cluster(server: PostgresServer) -> Iterator[PostgresServer]:
    """A second server, with transaction ids and a history of its own."""
    with PostgresServer(durable=True) as cluster:
        yield cluster


@pytest.fixture
def url(server: PostgresServer, loop: Any) -> Iterator[str]:
    """A database of the old cluster; the new one gets one of the same name."""
    name = "sync" if loop is None else "async"
    yield server.create_database(name)
    server.drop_database(name)


@pytest.fixture
def moved(
    server: PostgresServer, new_cluster: PostgresServer, url: str, tmp_path: Path
) -> Iterator[Callable[[], str]]:
    """A function that dumps the database, restores it in the new cluster and returns its URL."""
    name = url.rpartition("/")[2]

    def move() -> str:
        server.dump(tmp_path / "dump", database=name)
        new_url = new_cluster.create_database(name)
        new_cluster.restore(tmp_path / "dump", database=name)
        return new_url

    yield move
    new_cluster.drop_database(name)


def wrote(ledger: Any, claims: Claims, writer: str) -> None:
    enough = len(claims) + EVENTS
    write_until(lambda: len(claims) >= enough, ledger, claims, writer, 1)


def test_cursors_and_numbers_go_on_in_a_restored_ledger(
    open_ledger: Callable[..., Any], moved: Callable[[], str]
) -> None:
    old, claims = open_ledger(), Claims()
    wrote(old, claims, "first")
    cursor = old.feed(limit=EVENTS // 2).cursor
    behind_it = whole_feed(old, cursor)
    new = open_ledger(moved())
    assert new.ledger_id == old.ledger_id
    follower = new.follow(cursor=cursor)
    assert take(follower, len(behind_it)) == behind_it

    before = len(claims)
    wrote(new, claims, "second")
    events = claims.check(new)
    assert len(take(follower, len(claims) - before)) == len(events) - before
    check_numbers(sorted(events, key=lambda event: (event.bucket, event.position)))


def test_an_older_dump_is_refused_to_a_newer_cursor(
    open_ledger: Callable[..., Any], moved: Callable[[], str]
) -> None:
    old, claims = open_ledger(), Claims()
    wrote(old, claims, "dumped")
    new_url = moved()
    wrote(old, claims, "lost")
    newer = old.feed(limit=100_000).cursor
    restored = open_ledger(new_url)
    with pytest.raises(InvalidCursor):
        restored.feed(newer)
    with pytest.raises(InvalidCursor):
        take(restored.follow(cursor=newer), 1)
