"""What the contract suite cannot see of the PostgreSQL backend: plans, locks, rights, failures."""

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from ledger.backends.base import FeedQuery, OpenOptions, Place, SessionQuery
from ledger.backends.postgres import PostgresBackend, open_postgres, open_postgres_async
from ledger.backends.postgres.errors import translated, translated_within
from ledger.backends.postgres.hints import buckets_of, payload_of
from ledger.digests import bucket_of, event_hash, genesis
from ledger.errors import (
    AccessDenied,
    AppendTimeout,
    BackendUnavailable,
    CallError,
    EventIdReused,
    IntegrityError,
    InvalidArgument,
    LedgerClosed,
    LedgerError,
    NotALedger,
    OutcomeUnknown,
    RetryableError,
    SchemaTooNew,
    SequenceConflict,
    StorageFailed,
    TransactionAborted,
)
from ledger.numbering import BucketHead, Numbering
from ledger.records import Busy, Draft, Part, Unit

BUCKETS = 64
PATIENCE_S = 10.0


def draft(event_id: str, **fields: Any) -> Draft:
    """Return a draft whose digests are constants: the backend only passes them on."""
    values: dict[str, Any] = {
        "event_id": event_id,
        "type": "test.happened",
        "schema_version": 1,
        "run_id": None,
        "occurred_us": 1,
        "occurred_given": False,
        "actor": None,
        "causation_id": None,
        "correlation_id": None,
        "trace_id": None,
        "span_id": None,
        "metadata": "{}",
        "content_type": "application/json",
        "payload": b"{}",
        "salt": b"s" * 32,
        "payload_digest": b"p" * 32,
        "body_digest": b"b" * 32,
    }
    return Draft(**(values | fields))


def part(session_id: str, *drafts: Draft, tenant: str = "", expected: int | None = None) -> Part:
    """Return one session's share of a unit."""
    bucket = bucket_of(tenant, session_id, BUCKETS)
    return Part(bucket, tenant, session_id, expected, genesis(tenant, session_id), drafts)


def unit(session_id: str, *event_ids: str, **fields: Any) -> Unit:
    """Return a unit of plain events."""
    return Unit((part(session_id, *(draft(one, **fields) for one in event_ids)),))


@pytest.fixture
def backend(postgres_url: str) -> Iterator[PostgresBackend]:
    """An empty ledger with short time-outs."""
    options = OpenOptions(lock_timeout_s=0.1, connect_timeout_s=5.0)
    opened = open_postgres(postgres_url, options)
    yield opened
    opened.close()


# --- plans


