"""The -wal file's length: ahead of small appends, and zeros there are nothing to anybody."""

import os
import resource
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from ledger import Ledger
from ledger.backends.sqlite.wal import WAL_PAGES_MAX, Wal
from ledger.processes import file_identity
from projections import Views
from tests.support.builders import note, notes, texts

ROOT = Path(__file__).resolve().parents[3]
HEADER_BYTES, FRAME_BYTES = 32, 24 + 4_096


@pytest.fixture
def wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def length(wal: Path) -> int:
    return wal.stat().st_size


def written(wal: Path) -> int:
    """Up to where frames count: those with the salts that the header has."""
    stored = wal.read_bytes()
    at = HEADER_BYTES
    while stored[at + 8 : at + 16] == stored[16:24]:
        at += FRAME_BYTES
    return at


def lengths(ledger: Ledger, wal: Path, appends: int) -> list[int]:
    """What the file has behind each of some appends."""
    found = []
    for number in range(appends):
        ledger.append("s", note(str(number)))
        found.append(length(wal))
    return found


def test_most_appends_find_room(ledger: Ledger, wal: Path) -> None:
    found = lengths(ledger, wal, 400)
    assert len(set(found)) < 20
    assert 0 < length(wal) - written(wal) < 300 * FRAME_BYTES


def test_it_stays_as_long_when_it_is_begun_again(ledger: Ledger, wal: Path) -> None:
    while length(wal) < WAL_PAGES_MAX * FRAME_BYTES:
        ledger.append("s", note("x"))
    assert set(lengths(ledger, wal, 300)) == {length(wal)}
    # Of its index, 4,062 pages are the first part: another one may find no room on the disk.
    assert length(wal) < 4_062 * FRAME_BYTES


def test_big_batches_and_folded_views_take_no_room_ahead(ledger: Ledger, wal: Path) -> None:
    ledger.append("s", notes(map(str, range(1_000))))
    assert length(wal) == written(wal)
    Views(ledger).session("s")
    assert length(wal) == written(wal)


@pytest.mark.parametrize("kept", ["all", "half a page", "header", "half a header"])
def test_zeros_are_read_over_after_a_crash(
    ledger: Ledger, path: Path, wal: Path, tmp_path: Path, kept: str
) -> None:
    lengths(ledger, wal, 30)
    copy = tmp_path / "crashed.db"
    shutil.copy(path, copy)
    zeros = {
        "all": length(wal) - written(wal),
        "half a page": 2_000,
        "header": HEADER_BYTES,
        "half a header": 16,
    }[kept]
    stored = wal.read_bytes()[: written(wal) + zeros]
    assert not any(stored[written(wal) :])
    copy.with_name(f"{copy.name}-wal").write_bytes(stored)
    with Ledger.open(f"sqlite:///{copy}") as crashed:
        assert texts(crashed.read("s")) == [str(number) for number in range(30)]
        assert crashed.append("s", note("behind")).sequence == 31
        assert crashed.verify().ok


def test_a_file_of_nothing_but_zeros_is_an_empty_one(path: Path, wal: Path) -> None:
    url = f"sqlite:///{path}"
    with Ledger.open(url) as ledger:
        ledger.append("s", note("before"))
    wal.write_bytes(bytes(64 * FRAME_BYTES))
    with Ledger.open(url) as ledger:
        assert texts(ledger.read("s")) == ["before"]
        ledger.append("s", note("behind"))
        assert texts(ledger.read("s")) == ["before", "behind"]
        assert ledger.verify().ok


CUT = """
import sys, apsw
rows = apsw.Connection(sys.argv[1]).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
assert rows == [(0, 0, 0)], rows
"""


def test_who_cuts_it_takes_nothing(ledger: Ledger, path: Path, wal: Path) -> None:
    lengths(ledger, wal, 50)
    subprocess.run([sys.executable, "-c", CUT, str(path)], check=True)
    assert length(wal) == 0
    found = lengths(ledger, wal, 50)
    assert len(set(found)) < 8
    assert len(ledger.read("s")) == 100


def test_no_room_on_the_disk_is_no_matter_as_long_as_appends_find_some(
    ledger: Ledger, wal: Path
) -> None:
    lengths(ledger, wal, 5)
    room = length(wal)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        found = lengths(ledger, wal, 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert set(found) == {room}
    assert len(set(lengths(ledger, wal, 30))) > 1
    assert len(ledger.read("s")) == 45


def test_who_appends_a_few_times_and_goes_writes_nothing_more(ledger: Ledger, wal: Path) -> None:
    for number in range(4):
        ledger.append("s", note(str(number)))
        assert length(wal) == written(wal)


IN_TURNS = """
import sys
from ledger import Ledger, NewEvent
with Ledger.open(sys.argv[1]) as ledger:
    for number in range(40):
        sys.stdin.readline()
        ledger.append(sys.argv[2], NewEvent({"text": str(number)}, "note"))
        print(flush=True)
"""


def test_processes_that_take_turns_find_room(ledger: Ledger, path: Path, wal: Path) -> None:
    others = [
        subprocess.Popen(
            [sys.executable, "-c", IN_TURNS, f"sqlite:///{path}", f"of {number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        for number in range(4)
    ]
    found = []
    for _ in range(40):
        for other in others:
            assert other.stdin is not None
            assert other.stdout is not None
            other.stdin.write(b"\n")
            other.stdin.flush()
            other.stdout.readline()
            found.append(length(wal))
    assert [other.wait(60) for other in others] == [0] * 4
    for other in others:
        other.communicate()
    assert len(set(found[40:])) < 15
    assert ledger.verify().ok


@pytest.mark.parametrize("other", ["a link", "a name", "a pipe"])
def test_nothing_is_written_to_what_took_its_name(
    ledger: Ledger, path: Path, wal: Path, tmp_path: Path, other: str
) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"my own")
    lengths(ledger, wal, 5)
    connection = apsw.Connection(str(path))
    lengthening = Wal(connection, (0, 0) if other == "a name" else file_identity(str(wal)))
    wal.rename(tmp_path / "moved")
    {"a link": wal.symlink_to, "a name": wal.hardlink_to, "a pipe": lambda _: os.mkfifo(wal)}[
        other
    ](mine)
    with suppress(OSError):
        lengthening._lengthen()
    assert mine.read_bytes() == b"my own"
    connection.close()
