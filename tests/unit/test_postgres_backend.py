"""What the contract suite cannot see of the PostgreSQL backend: plans, locks, rights, failures."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from ledger.backends.base import OpenOptions, SessionQuery
from ledger.backends.postgres import PostgresBackend, open_postgres, open_postgres_async
from ledger.backends.postgres.errors import sentences, translated, translated_within
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
from ledger.records import Busy, Unit
from tests.support.postgres_rounds import ROUNDS, decides_as_numbering_does, each_round
from tests.support.postgres_units import (
    BUCKETS,
    draft,
    end_connections,
    hot_calls,
    part,
    unit,
)

# --- the function and the model


@each_round(60)
@given(ROUNDS, st.booleans())
def test_append_decides_as_numbering_does(
    backend: PostgresBackend, rounds: list[list[list[Any]]], wait: bool
) -> None:
    decides_as_numbering_does(backend, rounds, wait=wait)


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
    for one in (sync_error, async_error):
        assert re.search(r"[^.?!]\. Is the server [^.?!]*\? Check that the server", str(one.value))
    with pytest.raises(InvalidArgument, match="url") as malformed:
        open_postgres("postgresql://someone:sec%ret@host", OpenOptions())
    assert "sec" not in str(malformed.value)


def test_what_the_driver_says_over_several_lines_becomes_sentences() -> None:
    said = "bad: refused\n\tIs it running?\n\nAll failures were:\n- host  'a': refused.\n- 'b'\n"
    told = "bad: refused. Is it running? All failures were: - host 'a': refused. - 'b'."
    assert sentences(said) == told
    assert translated(psycopg.OperationalError(said)).problem == (
        f"PostgreSQL is not available: {told.removesuffix('.')} (connection)."
    )


def test_a_sentence_of_the_driver_that_goes_on_in_the_next_line_stays_one() -> None:
    said = (
        "server closed the connection unexpectedly\n\tThis probably means the server terminated"
        " abnormally\n\tbefore or while processing the request."
    )
    assert sentences(said) == (
        "server closed the connection unexpectedly. This probably means the server terminated"
        " abnormally before or while processing the request."
    )


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


def error_with(state: str) -> psycopg.Error:
    """Return what the driver raises, which has no class for what servers newer than it say."""
    error = psycopg.OperationalError("words")
    error.sqlstate = state
    return error


@pytest.mark.parametrize(
    ("state", "ours", "within"),
    [
        ("08006", BackendUnavailable, OutcomeUnknown),
        ("57P01", BackendUnavailable, OutcomeUnknown),
        ("53300", BackendUnavailable, OutcomeUnknown),
        ("25P03", BackendUnavailable, OutcomeUnknown),
        ("25P04", BackendUnavailable, OutcomeUnknown),
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
        ("26000", InvalidArgument, InvalidArgument),
        ("42P05", InvalidArgument, InvalidArgument),
    ],
)
def test_errors_are_told_apart_by_sqlstate(
    state: str, ours: type[LedgerError], within: type[LedgerError]
) -> None:
    error = error_with(state)
    assert type(translated(error)) is ours
    assert type(translated_within(error, AppendTimeout(0, 1.0))) is within
    assert state in str(translated(error))


@pytest.mark.parametrize("state", ["26000", "42P05"])
def test_a_pooler_that_does_not_pool_sessions_is_a_mistake_in_what_leads_there(state: str) -> None:
    error = error_with(state)
    found = [translated(error), translated_within(error, AppendTimeout(0, 1.0))]
    assert [getattr(one, "argument", None) for one in found] == ["url", "connection"]
    assert all("pool sessions" in str(one) for one in found)


@pytest.mark.parametrize(
    ("function", "ours"),
    [("ReportCopyError", TransactionAborted), ("exec_stmt_raise", StorageFailed)],
)
def test_what_citus_met_as_it_copied_rows_to_a_server_undid_the_transaction(
    function: str, ours: type[LedgerError]
) -> None:
    class Met(psycopg.errors.InternalError_):
        diag: Any = SimpleNamespace(source_function=function, message_primary="connection lost")

    assert type(translated(Met())) is ours
    assert type(translated_within(Met(), AppendTimeout(0, 1.0))) is ours


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
