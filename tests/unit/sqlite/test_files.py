"""Files that cannot hold a ledger, and those that no longer do: what the SQLite backend says."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from ledger import InvalidArgument, Ledger, NewEvent, NotALedger, StorageFailed
from ledger.backends.base import OpenOptions
from ledger.backends.sqlite import open_sqlite
from ledger.backends.sqlite.files import OpenFiles, check_others
from ledger.backends.sqlite.source import Source
from tests.support.builders import DEADLINE_S, background, note, notes

ROOT = Path(__file__).resolve().parents[3]
OPENED_MAX = 20_000


def test_a_read_only_file_is_a_storage_failure(path: Path) -> None:
    Ledger.open(f"sqlite:///{path}").close()
    with read_only(path), pytest.raises(StorageFailed, match=r"cannot be written"):
        open_sqlite(path, OpenOptions())


def test_a_read_only_directory_is_a_storage_failure(tmp_path: Path) -> None:
    directory = tmp_path / "closed"
    directory.mkdir()
    open_sqlite(directory / "old.db", OpenOptions()).close()
    with read_only(directory):
        for name in ("old.db", "new.db"):
            with pytest.raises(StorageFailed, match="directory that can be written"):
                open_sqlite(directory / name, OpenOptions())


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """Make a path read-only, for root too, whom permissions do not stop."""
    if os.geteuid() != 0:
        path.chmod(0o500 if path.is_dir() else 0o400)
        yield
        path.chmod(0o700)
        return
    for command in (["--bind", str(path), str(path)], ["-o", "remount,bind,ro", str(path)]):
        if subprocess.run(["mount", *command], capture_output=True, check=False).returncode:
            pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="where descriptors have names")
def test_a_file_that_is_refused_is_not_kept_open(path: Path) -> None:
    path.write_bytes(b"no database" * 1_000)
    with pytest.raises(NotALedger) as kept:  # and with it what the frames hold
        open_sqlite(path, OpenOptions())
    with pytest.raises(NotALedger) as kept_too:
        Source(str(path), 1.0)
    held = [descriptor.resolve() for descriptor in Path("/proc/self/fd").iterdir()]
    assert path not in held, (kept, kept_too)


@pytest.mark.parametrize("special", ["/dev/null", "/proc/version", "/proc/new.db"])
def test_what_cannot_hold_a_ledger_is_refused(special: str) -> None:
    with pytest.raises((NotALedger, StorageFailed), match=special):
        open_sqlite(special, OpenOptions())


NAMED = """
import sys
from ledger import InvalidArgument, Ledger
try:
    Ledger.open("sqlite:///" + sys.argv[1] + "/w\\xe4l.db")
except InvalidArgument as error:
    print(ascii(str(error)))
"""


def test_a_name_that_the_locale_cannot_write_is_refused(tmp_path: Path) -> None:
    place = {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-c", NAMED, str(tmp_path)],
        env=os.environ | place,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert "files are named in ascii here, which cannot write" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_directory_whose_name_is_no_utf8_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(odd)
    monkeypatch.chdir(os.fsdecode(odd))
    with pytest.raises(InvalidArgument, match="names in UTF-8 alone") as refused:
        Ledger.open("sqlite:///ledger.db")
    assert refused.value.argument == "url"
    assert os.listdir(odd) == []


def test_another_application_id_is_refused_without_a_write(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("application_id", 77)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(NotALedger, match="another application"):
        open_sqlite(path, OpenOptions())
    assert path.read_bytes() == before


def test_a_damaged_file_is_a_storage_failure(path: Path) -> None:
    with Ledger.open(f"sqlite:///{path}") as ledger:
        ledger.append("s", notes(map(str, range(500))))
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(StorageFailed, match="damaged"), Ledger.open(f"sqlite:///{path}") as ledger:
        ledger.append("s", note("more"))


def test_the_wal_file_does_not_grow_with_what_is_appended(path: Path) -> None:
    wal = path.with_name(f"{path.name}-wal")
    largest = 0
    with Ledger.open(f"sqlite:///{path}") as ledger:
        for _ in range(40):
            ledger.append("s", NewEvent({"text": "x" * 1_000_000}, "note"))
            largest = max(largest, wal.stat().st_size)
    # Each append is one megabyte, and 4,000 pages of the file are sixteen.
    assert 12_000_000 < largest < 24_000_000


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """Threads take turns at almost every step."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("eager_switches")
def test_a_file_can_be_opened_while_other_threads_open_theirs(path: Path) -> None:
    backend = open_sqlite(path, OpenOptions())
    with backend.reader() as connection:
        opened = [OpenFiles(connection) for _ in range(OPENED_MAX // 20)]
        ended = threading.Event()

        def open_more() -> None:
            while not ended.is_set() and len(opened) < OPENED_MAX:
                opened.append(OpenFiles(connection))

        other = background(open_more)
        try:
            while len(opened) < OPENED_MAX and not other.done():
                check_others(f"{path}.new")
        finally:
            ended.set()
            other.result(DEADLINE_S)
        for one in opened:
            one.close()
    backend.close()
