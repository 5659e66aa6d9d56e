"""What only a cluster shows: where statements go, and what its servers do to who appends."""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from ledger import (
    Append,
    AppendTimeout,
    InvalidArgument,
    Ledger,
    RetryableError,
    distribute,
)
from ledger.backends.postgres.arrays import register_arrays
from projections import Views
from projections.session_stores.conversation import ConversationStore
from projections.session_stores.orchestrator import OrchestratorStore, SessionRecord
from tests.support.builders import DEADLINE_S, background, eventually, note, notes
from tests.support.citus import CLUSTER_URL
from tests.support.conversations import TENANT, standing
from tests.support.views import TALLY, counted, tally

WRITERS = 8
#: Long enough for an append or two to get through.
PAUSE_S = 0.2
#: How a statement says of which bucket it is.
_ONE_BUCKET = re.compile(r"bucket = %s::integer|bucket = %\((b|bucket)\)s")


@pytest.fixture
def cluster_url(pretended_url: str) -> str:
    """The cluster, and nothing that passes for it."""
    assert CLUSTER_URL is not None
    return CLUSTER_URL


@pytest.fixture
def admin(cluster_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(cluster_url, autocommit=True) as connection:
        yield connection


def asked_of(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the dict into which statements go that are executed from now on, with parameters."""
    asked: dict[str, Any] = {}
    execute = psycopg.Connection.execute

    def watched(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        asked.setdefault(query.decode() if isinstance(query, bytes) else str(query), params)
        return execute(self, query, params, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", watched)
    return asked


def test_what_is_asked_of_one_bucket_goes_to_one_server(
    open_spread: Callable[..., Ledger], cluster_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_spread()
    Views(ledger).catch_up()
    conversations = ConversationStore(ledger, tenant_id=TENANT)
    orchestrator = OrchestratorStore(ledger)
    asked = asked_of(monkeypatch)
    session = standing()
    for _ in range(3):
        session.turn_count += 1
        conversations.save(session)
        assert conversations.get(session.session_id) is not None
    orchestrator.save_session(SessionRecord(id="live", agent_id="a"))
    orchestrator.get_session("live")
    views = Views(ledger, projections=[TALLY, tally("later")])
    for _ in range(3):
        ledger.append("s", [counted("x"), counted("y")])
        views.rows("tally", "s")
        views.row("tally", ("", "s", "x"))
        views.together("s", ("tally", "later"))
    ledger.read("s", types=["content.redacted"])
    ledger.get("s", "none")
    monkeypatch.undo()
    explained = 0
    with psycopg.connect(cluster_url, autocommit=True) as aside:
        register_arrays(aside)
        for statement, parameters in asked.items():
            if not _ONE_BUCKET.search(statement) or not statement.startswith(("SELECT", "WITH")):
                continue
            rows = aside.execute(f"EXPLAIN (COSTS OFF) {statement}".encode(), parameters).fetchall()
            plan = "\n".join(line for (line,) in rows)
            assert re.findall(r"Task Count: (\d+)", plan) == ["1"], f"{statement}\n{plan}"
            explained += 1
    assert explained > 10


def test_writers_of_many_processes_number_without_gaps(open_spread: Callable[..., Ledger]) -> None:
    ledgers = [open_spread() for _ in range(WRITERS)]
    sessions = [f"s{number}" for number in range(5)]

    def write(number: int) -> None:
        for turn in range(10):
            ledgers[number].append(sessions[turn % 5], note(f"{number}.{turn}"))
            ledgers[number].append_many(
                [Append(one, [note(f"{number}.{turn}.{one}")]) for one in reversed(sessions)]
            )

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    [ledger, *_] = ledgers
    for one in sessions:
        events = ledger.read(one)
        assert [event.sequence for event in events] == list(range(1, 12 * WRITERS + 1))
        assert max(Counter(event.data["text"] for event in events).values()) == 1
    assert ledger.verify().ok


def test_a_shard_moves_while_appends_go_on(
    open_spread: Callable[..., Ledger], admin: psycopg.Connection[Any], schema: str
) -> None:
    ledger = open_spread(lock_timeout_s=DEADLINE_S, retry_timeout_s=DEADLINE_S)
    numbers = count()
    moved = False

    def write() -> int:
        while not moved:
            ledger.append_many([Append(f"s{n}", notes("ab")) for n in range(10)])
            ledger.append(f"s{next(numbers) % 10}", note("c"))
        return next(numbers)

    writer = background(write)
    eventually(lambda: next(numbers) > 10)
    shards = admin.execute(
        "SELECT shardid, nodename, nodeport FROM citus_shards WHERE table_name = %s::regclass",
        (f"{schema}.buckets",),
    ).fetchall()
    workers = admin.execute(
        "SELECT nodename, nodeport FROM pg_dist_node WHERE shouldhaveshards ORDER BY 2"
    ).fetchall()
    for shard, name, port in shards:
        [other] = [one for one in workers if one != (name, port)][:1]
        admin.execute(
            "SELECT citus_move_shard_placement(%s, %s, %s, %s, %s, 'block_writes')",
            (shard, name, port, *other),
        )
    moved = True
    assert writer.result(DEADLINE_S) > 10
    assert ledger.verify().ok
    with open_spread() as again:
        assert list(again.export_lines()) == list(ledger.export_lines())


def test_connections_between_servers_that_break_lose_and_double_nothing(
    open_spread: Callable[..., Ledger], admin: psycopg.Connection[Any]
) -> None:
    ledger = open_spread(retry_timeout_s=DEADLINE_S)
    words = [str(number) for number in range(200)]

    def write() -> None:
        for word in words:
            ledger.append("s", note(word, event_id=word))
            ledger.append_many([Append("t", [note(word)]), Append("u", [note(word)])])

    writer = background(write)
    while not writer.done():
        admin.execute(
            "SELECT * FROM run_command_on_workers($$SELECT count(pg_terminate_backend(pid))"
            " FROM pg_stat_activity WHERE backend_type = 'client backend'"
            " AND pid <> pg_backend_pid() AND datname = current_database()$$)"
        )
        time.sleep(PAUSE_S)
    writer.result(DEADLINE_S)
    for one in "stu":
        assert [event.data["text"] for event in ledger.read(one)] == words
    assert ledger.verify().ok


def test_a_lock_on_another_server_is_waited_for_as_long_as_here(
    open_spread: Callable[..., Ledger], cluster_url: str, schema: str
) -> None:
    ledger = open_spread(lock_timeout_s=0.5)
    views = Views(ledger, projections=[TALLY])
    ledger.append("s", counted("x"))
    assert views.row("tally", ("", "s", "x")).count == 1
    bucket = ledger.door.bucket("", "s")
    lock = "SELECT FROM {}.{} WHERE bucket = %s FOR UPDATE"
    with psycopg.connect(cluster_url) as other:
        other.execute(composed(lock, schema, "buckets"), (bucket,))
        with psycopg.connect(cluster_url) as mine, pytest.raises(AppendTimeout):
            ledger.append("s", counted("x"), connection=mine)
        for events in (counted("x"), [counted("x"), counted("y")]):
            with pytest.raises(AppendTimeout):
                ledger.append("s", events)
        assert ledger.append(elsewhere(ledger, bucket), counted("x")).sequence == 1
        other.rollback()
        ledger.append("s", counted("x"))
        other.execute(composed(lock, schema, "view_checkpoints"), (bucket,))
        with pytest.raises(RetryableError):
            views.row("tally", ("", "s", "x"))
    assert views.row("tally", ("", "s", "x")).count == 2


def composed(text: str, *names: str) -> bytes:
    """Return a statement with names in it."""
    return sql.SQL(text).format(*map(sql.Identifier, names)).as_bytes(None)


def elsewhere(ledger: Ledger, bucket: int) -> str:
    """Return the id of a session in another bucket."""
    return next(f"t{n}" for n in count() if ledger.door.bucket("", f"t{n}") != bucket)


def test_a_callers_transaction_keeps_its_settings_on_all_servers(
    open_spread: Callable[..., Ledger], cluster_url: str, schema: str
) -> None:
    ledger = open_spread(lock_timeout_s=0.5)
    bucket = ledger.append("s", note()).event.bucket
    with psycopg.connect(cluster_url, autocommit=True) as admin:
        admin.execute(
            composed("CREATE TABLE {}.{} (bucket int PRIMARY KEY, n int)", schema, "mine")
        )
        name = f"{schema}.mine"
        spread = "SELECT create_distributed_table(%s, 'bucket', colocate_with => %s)"
        admin.execute(spread, (name, f"{schema}.buckets"))
        admin.execute(composed("INSERT INTO {}.{} VALUES (%s, 0)", schema, "mine"), (bucket,))
    add = composed("UPDATE {}.{} SET n = n + 1 WHERE bucket = %s", schema, "mine")
    with psycopg.connect(cluster_url) as holder, psycopg.connect(cluster_url) as mine:
        holder.execute(add, (bucket,))
        before = mine.execute("SHOW citus.propagate_set_commands").fetchone()
        ledger.append("s", note(), connection=mine)
        assert mine.execute("SHOW citus.propagate_set_commands").fetchone() == before
        release = threading.Timer(1.5, holder.commit)
        release.start()
        mine.execute(add, (bucket,))  # waits longer than an append would
        release.join()
    assert ledger.head("s") == 2


def test_a_workers_url_is_refused(cluster_url: str, schema: str) -> None:
    with psycopg.connect(cluster_url) as admin:
        [name, port] = admin.execute(  # type: ignore[misc]  # there is one
            "SELECT nodename, nodeport FROM pg_dist_node WHERE shouldhaveshards LIMIT 1"
        ).fetchone()
    parts = urlsplit(cluster_url)
    user = parts.netloc.rpartition("@")[0]
    url = urlunsplit(parts._replace(netloc=f"{user}@{name}:{port}"))
    with pytest.raises(InvalidArgument, match="coordinator"):
        distribute(url, schema=schema)