class Explained:
    """Reads the plans that the backend's own connection executes."""

    def __init__(self, backend: PostgresBackend) -> None:
        self.plans: list[str] = []
        backend.positions()
        [connection] = backend._database._parked  # one caller at a time uses always the same one
        connection.execute("LOAD 'auto_explain'")
        for name, value in {
            "auto_explain.log_min_duration": "0",
            "auto_explain.log_nested_statements": "on",
            "auto_explain.log_level": "notice",
        }.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        connection.add_notice_handler(self._note)

    def _note(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        # The statement itself comes first; it names every table, and no index.
        self.plans.append((diagnostic.message_primary or "").split("\n(cost", 1)[-1])


def hot_calls(backend: PostgresBackend) -> dict[str, tuple[Callable[[], object], set[str]]]:
    """Return the calls that happen often, with the indexes of `events` each may use."""
    bucket = bucket_of("", "s", BUCKETS)
    ids = itertools.count()
    read = SessionQuery(bucket=bucket, tenant="", session_id="s", limit=10)
    newest = SessionQuery(bucket=bucket, tenant="", session_id="s", limit=1, newest_first=True)
    feed = FeedQuery(ranges=((bucket, 0, 100), (bucket + 1, 5, 9)), limit=10)

    def fresh() -> list[str]:
        return [f"fresh-{next(ids)}" for _ in range(3)]

    return {
        "append one": (
            lambda: backend.append([unit("s", f"one-{next(ids)}")], wait=False),
            {"events_sequence", "events_event_id"},
        ),
        "append many": (
            lambda: backend.append([unit("s", *fresh()), unit("t", *fresh())], wait=True),
            {"events_sequence", "events_event_id"},
        ),
        "read": (lambda: backend.read(read), {"events_sequence", "events_deleted"}),
        "newest": (lambda: backend.read(newest), {"events_sequence", "events_deleted"}),
        "get": (lambda: backend.get(bucket, "", "s", "e"), {"events_event_id"}),
        "head": (lambda: backend.head(bucket, "", "s"), {"events_sequence", "events_deleted"}),
        "feed": (lambda: backend.feed(feed), {"events_pkey"}),
        "session ids": (
            lambda: backend.session_ids("", 0, "", 10, deleted=False),
            {"events_sequence", "events_deleted", "events_event_id"},
        ),
        "scan": (lambda: backend.scan(Place(bucket, "", "s", 1), 10), {"events_sequence"}),
        "positions": (backend.positions, set()),
    }


def check_plans(backend: PostgresBackend, explained: Explained) -> None:
    for name, (call, allowed) in hot_calls(backend).items():
        explained.plans.clear()
        call()
        text = "\n".join(explained.plans)
        used = {index for index in EVENT_INDEXES if f"using {index} " in text}
        assert text
        assert used <= allowed, f"{name}: {text}"
        for node in ("Seq Scan", "Sort ", "Sort\n", "Bitmap", "Hash Join", "Merge Join"):
            assert node not in text, f"{name}: {text}"


EVENT_INDEXES = ("events_pkey", "events_sequence", "events_event_id", "events_deleted")
FILL = """
    INSERT INTO ledger.events
    SELECT %(bucket)s, 1000 + n, '', 's' || n %% 100, 1000 + n, 'filled-' || n, 'test.happened', 1, NULL,
        1, 1, NULL, NULL, NULL, NULL, NULL, '{}', '', '', '', '', sha256(int4send(n))
    FROM generate_series(1, 50000) AS n
"""


@pytest.mark.parametrize("analyzed", [False, True])
def test_plans_made_on_empty_tables_stay_on_their_indexes(
    backend: PostgresBackend, postgres_url: str, analyzed: bool
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        # Now the planner believes that the table is empty, instead of assuming ten pages.
        admin.execute("VACUUM ANALYZE ledger.events")
        explained = Explained(backend)
        check_plans(backend, explained)
        admin.execute(FILL, {"bucket": bucket_of("", "s", BUCKETS)})
        if analyzed:
            admin.execute("VACUUM ANALYZE ledger.events")
        check_plans(backend, explained)


# --- the function and the model


IDS = st.sampled_from(["a", "b", "c", "d", "e", "f"])
DRAFTS = st.builds(
    draft,
    IDS,
    payload=st.sampled_from([b"{}", b"1"]),
    run_id=st.sampled_from([None, "r"]),
    occurred_us=st.integers(0, 1),
    occurred_given=st.booleans(),
    recorded_us=st.integers(0, 2**40),
    body_digest=st.binary(min_size=32, max_size=32),
)
PARTS = st.tuples(
    st.sampled_from(["s", "t", "ü"]),
    st.lists(DRAFTS, min_size=1, max_size=3, unique_by=lambda one: one.event_id),
    st.none() | st.integers(0, 3),
)
UNITS = st.lists(PARTS, min_size=1, max_size=2, unique_by=lambda one: one[0])
ROUNDS = st.lists(st.lists(UNITS, min_size=1, max_size=3), min_size=1, max_size=4)
tenants = (f"tenant-{n}" for n in itertools.count())


def without_shared_ids(units: list[Unit]) -> list[Unit]:
    """Drop units that share an event id with an earlier one: callers never send them."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for one in units:
        ids = {(p.session_id, d.event_id) for p in one.parts for d in p.drafts}
        if not ids & seen:
            kept.append(one)
            seen |= ids
    return kept


def comparable(outcome: object) -> object:
    if isinstance(outcome, LedgerError):
        return type(outcome), vars(outcome)
    return outcome


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ROUNDS)
def test_append_decides_as_numbering_does(
    backend: PostgresBackend, rounds: list[list[list[Any]]]
) -> None:
    tenant = next(tenants)
    model = Numbering({n: BucketHead(p, 0) for n, p in enumerate(backend.positions())}, {}, {}, 0)
    for drawn in rounds:
        units = without_shared_ids(
            [
                Unit(tuple(part(s, *ds, tenant=tenant, expected=e) for s, ds, e in parts))
                for parts in drawn
            ]
        )
        expected = [model.decide(one) for one in units]
        found = backend.append(units, wait=True)
        assert list(map(comparable, found)) == list(map(comparable, expected))
    assert backend.positions() == [model.buckets[n].position for n in range(BUCKETS)]
    for session in ("s", "t", "ü"):
        bucket = bucket_of(tenant, session, BUCKETS)
        query = SessionQuery(bucket=bucket, tenant=tenant, session_id=session, limit=100)
        assert backend.read(query) == [
            row for row in model.rows if (row.tenant, row.session_id) == (tenant, session)
        ]


@pytest.mark.parametrize("count", [1, 2])
def test_recorded_time_never_goes_back_in_a_bucket(backend: PostgresBackend, count: int) -> None:
    future_us = 2**60
    backend.append([unit("s", "a", recorded_us=future_us)], wait=True)
    ids = [f"b{n}" for n in range(count)]
    [numbers] = backend.append([unit("s", *ids)], wait=True)
    assert [number.recorded_us for number in numbers] == [future_us] * count  # type: ignore[union-attr]  # stored


def test_a_chain_is_the_one_of_digests(backend: PostgresBackend) -> None:
    backend.append([unit("s", "a"), unit("s", "b", "c")], wait=True)
    backend.append([unit("s", "d")], wait=True)
    previous = genesis("", "s")
    bucket = bucket_of("", "s", BUCKETS)
    records = backend.read(SessionQuery(bucket=bucket, tenant="", session_id="s", limit=9))
    assert [record.event_id for record in records] == ["a", "b", "c", "d"]
    for record in records:
        previous = event_hash(previous, record.sequence, record.recorded_us, b"b" * 32)
        assert record.event_hash == previous


# --- locks


def test_a_locked_bucket_is_busy_and_the_others_go_on(
    backend: PostgresBackend, postgres_url: str
) -> None:
    bucket = bucket_of("", "s", BUCKETS)
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT FROM ledger.buckets WHERE bucket = %s FOR UPDATE", (bucket,))
        assert backend.append([unit("s", "a")], wait=False) == [Busy(bucket)]
        both = backend.append([unit("s", "a"), unit("t", "a")], wait=False)
        assert both[0] == Busy(bucket)
        assert [number.sequence for number in both[1]] == [1]  # type: ignore[union-attr]  # stored
        with pytest.raises(AppendTimeout) as waited:
            backend.append([unit("s", "a")], wait=True)
        assert (waited.value.bucket, waited.value.waited_s) == (bucket, 0.1)
    assert backend.head(bucket, "", "s").sequence == 0


def test_append_within_times_out_and_leaves_the_settings_alone(
    backend: PostgresBackend, postgres_url: str
) -> None:
    bucket = bucket_of("", "s", BUCKETS)
    with psycopg.connect(postgres_url) as mine, psycopg.connect(postgres_url) as other:
        mine.execute("SET search_path = ''")
        mine.execute("SET lock_timeout = '7s'")
        assert backend.append_within(unit("t", "a"), mine)[0].sequence == 1  # type: ignore[index]  # stored
        assert mine.execute("SHOW lock_timeout").fetchone() == ("7s",)
        assert mine.execute("SHOW enable_seqscan").fetchone() == ("on",)
        mine.commit()
        other.execute("SELECT FROM ledger.buckets WHERE bucket = %s FOR UPDATE", (bucket,))
        with pytest.raises(AppendTimeout):
            backend.append_within(unit("s", "a"), mine)
        with pytest.raises(InvalidArgument, match="roll it back"):
            backend.append_within(unit("s", "a"), mine)
        mine.rollback()


def test_a_refusal_leaves_the_callers_transaction_alive(
    backend: PostgresBackend, postgres_url: str
) -> None:
    backend.append([unit("s", "a")], wait=True)
    with psycopg.connect(postgres_url) as mine:
        conflict = backend.append_within(Unit((part("s", draft("b"), expected=0),)), mine)
        assert isinstance(conflict, SequenceConflict)
        assert conflict.actual == 1
        reused = backend.append_within(unit("s", "a", payload=b"1"), mine)
        assert isinstance(reused, EventIdReused)
        assert mine.execute("SELECT 1").fetchone() == (1,)


def test_append_within_refuses_what_is_no_transaction_on_this_ledger(
    backend: PostgresBackend, postgres_url: str
) -> None:
    for wrong in (None, object()):
        with pytest.raises(InvalidArgument, match="connection"):
            backend.append_within(unit("s", "a"), wrong)
    with (
        psycopg.connect(postgres_url, autocommit=True) as loose,
        pytest.raises(InvalidArgument, match="autocommit"),
    ):
        backend.append_within(unit("s", "a"), loose)
    open_postgres(postgres_url, OpenOptions(schema="second")).close()
    other = open_postgres(postgres_url, OpenOptions(schema="third"))
    with psycopg.connect(postgres_url) as mine:
        mine.execute("DROP SCHEMA third CASCADE")
        with pytest.raises(InvalidArgument, match="without this ledger"):
            other.append_within(unit("s", "a"), mine)
        mine.rollback()
        mine.execute("UPDATE ledger.ledger_info SET ledger_id = 'restored elsewhere'")
        with pytest.raises(InvalidArgument, match="another ledger"):
            backend.append_within(unit("s", "a"), mine)
    other.close()


# --- opening


def test_concurrent_first_opens_make_one_ledger(postgres_url: str) -> None:
    with ThreadPoolExecutor(6) as threads:
        opened = list(threads.map(lambda _: open_postgres(postgres_url, OpenOptions()), range(6)))
    for one in opened:
        one.close()
    assert len({one.info.ledger_id for one in opened}) == 1


def test_open_refuses_what_does_not_fit(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA theirs CREATE TABLE accounts (id int)")
        with pytest.raises(NotALedger):
            open_postgres(postgres_url, OpenOptions(schema="theirs"))
        open_postgres(postgres_url, OpenOptions(buckets=7)).close()
        with pytest.raises(InvalidArgument, match="created with 7"):
            open_postgres(postgres_url, OpenOptions(buckets=8))
        admin.execute("UPDATE ledger.ledger_info SET schema_version = 99")
        with pytest.raises(SchemaTooNew):
            open_postgres(postgres_url, OpenOptions())


@pytest.mark.parametrize("name", ["", "pg_mine", "x" * 64, "%s", "a\0b"])
def test_open_refuses_names_that_cannot_be_schemas(postgres_url: str, name: str) -> None:
    with pytest.raises(InvalidArgument, match="schema"):
        open_postgres(postgres_url, OpenOptions(schema=name))


def test_any_other_name_can_be_a_schema(postgres_url: str) -> None:
    opened = open_postgres(postgres_url, OpenOptions(schema='Ä "quoted" {name}'))
    opened.append([unit("s", "a")], wait=True)
    assert sum(opened.positions()) == 1
    opened.close()


def test_an_unreachable_server_is_named_without_its_password() -> None:
    url = "postgresql://someone:secret@127.0.0.1:1/database"
    with pytest.raises(BackendUnavailable, match=r"127\.0\.0\.1.*database") as sync_error:
        open_postgres(url, OpenOptions())
    with pytest.raises(BackendUnavailable) as async_error:
        asyncio.run(open_postgres_async(url, OpenOptions()))
    assert "secret" not in f"{sync_error.value} {async_error.value}"
    with pytest.raises(InvalidArgument, match="url") as malformed:
        open_postgres("postgresql://someone:sec%ret@host", OpenOptions())
    assert "sec" not in str(malformed.value)


def test_a_role_that_may_only_append_and_read_is_enough(
    backend: PostgresBackend, postgres_url: str
) -> None:
    role = sql.Identifier(f"writer_{backend.info.ledger_id}")
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        for statement in (
            "CREATE ROLE {role} LOGIN PASSWORD 'writer'",
            "GRANT USAGE ON SCHEMA ledger TO {role}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO {role}",
            "GRANT INSERT ON ledger.events TO {role}",
            "GRANT UPDATE ON ledger.buckets TO {role}",
        ):
            admin.execute(sql.SQL(statement).format(role=role))
        try:
            target = psycopg.conninfo.make_conninfo(
                postgres_url, user=f"writer_{backend.info.ledger_id}", password="writer"
            )
            writer = open_postgres(target, OpenOptions())
            writer.append([unit("s", "a"), unit("t", "b", "c")], wait=True)
            assert sum(writer.positions()) == 3
            writer.close()
            with pytest.raises(AccessDenied, match="permission denied for database"):
                open_postgres(target, OpenOptions(schema="new"))
        finally:
            admin.execute(sql.SQL("DROP OWNED BY {role}").format(role=role))
            admin.execute(sql.SQL("DROP ROLE {role}").format(role=role))


@pytest.mark.parametrize(
    "statement", ["UPDATE ledger.events SET actor = ''", "DELETE FROM ledger.events"]
)
def test_events_cannot_be_changed(
    backend: PostgresBackend, postgres_url: str, statement: str
) -> None:
    for one in (statement, "TRUNCATE ledger.events"):
        with psycopg.connect(postgres_url) as admin, pytest.raises(psycopg.Error) as refused:
            admin.execute(one)
        assert refused.value.sqlstate == "LG001"
        assert "append-only" in str(refused.value)


# --- failures


@pytest.mark.parametrize(
    ("state", "ours", "within"),
    [
        ("08006", BackendUnavailable, OutcomeUnknown),
        ("57P01", BackendUnavailable, OutcomeUnknown),
        ("53300", BackendUnavailable, OutcomeUnknown),
        ("40001", TransactionAborted, TransactionAborted),
        ("40P01", TransactionAborted, TransactionAborted),
        ("57014", RetryableError, TransactionAborted),
        ("28P01", AccessDenied, AccessDenied),
        ("23505", IntegrityError, IntegrityError),
        ("55P03", RetryableError, AppendTimeout),
        ("25P02", StorageFailed, InvalidArgument),
        ("42P01", NotALedger, InvalidArgument),
        ("42501", AccessDenied, AccessDenied),
        ("53100", StorageFailed, StorageFailed),
        ("25006", StorageFailed, StorageFailed),
        ("22021", CallError, CallError),
        ("XX001", StorageFailed, StorageFailed),
    ],
)
def test_errors_are_told_apart_by_sqlstate(
    state: str, ours: type[LedgerError], within: type[LedgerError]
) -> None:
    error = psycopg.errors.lookup(state)("words")
    assert type(translated(error)) is ours
    assert type(translated_within(error, AppendTimeout(0, 1.0))) is within
    assert state in str(translated(error))


def end_connections(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_reads_survive_broken_connections_and_appends_say_so(
    backend: PostgresBackend, postgres_url: str
) -> None:
    backend.append([unit("s", "a")], wait=True)
    end_connections(postgres_url)
    assert sum(backend.positions()) == 1
    end_connections(postgres_url)
    with pytest.raises(BackendUnavailable):
        backend.append([unit("s", "b")], wait=True)
    [[number]] = backend.append([unit("s", "b")], wait=True)  # type: ignore[misc]  # stored
    assert number.sequence == 2


def test_after_close_everything_says_so(backend: PostgresBackend) -> None:
    backend.close()
    backend.close()
    for call, _ in hot_calls(backend).values():
        with pytest.raises(LedgerClosed):
            call()
    with pytest.raises(LedgerClosed):
        backend.token(None)
    with pytest.raises(LedgerClosed):
        backend.wait(None, 0, 1.0)
    with pytest.raises(LedgerClosed), backend.connection():
        pass


# --- hints


def hinted(watching: PostgresBackend, writing: PostgresBackend, event_id: str) -> bool:
    """Whether a hint, and not the poll, ends a wait for another backend's append."""
    bucket = bucket_of("", "s", BUCKETS)
    token = watching.token(bucket)
    writing.append([unit("s", event_id)], wait=True)
    return watching._wakeups.wait(bucket, token, PATIENCE_S)


def test_hints_arrive_also_after_the_connections_broke(
    backend: PostgresBackend, postgres_url: str
) -> None:
    writer = open_postgres(postgres_url, OpenOptions())
    assert hinted(backend, writer, "a")
    token = backend.token(None)
    end_connections(postgres_url)
    assert backend._wakeups.wait(None, token, PATIENCE_S), "a new listener wakes everybody"
    with pytest.raises(BackendUnavailable):
        writer.append([unit("s", "b")], wait=True)
    assert hinted(backend, writer, "b")
    writer.close()


def test_a_waiter_looks_again_without_any_hint(backend: PostgresBackend) -> None:
    assert backend.wait(None, backend.token(None), 2.0)
    assert not backend.wait(None, backend.token(None), 0.01)


def test_close_wakes_waiters(backend: PostgresBackend) -> None:
    token = backend.token(0)
    woken = threading.Event()
    waiter = threading.Thread(target=lambda: (backend.wait(0, token, 0.9), woken.set()))
    waiter.start()
    backend.close()
    assert woken.wait(PATIENCE_S)
    waiter.join()


@given(st.sets(st.integers(0, 1_023), min_size=1))
def test_hints_name_buckets_and_fit_a_notification(buckets: set[int]) -> None:
    payload = payload_of(buckets)
    assert buckets_of(payload, 1_024) == sorted(buckets)
    assert len(payload_of(range(1_024))) < 8_000
    assert buckets_of("1,x", 4) is buckets_of("", 4) is buckets_of("4", 4) is None


def test_the_async_backend_hints_and_closes_cleanly(postgres_url: str) -> None:
    async def scenario() -> None:
        watching = await open_postgres_async(postgres_url, OpenOptions())
        writing = await open_postgres_async(postgres_url, OpenOptions())
        token = await watching.token(None)
        await writing.append([unit("s", "a")], wait=False)
        assert await watching._wakeups.wait_async(None, token, PATIENCE_S)
        assert sum(await watching.positions()) == 1
        async with watching.connection() as lent:
            assert lent.autocommit
        await watching.close()
        await writing.close()
        with pytest.raises(LedgerClosed):
            await watching.positions()
        assert len(asyncio.all_tasks()) == 1, "only this one"

    asyncio.run(scenario())
