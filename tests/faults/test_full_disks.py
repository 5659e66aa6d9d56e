"""Disks that are full: the append says so, nothing is half there, and space brings it back."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from ledger import Ledger, NewEvent, StorageFailed
from projections import Views
from tests.support.builders import note, only_sync, whole_feed
from tests.support.cli import run_cli
from tests.support.postgres import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
TRIES_MAX = 2_000
PAYLOAD_BYTES = 60_000
CHANCE = random.Random(1)

needs_mount = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")


@pytest.fixture
def url() -> str:
    """No ledger in particular: each test has a disk of its own."""
    return ""


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[Path]:
    """A file system in memory that ends after some megabytes."""
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def big(part: int = 0) -> NewEvent:
    """An event that no compression makes small."""
    return NewEvent(CHANCE.randbytes(PAYLOAD_BYTES), "blob", content_type="a/b", actor=str(part))


def fill(ledger: Any) -> int:
    """Append single events and batches in turns until the disk is full; return what was stored."""
    stored = 0
    for number in range(TRIES_MAX):
        events = [big()] if number % 2 else [big(part) for part in range(3)]
        try:
            stored += len(ledger.append("s", events))
        except StorageFailed:
            return stored
    raise AssertionError("the disk never got full")


def is_full(ledger: Any) -> bool:
    """Append something small; return whether there was no room for that either."""
    try:
        ledger.append("s", note())
    except StorageFailed:
        return True
    return False


def check_full_disk(ledger: Any, make_room: Callable[[], None]) -> None:
    first = ledger.append("s", note("first")).event
    stored = fill(ledger)
    assert stored > 0
    # Also the next one fails, instead of leaving something behind.
    with pytest.raises(StorageFailed):
        ledger.append("s", [big(part) for part in range(9)])
    assert ledger.read("s", limit=1) == [first]
    assert ledger.head("s") == len(whole_feed(ledger)) == 1 + stored
    assert ledger.verify().ok
    make_room()
    assert ledger.append("s", big()).sequence == 2 + stored
    assert ledger.verify().events == 2 + stored


@pytest.fixture
def small_file(tmp_path: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """The URL of a ledger on a small disk, and a function that makes room on it."""
    with small_disk(tmp_path / "disk", megabytes=4) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(2_000_000))
        yield f"sqlite:///{disk}/ledger.db", ballast.unlink


@needs_mount
def test_a_full_disk_under_sqlite_stops_appends_until_there_is_room(
    small_file: tuple[str, Callable[[], None]], open_ledger: Callable[..., Any]
) -> None:
    url, make_room = small_file
    check_full_disk(open_ledger(url), make_room)


#: Small appends, of which the -wal file has become long, until somebody else fills the disk.
UNTIL_FULL = """
import os, sys
from contextlib import suppress
from ledger import Ledger, NewEvent, StorageFailed
url, ballast, begun, end = sys.argv[1:]
ledger = Ledger.open(url)
stored = [ledger.append("s", NewEvent({"n": n}, "note")).sequence for n in range(int(begun))]
with suppress(OSError), open(ballast, "wb", 0) as file:
    while file.write(bytes(4096)):
        pass
try:
    while True:
        stored.append(ledger.append("s", NewEvent({"n": 0}, "note")).sequence)
except StorageFailed as error:
    print(len(stored), ledger.head("s"), error, flush=True)
if end == "killed":
    os._exit(9)
ledger.close()
"""


@needs_mount
@pytest.mark.parametrize("end", ["closed", "killed"])
@pytest.mark.parametrize("begun", [100, 1_000])
def test_a_disk_that_others_fill_leaves_a_file_that_can_be_opened(
    tmp_path: Path, begun: int, end: str
) -> None:
    with small_disk(tmp_path / "disk", megabytes=64) as disk:
        url, ballast = f"sqlite:///{disk}/ledger.db", disk / "ballast"
        command = [sys.executable, "-c", UNTIL_FULL, url, str(ballast), str(begun), end]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        stored, head, said = done.stdout.split(maxsplit=2)
        assert stored == head
        assert "nothing of this call was stored" in said
        with Ledger.open(url) as ledger:
            assert ledger.head("s") == int(stored)
        ballast.unlink()
        with Ledger.open(url) as ledger:
            assert ledger.head("s") == int(stored)
            assert ledger.append("s", note("again")).sequence == int(stored) + 1
            assert ledger.verify().ok


@needs_mount
@pytest.mark.parametrize(
    ("command", "says"), [("export", "No space left on device\n"), ("backup", "the disk is full")]
)
def test_a_file_that_does_not_fit_a_disk_leaves_nothing_and_is_told_by_its_name(
    tmp_path: Path, command: str, says: str
) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.open(url) as ledger:
        for part in range(30):
            ledger.append("s", big(part))
    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        done = run_cli(command, f"{disk}/copy", "--url", url)
        assert (done.code, done.err.count("\n")) == (4, 1)
        assert done.err.startswith(f"ledger: {disk}/copy: {says}")
        assert list(disk.iterdir()) == []


@only_sync
def test_a_full_sqlite_file_stops_appends_until_it_may_grow(
    open_ledger: Callable[..., Any], tmp_path: Path
) -> None:
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")

    def allow(pages: int) -> None:
        with ledger.backend.transaction() as connection:
            connection.pragma("max_page_count", pages)

    allow(500)
    check_full_disk(ledger, lambda: allow(100_000))


@only_sync
def test_the_past_of_a_long_session_is_told_where_nothing_more_can_be_stored(
    open_ledger: Callable[..., Any], tmp_path: Path
) -> None:
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    labelled = [NewEvent({"label": f"{n} {'x' * 9_000}"}, "session.labelled") for n in range(1_000)]
    ledger.append("s", labelled)
    views = Views(ledger)
    views.catch_up()
    with ledger.backend.transaction() as connection:
        connection.pragma("max_page_count", 1)  # which is as many as there are
    fill(ledger)
    assert any(is_full(ledger) for _ in range(TRIES_MAX))
    assert views.session("s", as_of=900).label.startswith("899 ")


@pytest.fixture
def small_tablespace(
    server: PostgresServer, tmp_path: Path
) -> Iterator[tuple[str, Callable[[], None]]]:
    """The URL of a database on a small disk, and a function that makes room on it."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        [data] = admin.execute("SHOW data_directory").fetchone() or [""]
        owner = Path(data).stat()
        # Beside the data, where the server's user can enter.
        with small_disk(Path(data).parent / "disk", megabytes=24) as disk:
            os.chown(disk, owner.st_uid, owner.st_gid)
            ballast = disk / "ballast"
            ballast.write_bytes(bytes(4_000_000))
            admin.execute(
                sql.SQL("CREATE TABLESPACE small LOCATION {}").format(sql.Literal(str(disk)))
            )
            admin.execute("CREATE DATABASE small TABLESPACE small TEMPLATE template0")
            yield server.url("small"), ballast.unlink
            admin.execute("DROP DATABASE small WITH (FORCE)")
            admin.execute("DROP TABLESPACE small")
    (Path(data).parent / "disk").rmdir()


@needs_mount
@pytest.mark.postgres
def test_a_full_disk_under_postgres_stops_appends_until_there_is_room(
    small_tablespace: tuple[str, Callable[[], None]], open_ledger: Callable[..., Any]
) -> None:
    url, make_room = small_tablespace
    check_full_disk(open_ledger(url), make_room)
