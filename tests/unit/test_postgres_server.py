"""The throw-away server is itself depended on by every durability test, so it is tested first."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from tests.support.postgres import URL_VARIABLE, PostgresServer
from tests.support.postgres_databases import PostgresDatabases
from tests.support.postgres_plugin import running

# Every test needs what `server` finds out: whether there is a PostgreSQL at all.
pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("server")]

WAIT_S = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running(PostgresServer()) as server:
        yield server


@pytest.fixture
def notes(server: PostgresServer) -> Iterator[str]:
    """A database with one committed row."""
    with server.databases.temporary_database() as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE note (body text)")
            connection.execute("INSERT INTO note VALUES ('kept')")
        yield url


def read_notes(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [body for (body,) in connection.execute("SELECT body FROM note")]


def setting(url: str, name: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def processes_below(directory: Path) -> list[psutil.Process]:
    """Every living process that was started for a server in `directory`."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(str(directory) in word for word in words):
            found.append(process)
    return found


def test_it_listens_on_the_loopback_interface_only(server: PostgresServer) -> None:
    assert urlsplit(server.url()).hostname == "127.0.0.1"
    assert setting(server.url(), "listen_addresses") == "127.0.0.1"


def test_a_wrong_password_is_refused(server: PostgresServer) -> None:
    parts = urlsplit(server.url())
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://postgres:wrong@127.0.0.1:{parts.port}/postgres")


def test_it_flushes_only_when_asked(server: PostgresServer) -> None:
    assert setting(server.url(), "fsync") == "off"
    with PostgresServer(durable=True, settings={"max_connections": "20"}) as durable:
        assert setting(durable.url(), "fsync") == "on"
        assert setting(durable.url(), "max_connections") == "20"


def test_restart_keeps_port_and_data(server: PostgresServer, notes: str) -> None:
    before = server.url()
    server.restart()
    assert server.url() == before
    assert read_notes(notes) == ["kept"]


def test_a_killed_server_recovers_what_was_committed(server: PostgresServer, notes: str) -> None:
    with psycopg.connect(notes) as open_transaction:
        open_transaction.execute("INSERT INTO note VALUES ('lost')")
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            open_transaction.execute("SELECT 1")
    assert not server.is_running
    server.start()
    assert read_notes(notes) == ["kept"]


def test_a_dump_restores_into_another_database(
    server: PostgresServer, notes: str, tmp_path: Path
) -> None:
    source = urlsplit(notes).path.lstrip("/")
    server.dump(tmp_path / "notes.dump", database=source)
    with server.databases.temporary_database() as copy:
        server.restore(tmp_path / "notes.dump", database=urlsplit(copy).path.lstrip("/"))
        assert read_notes(copy) == ["kept"]


def test_restoring_over_existing_tables_fails_aloud(
    server: PostgresServer, notes: str, tmp_path: Path
) -> None:
    database = urlsplit(notes).path.lstrip("/")
    server.dump(tmp_path / "notes.dump", database=database)
    with pytest.raises(RuntimeError, match="already exists"):
        server.restore(tmp_path / "notes.dump", database=database)


def test_removing_leaves_no_process_and_no_file() -> None:
    with PostgresServer() as server:
        directory = Path(setting(server.url(), "data_directory")).parent
        assert processes_below(directory)
    assert not directory.exists()
    assert not processes_below(directory)


def test_an_owner_that_is_killed_leaves_no_process_and_no_file() -> None:
    program = (
        "import os, signal\n"
        "from tests.support.postgres import PostgresServer\n"
        "server = PostgresServer()\n"
        "server.start()\n"
        "print(server._base, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    directory = Path(killed.stdout.strip())
    assert directory.name.startswith("ledger-pg-")
    deadline = time.monotonic() + WAIT_S
    while (directory.exists() or processes_below(directory)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not directory.exists()
    assert not processes_below(directory)


def test_the_program_passes_the_exit_code_on() -> None:
    script = (
        "import os, sys, psycopg\n"
        f"psycopg.connect(os.environ[{URL_VARIABLE!r}]).close()\n"
        "sys.exit(7)\n"
    )
    command = [sys.executable, "-m", "tests.support.postgres", "--", sys.executable, "-c", script]
    environment = {k: v for k, v in os.environ.items() if k != URL_VARIABLE}
    done = subprocess.run(command, env=environment, check=False)
    assert done.returncode == 7


def test_each_test_gets_an_empty_database(
    postgres_url: str, postgres_server: PostgresDatabases
) -> None:
    assert postgres_url != postgres_server.admin_url
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchone()
    assert tables == (0,)
