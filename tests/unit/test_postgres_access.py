"""Roles that are refused, or lack a right: an operator must act, and is told on what."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from ledger import AccessDenied, AsyncLedger, InvalidArgument, Ledger, NewEvent, StopError
from ledger.backends.base import OpenOptions
from ledger.backends.postgres.connecting import Target
from projections import AsyncViews, Session, Views
from projections.readers import history
from tests.support.builders import DEADLINE_S

ROLE = "somebody_without_rights"


@pytest.fixture
def role_url(postgres_url: str) -> Iterator[str]:
    """The URL of a ledger, for a role that may only connect."""
    Ledger.open(postgres_url).close()
    role = sql.Identifier(ROLE)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'right'").format(role))
        yield as_role(postgres_url, "right")
        admin.execute(sql.SQL("DROP OWNED BY {}").format(role))
        admin.execute(sql.SQL("DROP ROLE {}").format(role))


def as_role(url: str, password: str) -> str:
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{ROLE}:{password}@{place}"))


def open_both(url: str) -> list[Exception]:
    """What opening raises, sync and async."""
    found: list[Exception] = []
    for attempt in (
        lambda: Ledger.open(url, connect_timeout_s=DEADLINE_S),
        lambda: asyncio.run(AsyncLedger.open(url, connect_timeout_s=DEADLINE_S)),
    ):
        with pytest.raises(Exception) as caught:  # the callers look at it
            attempt()
        found.append(caught.value)
    return found


def test_a_wrong_password_is_denied_and_not_repeated(role_url: str) -> None:
    for error in open_both(as_role(role_url, "WRONG")):
        assert isinstance(error, AccessDenied)
        assert isinstance(error, StopError)
        assert ROLE in str(error)
        assert "WRONG" not in str(error)


def test_a_missing_password_is_denied(role_url: str) -> None:
    for error in open_both(role_url.replace(":right@", "@")):
        assert isinstance(error, AccessDenied)


def test_a_database_that_is_missing_is_a_mistake_in_the_url(role_url: str) -> None:
    says = "url: the database 'nowhere' does not exist: create it, or correct the URL."
    for error in open_both(urlunsplit(urlsplit(role_url)._replace(path="/nowhere"))):
        assert (type(error), str(error)) == (InvalidArgument, says)


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ("sslmode=bogus", 'invalid sslmode value: "bogus"'),
        ("keepalives=x", "keepalives"),
        ("connect_timeout=x", "bad value for connect_timeout: 'x'"),
        ("ssl_min_protocol_version=zz", "ssl_min_protocol_version"),
        (
            "ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2",
            "invalid SSL protocol version range",
        ),
        ("sslrootcert=system&sslmode=require", 'weak sslmode "require"'),
        ("options=-c%20foo%3Dbar", "unrecognized configuration parameter"),
        ("options=-c%20statement_timeout%3Dxyz", "invalid value for parameter"),
        ("service=nowhere", 'definition of service "nowhere" not found'),
    ],
)
def test_a_wrong_value_of_a_parameter_is_a_mistake_in_the_url(
    role_url: str, parameter: str, says: str
) -> None:
    for error in open_both(f"{role_url}?{parameter}"):
        assert isinstance(error, InvalidArgument)
        assert (error.argument, says in error.reason) == ("url", True)


def test_a_flag_that_is_no_number_is_a_mistake_in_the_url_for_older_drivers_too() -> None:
    """What libpq said of `keepalives=x` before version 17."""
    failed = psycopg.OperationalError("connection is bad: keepalives parameter must be an integer")
    error = Target("postgresql://h/d", OpenOptions()).unreachable(failed)
    assert isinstance(error, InvalidArgument)


@pytest.mark.parametrize("says", ['role "x" does not exist', 'permission denied for database "d"'])
def test_a_role_that_may_not_connect_is_denied(says: str) -> None:
    target = Target("postgresql://h/d", OpenOptions())
    failed = psycopg.OperationalError(f"connection failed: FATAL:  {says}")
    assert isinstance(target.unreachable(failed), AccessDenied)


def test_a_missing_right_names_what_is_denied(role_url: str) -> None:
    for error in open_both(role_url):
        assert isinstance(error, AccessDenied)
        assert "permission denied for schema ledger" in str(error)


def test_an_append_without_the_right_says_so(role_url: str, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        role = sql.Identifier(ROLE)
        for grant in (
            "GRANT USAGE ON SCHEMA ledger TO {}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO {}",
            "GRANT UPDATE ON ledger.buckets TO {}",
        ):
            admin.execute(sql.SQL(grant).format(role))
    with Ledger.open(role_url) as ledger:
        assert ledger.read("s") == []
        with pytest.raises(AccessDenied, match="permission denied for table events"):
            ledger.append("s", NewEvent({}, "note"))


@pytest.fixture
def reader_url(role_url: str, postgres_url: str) -> str:
    """The same for a role that may read, a session of more events than are folded at once, too."""
    with Ledger.open(postgres_url) as ledger:
        ledger.append("s", [NewEvent({"label": f"{n}"}, "session.labelled") for n in range(1_000)])
        Views(ledger).catch_up()
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        role = sql.Identifier(ROLE)
        admin.execute(sql.SQL("GRANT USAGE ON SCHEMA ledger TO {}").format(role))
        admin.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO {}").format(role))
    return role_url


def label_as_of(url: str, sequence: int) -> list[str]:
    """What a session was called, sync and async."""

    async def by_task() -> Session | None:
        async with await AsyncLedger.open(url) as ledger:
            return await AsyncViews(ledger).session("s", as_of=sequence)

    with Ledger.open(url) as ledger:
        found = [Views(ledger).session("s", as_of=sequence), asyncio.run(by_task())]
    return [session.label for session in found if session and session.label]


def test_a_role_that_only_reads_is_told_of_the_past_of_a_long_session(reader_url: str) -> None:
    assert label_as_of(reader_url, 900) == ["899", "899"]


def test_a_role_that_only_reads_stops_at_the_first_snapshots_that_cannot_be_stored(
    reader_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "STORED_SNAPSHOTS_MAX", 1)
    with Ledger.open(reader_url) as ledger:
        views = Views(ledger)
        read, pages = ledger.backend.read, []
        monkeypatch.setattr(
            ledger.backend, "read", lambda query: pages.append(query) or read(query)
        )
        assert views.session("s", as_of=501) is not None
        assert [page.before for page in pages] == [501, 502]
        pages.clear()
        assert views.session("s", as_of=400) is not None
        assert views.session("s", as_of=600) is not None  # and nothing is folded ahead any more
        assert [page.before for page in pages] == [401, 501, 601]


OUTAGE = """
import psycopg, sys
from ledger import Ledger, NewEvent
with Ledger.open(sys.argv[1]) as ledger:
    ledger.append("s", NewEvent({}, "note"))
    with psycopg.connect(sys.argv[1], autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()")
    ledger.append("s", NewEvent({}, "note"))
    print(ledger.head("s"))
"""


def test_an_outage_that_is_survived_leaves_nothing_on_stderr(postgres_url: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", OUTAGE, postgres_url], capture_output=True, text=True, check=True
    )
    assert (ran.stdout.strip(), ran.stderr) == ("2", "")


def test_an_application_that_logs_hears_the_driver(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    # The logger's level is set here: eventsourcing.postgres raises it to ERROR when imported.
    with Ledger.open(postgres_url), caplog.at_level(logging.WARNING, logger="psycopg.pool"):
        logging.getLogger("psycopg.pool").warning("the driver's own")
    assert "the driver's own" in caplog.messages
