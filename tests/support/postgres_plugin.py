"""Fixtures on PostgreSQL, and the rule that its tests never vanish silently."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from tests.support.postgres import PostgresServer
    from tests.support.postgres_databases import PostgresDatabases
    from tests.support.postgres_kept import KeptDatabase

_UNAVAILABLE = "PostgreSQL unavailable"
_skipped_although_required: list[str] = []


def postgres_is_required() -> bool:
    """Whether a PostgreSQL test that does not run is a failure."""
    return any(
        os.environ.get(name, "").lower() not in ("", "0", "false")
        for name in ("CI", "LEDGER_REQUIRE_POSTGRES")
    )


@pytest.fixture(scope="session")
def postgres_server() -> Iterator["PostgresDatabases"]:
    """Yield a server: that of LEDGER_TEST_POSTGRES_URL, else one of our own for the session."""
    try:
        from tests.support.postgres import URL_VARIABLE, PostgresServer
        from tests.support.postgres_databases import PostgresDatabases
    except ImportError as error:
        _give_up(f"{error}; install the extras: pip install -e '.[postgres,dev]'")
    if url := os.environ.get(URL_VARIABLE):
        yield PostgresDatabases(url)
        return
    with running(PostgresServer()) as server:
        yield server.databases


@pytest.fixture
def postgres_url(
    postgres_server: "PostgresDatabases", request: pytest.FixtureRequest
) -> Iterator[str]:
    """Yield the URL of an empty database that nobody else uses."""
    request.node.add_marker(pytest.mark.postgres)  # for those who ask by getfixturevalue
    with postgres_server.temporary_database() as url:
        yield url


@pytest.fixture
def owned_url(postgres_url: str) -> Iterator[str]:
    """Yield the URL of an empty database for its owner, who is no superuser."""
    import psycopg
    from psycopg import sql

    owner = f"owner_{uuid4().hex}"
    name = sql.Identifier(owner)
    parts = urlsplit(postgres_url)
    place = f"{owner}:right@{parts.netloc.rpartition('@')[2]}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'right'").format(name))
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))
        try:
            yield urlunsplit(parts._replace(netloc=place, path=f"/{owner}"))
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
            admin.execute(sql.SQL("DROP ROLE {}").format(name))


@pytest.fixture(scope="session")
def kept_database(postgres_server: "PostgresDatabases") -> Iterator["KeptDatabase"]:
    """Yield a database with tables, used by one test after the other."""
    yield from _kept(postgres_server, checkpoints=False)


@pytest.fixture(scope="session")
def caught_up_database(postgres_server: "PostgresDatabases") -> Iterator["KeptDatabase"]:
    """Yield one in which all views have been used."""
    yield from _kept(postgres_server, checkpoints=True)


@pytest.fixture(scope="session")
def emptied_database(postgres_server: "PostgresDatabases") -> Iterator["KeptDatabase"]:
    """Yield one without tables."""
    yield from _kept(postgres_server, tables=False)


@pytest.fixture
def new_database() -> None:
    """Ask for a database without tables: how they are made, or what changes them, is the subject."""


@pytest.fixture
def all_views() -> None:
    """Ask for a database in which all views have been used, and have nothing in them."""


@pytest.fixture
def kept_postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the URL of a database without events that nobody else uses.

    Unless the test asks for `new_database`, it is as if the ledger in it had just been created.
    """
    request.node.add_marker(pytest.mark.postgres)  # for those who ask by getfixturevalue
    if "new_database" in request.fixturenames:
        kept = request.getfixturevalue("emptied_database")
    elif "all_views" in request.fixturenames:
        kept = request.getfixturevalue("caught_up_database")
    else:
        kept = request.getfixturevalue("kept_database")
    yield kept.ready()
    kept.clean()


def _kept(
    server: "PostgresDatabases", *, tables: bool = True, checkpoints: bool = False
) -> Iterator["KeptDatabase"]:
    from tests.support.postgres_kept import KeptDatabase

    with server.temporary_database() as url:
        kept = KeptDatabase(url, tables=tables, checkpoints=checkpoints)
        yield kept
        kept.close()


def running(server: "PostgresServer") -> "PostgresServer":
    """Start a server and return it; where PostgreSQL cannot be had the test skips, or fails."""
    from tests.support.postgres_install import PostgresUnavailable

    try:
        server.start()
    except PostgresUnavailable as error:
        _give_up(str(error))
    return server


def _give_up(reason: str) -> NoReturn:
    if postgres_is_required():
        pytest.fail(f"{_UNAVAILABLE}: {reason}", pytrace=False)
    pytest.skip(f"{_UNAVAILABLE}: {reason}")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that asks for the server."""
    for item in items:
        if "postgres_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgres)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note the PostgreSQL tests that were skipped though they had to run."""
    if report.skipped and not hasattr(report, "wasxfail") and "postgres" in report.keywords:
        _skipped_although_required.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that had to include PostgreSQL and left some of it out."""
    if _skipped_although_required and postgres_is_required() and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in red which promise this run did not check."""
    if _skipped_although_required and postgres_is_required():
        lines = ["These tests had to run on PostgreSQL and were skipped:"]
        _write_red(terminalreporter, lines + sorted(set(_skipped_although_required)))
        return
    reports = [r for r in terminalreporter.stats.get("skipped", []) if _UNAVAILABLE in _reason(r)]
    if reports:
        lines = [f"{len(reports)} PostgreSQL tests did NOT run.", _reason(reports[0])]
        _write_red(terminalreporter, lines)


def _reason(report: pytest.TestReport) -> str:
    longrepr = report.longrepr
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)


def _write_red(terminalreporter: pytest.TerminalReporter, lines: list[str]) -> None:
    terminalreporter.write_sep("!", "PostgreSQL", red=True, bold=True)
    for line in lines:
        terminalreporter.write_line(line, red=True, bold=True)
    terminalreporter.write_sep("!", red=True, bold=True)
