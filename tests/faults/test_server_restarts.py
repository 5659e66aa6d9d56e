"""A PostgreSQL server that stops and comes back under writers and followers."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ledger import BackendUnavailable, Event
from tests.support.builders import DEADLINE_S, background, eventually, only_sync, repeated
from tests.support.claims import SESSIONS, Claims, check_numbers, write_until
from tests.support.postgres import PostgresServer

WRITERS = 4
BETWEEN_RESTARTS = 100

pytestmark = pytest.mark.postgres


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    """An empty database of the server that is going to be restarted."""
    with server.databases.temporary_database() as url:
        yield url


def restart(server: PostgresServer, way: str, ledger: Any) -> None:
    if way == "kill":
        server.kill()
        server.start()
    elif way == "outage":
        server.stop()
        # Three times as long as anybody waits for a connection.
        for _ in range(3):
            with pytest.raises(BackendUnavailable):
                ledger.head(SESSIONS[0])
        server.start()
    elif way == "fast":
        server.restart("fast")
    else:
        server.restart("immediate")


def gathered(follower: Any, seen: list[Event]) -> bool:
    """Keep what is followed in a list; True when the following ended by itself."""
    seen.extend(follower)
    return True


@pytest.mark.parametrize("way", ["fast", "immediate", "kill", "outage"])
def test_a_restarted_server_costs_no_acknowledged_event_and_ends_no_follower(
    open_ledger: Callable[..., Any], server: PostgresServer, way: str
) -> None:
    connect_timeout_s = 0.3 if way == "outage" else DEADLINE_S
    ledger = repeated(lambda: open_ledger(connect_timeout_s=connect_timeout_s))
    claims, enough = Claims(), threading.Event()
    log, session = ledger.follow(), ledger.follow(SESSIONS[0])
    seen_log: list[Event] = []
    seen_session: list[Event] = []
    followers = [
        background(lambda: gathered(log, seen_log)),
        background(lambda: gathered(session, seen_session)),
    ]
    names = [f"writer-{number}" for number in range(WRITERS)]
    writers = [
        background(lambda name=name: write_until(enough.is_set, ledger, claims, name, 1))
        for name in names
    ]
    for _ in range(2):
        before = len(claims)
        eventually(lambda before=before: len(claims) > before + BETWEEN_RESTARTS)
        restart(server, way, ledger)
    before = len(claims)
    eventually(lambda: len(claims) > before + BETWEEN_RESTARTS)
    enough.set()
    for writer in writers:
        writer.result(2 * DEADLINE_S)

    patient = open_ledger(connect_timeout_s=DEADLINE_S)
    events = claims.check(patient)
    eventually(lambda: len(seen_log) >= len(events))
    eventually(lambda: len(seen_session) >= patient.head(SESSIONS[0]))
    log.close()
    session.close()
    assert [follower.result(DEADLINE_S) for follower in followers] == [True, True]
    check_numbers(seen_log)
    assert sorted(seen_log, key=place) == sorted(events, key=place)
    assert seen_session == patient.read(SESSIONS[0])


def place(event: Event) -> tuple[int, int]:
    return event.bucket, event.position


@only_sync
def test_readers_reconnect_after_a_restart(
    open_ledger: Callable[..., Any], server: PostgresServer
) -> None:
    ledger, claims = open_ledger(), Claims()
    write_until(lambda: len(claims) > 10, ledger, claims, "writer", 1)
    server.restart("fast")
    assert len(ledger.feed().events) == len(claims)


def test_ledgers_that_listen_close_quietly_while_the_server_is_away(
    open_ledger: Callable[..., Any], server: PostgresServer
) -> None:
    ledgers = [open_ledger(pool_size=1, lanes=1) for _ in range(20)]
    for ledger in ledgers:
        # Waiting for what does not come makes a ledger listen.
        assert ledger.read("nothing", wait=0.001) == []
    server.stop("immediate")
    try:
        for ledger in ledgers:
            ledger.close()
    finally:
        server.start()
