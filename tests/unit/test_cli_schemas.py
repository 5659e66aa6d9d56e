"""The command line: ledgers in a schema of their own, as several in one PostgreSQL database have."""

import psycopg
import pytest
import typer

from ledger import Ledger, NewEvent
from projections import Views
from projections.cli.app import app
from tests.support.cli import run_cli

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # of a group
#: A file has none.
OF_FILES_ALONE = {"backup"}


@pytest.mark.parametrize("name", sorted({*COMMANDS} - OF_FILES_ALONE))
def test_every_command_takes_the_schema_beside_the_url(name: str) -> None:
    options = {one for parameter in COMMANDS[name].params for one in parameter.opts}
    assert {"--url", "--schema"} <= options


@pytest.mark.parametrize("by_environment", [False, True])
def test_commands_find_the_ledger_in_its_schema(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, by_environment: bool
) -> None:
    with Ledger.open(postgres_url, schema="shop", buckets=2) as ledger:
        ledger.append("s", NewEvent({"label": "Lyon"}, "session.created"))
        Views(ledger).catch_up()
    monkeypatch.setenv("LEDGER_URL", postgres_url)
    named = () if by_environment else ("--schema", "shop")
    if by_environment:
        monkeypatch.setenv("LEDGER_SCHEMA", "shop")
    for call, found in (
        (("init",), "buckets: 2"),
        (("append", "s", "note", "{}"), "sequence 2"),
        (("read", "s"), "Lyon"),
        (("show", "s"), "Lyon"),
        (("verify",), "2 events in 1 session verified"),
        (("status", "--any-lag"), "healthy"),
        (("versions",), "sessions"),
        (("fork", "s", "--at", "1", "--into", "t"), "fork of s"),
        (("delete", "t"), "is deleted"),
    ):
        done = run_cli(*call, *named)
        assert (done.code, found in done.out) == (0, True), (call, done)
    with psycopg.connect(postgres_url) as connection:
        schemas = connection.execute("SELECT nspname FROM pg_namespace").fetchall()
    assert ("ledger",) not in schemas


def test_a_schema_that_is_mistyped_does_not_come_to_be(postgres_url: str) -> None:
    told = "ledger: --schema: there is no ledger in schema 'shpo'; `ledger init` makes one.\n"
    for call in (("verify",), ("status",), ("read", "s"), ("export",), ("project", "--watch")):
        done = run_cli(*call, "--url", postgres_url, "--schema", "shpo")
        assert (done.code, done.out) == (2, "")
        assert done.err == told
    with psycopg.connect(postgres_url) as connection:
        found = connection.execute("SELECT FROM pg_namespace WHERE nspname IN ('shpo', 'ledger')")
        assert found.fetchall() == []


def test_processes_of_a_rebuild_open_the_ledger_in_its_schema(postgres_url: str) -> None:
    with Ledger.open(postgres_url, schema="shop", buckets=2) as ledger:
        ledger.append("s", NewEvent({"label": "Lyon"}, "session.created"))
    where = ("--url", postgres_url, "--schema", "shop")
    done = run_cli("rebuild", "sessions", "--processes", "2", *where)
    assert (done.code, "1 event folded" in done.out) == (0, True), done
