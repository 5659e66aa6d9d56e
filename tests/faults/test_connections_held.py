"""How many connections one process holds, however many threads or tasks it has."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from ledger import NewEvent
from tests.support.activity import connections
from tests.support.builders import DEADLINE_S, background, eventually, note, on_postgres
from tests.support.views import views_of

README = Path(__file__).parents[2] / "README.md"
POOL_SIZE, LANES = 3, 1

pytestmark = on_postgres


def held(url: str) -> int:
    return connections(url, "application_name = 'agent-session-ledger'")


def test_a_process_holds_as_many_connections_as_the_readme_says(
    open_ledger: Callable[..., Any], url: str
) -> None:
    ledger = open_ledger(pool_size=POOL_SIZE, lanes=LANES, connect_timeout_s=DEADLINE_S)
    views = views_of(ledger)
    ledger.append("s", NewEvent({"agent_id": "a"}, "session.created"))
    assert ledger.read("nothing", wait=0.001) == []
    assert views.session("s") is not None
    with psycopg.connect(url) as admin:
        # Whoever reads or appends waits with its connection, and who gives up leaves it in the pool.
        admin.execute("LOCK TABLE ledger.events, ledger.view_sessions_v1")
        calls = [lambda: ledger.read("s"), views.sessions, lambda: ledger.append("s", note())]
        waiting = [background(call) for call in calls for _ in range(3 * POOL_SIZE)]
        most = 2 * POOL_SIZE + LANES + 2
        eventually(lambda: held(url) == most)
        admin.rollback()
        eventually(lambda: all(call.done() for call in waiting))
    assert held(url) == most
    [said] = re.findall(
        r"twice `pool_size` \((\d)\), `lanes` \((\d)\) and (\w+)", README.read_text()
    )
    assert said == ("8", "2", "two")
