"""Opening: what a URL leads to, what stays, and what is refused before anything is written."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from ledger import (
    AsyncLedger,
    BackendUnavailable,
    InvalidArgument,
    Ledger,
    LedgerClosed,
    NotALedger,
    SchemaTooNew,
    StopError,
    StorageFailed,
)
from tests.support.builders import (
    note,
    notes,
    on_durable,
    on_memory,
    on_postgres,
    on_sqlite,
    sequences,
    texts,
    together,
    whole_feed,
)

pytestmark = pytest.mark.usefixtures("new_database")

Open = Callable[..., Any]


@pytest.mark.parametrize(
    ("url", "buckets"), [("memory", 1), ("sqlite", 1), ("postgres", 64)], indirect=["url"]
)
def test_a_new_ledger_is_empty_and_has_its_backends_buckets(ledger: Any, buckets: int) -> None:
    assert ledger.buckets == buckets
    assert (whole_feed(ledger), ledger.list_session_ids().session_ids) == ([], [])


def test_a_ledger_has_an_identity_of_its_own(open_ledger: Open) -> None:
    assert open_ledger().ledger_id


@on_memory
def test_a_ledger_in_memory_is_never_there_before(open_ledger: Open) -> None:
    with pytest.raises(InvalidArgument, match=r"url: .* is always a new one"):
        open_ledger(create=False)


@on_durable
def test_only_a_ledger_that_is_there_is_opened_without_making_one(
    open_ledger: Open, url: str
) -> None:
    for _ in range(2):  # the first try has made nothing
        with pytest.raises(InvalidArgument, match="there is no"):
            open_ledger(create=False)
    made = open_ledger()
    assert open_ledger(create=False).ledger_id == made.ledger_id


@on_sqlite
def test_an_empty_file_is_no_ledger_that_is_there(open_ledger: Open, tmp_path: Path) -> None:
    empty = tmp_path / "cut.db"
    empty.touch()
    with pytest.raises(InvalidArgument, match=r"there is no ledger in .* empty"):
        open_ledger(f"sqlite:///{empty}", create=False)
    assert empty.stat().st_size == 0


@on_sqlite
def test_a_file_that_cannot_be_looked_for_is_not_called_missing(
    open_ledger: Open, tmp_path: Path
) -> None:
    with pytest.raises(StorageFailed, match="cannot be opened"):
        open_ledger(f"sqlite:///{tmp_path}/{'x' * 300}", create=False)


@on_memory
def test_two_memory_ledgers_have_nothing_in_common(open_ledger: Open) -> None:
    one, other = open_ledger(), open_ledger()
    one.append("s", note())
    assert (other.head("s"), one.ledger_id == other.ledger_id) == (0, False)


@on_durable
def test_reopening_keeps_identity_buckets_and_events(open_ledger: Open) -> None:
    first = open_ledger(buckets=4)
    answers = first.append("s", notes("ab", metadata={"k": [1.5, None]}))
    first.close()
    again = open_ledger()
    assert (again.ledger_id, again.buckets) == (first.ledger_id, 4)
    assert again.read("s") == [answer.event for answer in answers]


@on_durable
def test_asm_91_numbers_go_on_after_reopening(open_ledger: Open) -> None:
    first = open_ledger()
    first.append("s", notes("ab"))
    first.close()
    again = open_ledger()
    assert (again.head("s"), again.append("s", note("c")).sequence) == (2, 3)


@on_durable
def test_a_ledger_may_be_open_several_times(open_ledger: Open) -> None:
    one, other = open_ledger(), open_ledger()
    one.append("s", note("a"))
    other.append("s", note("b"))
    assert texts(one.read("s")) == texts(other.read("s")) == ["a", "b"]


@on_durable
def test_many_may_create_the_same_ledger_at_once(open_ledger: Open) -> None:
    ledgers = together([open_ledger] * 4)
    assert len({ledger.ledger_id for ledger in ledgers}) == 1
    answers = together([lambda ledger=ledger: ledger.append("s", note()) for ledger in ledgers])
    assert sorted(sequences(answers)) == [1, 2, 3, 4]


@on_durable
def test_the_number_of_buckets_cannot_be_changed(open_ledger: Open) -> None:
    open_ledger(buckets=4).append("s", note())
    with pytest.raises(InvalidArgument) as caught:
        open_ledger(buckets=8)
    assert caught.value.argument == "buckets"
    assert "4" in str(caught.value)


@on_durable
def test_asking_for_the_buckets_it_has_is_fine(open_ledger: Open) -> None:
    open_ledger(buckets=4)
    assert open_ledger(buckets=4).buckets == 4


@pytest.mark.parametrize("buckets", [0, -1, 1_025])
def test_a_number_of_buckets_out_of_bounds_is_refused(open_ledger: Open, buckets: int) -> None:
    with pytest.raises(InvalidArgument) as caught:
        open_ledger(buckets=buckets)
    assert caught.value.argument == "buckets"


def test_a_ledger_may_have_1_024_buckets(open_ledger: Open) -> None:
    ledger = open_ledger(buckets=1_024)
    ledger.append("s", note("a"))
    assert texts(whole_feed(ledger)) == ["a"]


def test_closing_twice_does_nothing(ledger: Any) -> None:
    ledger.close()
    ledger.close()


def test_a_closed_ledger_says_so(ledger: Any) -> None:
    ledger.append("s", note())
    ledger.close()
    for call in (
        lambda: ledger.append("s", note()),
        lambda: ledger.read("s"),
        lambda: ledger.read("s", after=1, wait=1),
        lambda: ledger.get("s", "e"),
        lambda: ledger.head("s"),
        lambda: ledger.heads(["s"]),
        lambda: ledger.feed(),
        lambda: ledger.list_session_ids(),
    ):
        with pytest.raises(LedgerClosed, match="Open a ledger again"):
            call()


def test_a_ledger_closes_itself_behind_a_with_block(open_ledger: Open) -> None:
    with open_ledger() as ledger:
        ledger.append("s", note())
    with pytest.raises(LedgerClosed):
        ledger.head("s")


def test_a_ledger_says_where_it_is(open_ledger: Open, url: str, loop: object) -> None:
    ledger = open_ledger(buckets=4)
    shown = repr(ledger if loop is None else ledger._target)
    assert shown.startswith("<Ledger " if loop is None else "<AsyncLedger ")
    assert shown.endswith(", buckets=4>")
    if url.startswith("postgresql:"):
        parts = urlsplit(url)
        assert (
            f"PostgreSQL (host {parts.hostname}, port {parts.port}, dbname {parts.path[1:]}"
            in shown
        )
        assert "schema ledger" in shown
        assert str(parts.password) not in shown
    else:
        assert f" {url}" in shown


# What is refused.


@pytest.mark.parametrize(
    ("face", "call"), [(Ledger, "Ledger.open(url)"), (AsyncLedger, "await AsyncLedger.open(url)")]
)
def test_a_url_is_no_backend(face: Any, call: str) -> None:
    for given, shown in (("postgresql://u:SECRET@h/db", "text"), (7, "7"), (None, "None")):
        with pytest.raises(InvalidArgument) as caught:
            face(given)
        says = f"backend: expected a backend, got {shown}; open a URL with {call}."
        assert str(caught.value) == says


@on_memory
@pytest.mark.parametrize(
    "address",
    [
        "",
        "memory",
        "memory:somewhere",
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite:file.db",
        "sqlite://host/file.db",
        "mysql://root:secret@host/ledger",
        "ledger.db",
        None,
        7,
    ],
)
def test_a_bad_url_is_refused_with_the_kinds_there_are(open_ledger: Open, address: Any) -> None:
    with pytest.raises(InvalidArgument, match="sqlite:///") as caught:
        open_ledger(address)
    assert caught.value.argument == "url"
    assert "secret" not in str(caught.value)


@on_postgres
@pytest.mark.parametrize(
    "schema",
    [
        *("", "has space", 'quo"te', "%s{}", "a" * 64, "pg_catalog"),
        *("$$", "$function$; DROP SCHEMA public; --"),
    ],
)
def test_a_schema_name_is_data_not_sql(open_ledger: Open, schema: str) -> None:
    try:
        outcome = open_ledger(schema=schema).append("s", note()).sequence
    except InvalidArgument as error:
        outcome = error.argument
    assert outcome in (1, "schema")


@on_postgres
def test_schemas_of_one_database_are_ledgers_of_their_own(open_ledger: Open) -> None:
    one, other = open_ledger(schema="one"), open_ledger(schema="other")
    one.append("s", note())
    assert (one.head("s"), other.head("s"), one.ledger_id == other.ledger_id) == (1, 0, False)


@on_sqlite
def test_a_directory_is_no_ledger(open_ledger: Open, tmp_path: Path) -> None:
    with pytest.raises(NotALedger, match="directory"):
        open_ledger(f"sqlite:///{tmp_path}")


@on_sqlite
def test_a_missing_directory_is_named(open_ledger: Open, tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="missing"):
        open_ledger(f"sqlite:///{tmp_path}/missing/ledger.db")


@on_sqlite
@pytest.mark.parametrize("content", [b"just some text, nothing else", b"x" * 5_000])
def test_a_file_that_is_no_database_is_left_alone(
    open_ledger: Open, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "ledger.db"
    file.write_bytes(content)
    with pytest.raises(NotALedger, match=r"ledger\.db"):
        open_ledger()
    assert file.read_bytes() == content


@on_sqlite
def test_somebody_elses_database_is_left_alone(open_ledger: Open, tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    with sqlite3.connect(file) as theirs:
        theirs.execute("CREATE TABLE events (id INTEGER)")
    theirs.close()
    before = file.read_bytes()
    with pytest.raises(NotALedger, match="another application"):
        open_ledger()
    assert file.read_bytes() == before


@on_sqlite
def test_an_empty_file_becomes_a_ledger(open_ledger: Open, tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    assert open_ledger().append("s", note()).sequence == 1


@on_sqlite
def test_a_file_name_may_hold_anything(open_ledger: Open, tmp_path: Path) -> None:
    open_ledger(f"sqlite:///{tmp_path}/ü 100%25 %3F.db").append("s", note())
    assert (tmp_path / "ü 100% ?.db").exists()


@on_postgres
def test_somebody_elses_schema_is_left_alone(open_ledger: Open, url: str) -> None:
    with psycopg.connect(url) as theirs:
        theirs.execute("CREATE SCHEMA ledger CREATE TABLE events (id integer)")
    with pytest.raises(NotALedger, match="ledger"):
        open_ledger()
    with psycopg.connect(url) as theirs:
        tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'ledger'"
        assert theirs.execute(tables).fetchall() == [("events",)]


def raise_schema_version(url: str) -> None:
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            connection.execute("PRAGMA user_version = 999")
        connection.close()
        return
    with psycopg.connect(url) as own:
        own.execute("UPDATE ledger.ledger_info SET schema_version = 999")


@on_durable
def test_a_newer_schema_is_left_alone(open_ledger: Open, url: str) -> None:
    first = open_ledger()
    known = first.backend.info.schema
    first.close()
    raise_schema_version(url)
    with pytest.raises(SchemaTooNew, match="Upgrade this library") as caught:
        open_ledger()
    assert (caught.value.found, caught.value.known) == (999, known)
    assert isinstance(caught.value, StopError)


@on_postgres
def test_an_unreachable_server_is_a_retryable_error(open_ledger: Open) -> None:
    with pytest.raises(BackendUnavailable, match="Check that the server runs") as caught:
        open_ledger("postgresql://u:secret@127.0.0.1:1/nowhere", connect_timeout_s=1)
    assert "127.0.0.1" in str(caught.value)
    assert "secret" not in str(caught.value)


@on_postgres
def test_a_missing_database_is_named(open_ledger: Open, url: str) -> None:
    with pytest.raises(InvalidArgument, match="'absent' does not exist: create it"):
        open_ledger(url.rpartition("/")[0] + "/absent", connect_timeout_s=2)
