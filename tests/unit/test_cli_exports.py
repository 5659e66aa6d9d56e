"""`ledger export FILE`: a whole file or none, and whatever is no file keeps what it is."""

import os
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import Ledger, NewEvent
from tests.support.cli import run_cli


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    name = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.open(name) as ledger:
        ledger.append("s", [NewEvent({"n": n}, "note") for n in range(3)])
    yield name
    assert list(tmp_path.rglob("*.part")) == []


@pytest.fixture
def whole(url: str) -> str:
    """What is exported."""
    return run_cli("export", "--url", url).out


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_mode_that_the_process_gives(
    url: str, whole: str, tmp_path: Path
) -> None:
    before = os.umask(0o027)
    try:
        assert run_cli("export", str(tmp_path / "log"), "--url", url).code == 0
    finally:
        os.umask(before)
    assert ((tmp_path / "log").read_text(), mode(tmp_path / "log")) == (whole, 0o640)


@pytest.mark.parametrize("kept", [0o600, 0o664, 0o400])
def test_a_file_that_is_there_keeps_its_mode(
    url: str, whole: str, tmp_path: Path, kept: int
) -> None:
    file = tmp_path / "log"
    file.write_text("older and longer " * 1_000)
    file.chmod(kept)
    assert run_cli("export", str(file), "--url", url).err == "exported 3 events\n"
    assert (file.read_text(), mode(file)) == (whole, kept)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_a_file_that_is_there_keeps_its_owner(url: str, tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.touch(0o600)
    os.chown(file, 12_345, 54_321)
    assert run_cli("export", str(file), "--url", url).code == 0
    assert (file.stat().st_uid, file.stat().st_gid, mode(file)) == (12_345, 54_321, 0o600)


@pytest.mark.parametrize(
    ("before", "after"), [(0o640, 0o600), (0o604, 0o600), (0o664, 0o644), (0o666, 0o666)]
)
@pytest.mark.parametrize("group", [True, False])
def test_a_file_of_another_owner_tells_nobody_more(
    url: str,
    whole: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    group: bool,
    before: int,
    after: int,
) -> None:
    given: list[tuple[int, int]] = []

    def refused(_: int, user: int, owning: int) -> None:
        if user != -1 or not group:
            raise PermissionError(1, "Operation not permitted")
        given.append((user, owning))

    file = tmp_path / "log"
    file.touch()
    file.chmod(before)
    monkeypatch.setattr(os, "fchown", refused)
    assert run_cli("export", str(file), "--url", url).code == 0
    assert (file.read_text(), mode(file)) == (whole, before if group else after)
    assert given == ([(-1, os.getgid())] if group else [])


def test_a_file_system_without_modes_is_written_to(
    url: str, whole: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    (tmp_path / "log").touch()
    monkeypatch.setattr(os, "fchmod", refused)
    assert run_cli("export", str(tmp_path / "log"), "--url", url).code == 0
    assert (tmp_path / "log").read_text() == whole


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed(url: str, whole: str, tmp_path: Path, there: bool) -> None:
    (tmp_path / "kept").mkdir()
    target, link = tmp_path / "kept" / "log", tmp_path / "link"
    if there:
        target.touch(0o600)
    link.symlink_to(target)
    assert run_cli("export", str(link), "--url", url).code == 0
    assert (link.is_symlink(), target.read_text()) == (True, whole)
    assert not there or mode(target) == 0o600


def test_what_was_exported_before_stays_if_an_export_fails(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "log"
    file.write_text("older")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in run_cli("export", str(file), "--url", url).err
    assert file.read_text() == "older"


@pytest.mark.parametrize("linked", [False, True])
def test_a_fifo_is_written_into(url: str, whole: str, tmp_path: Path, linked: bool) -> None:
    fifo, link = tmp_path / "fifo", tmp_path / "link"
    os.mkfifo(fifo)
    link.symlink_to(fifo)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_text()), daemon=True)
    reader.start()
    done = run_cli("export", str(link if linked else fifo), "--url", url)
    reader.join(10)
    assert (done.code, read, fifo.is_fifo(), link.is_symlink()) == (0, [whole], True, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_a_device_is_written_into(url: str, tmp_path: Path) -> None:
    node = tmp_path / "null"
    try:
        os.mknod(node, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        node.open("wb").close()
    except PermissionError:
        pytest.skip("this container makes no devices")
    assert run_cli("export", str(node), "--url", url).code == 0
    assert stat.S_ISCHR(node.stat().st_mode)


@pytest.mark.skipif(sys.platform != "linux", reason="where descriptors have names")
def test_a_descriptor_is_written_into(url: str, whole: str) -> None:
    reading, writing = os.pipe()
    done = run_cli("export", f"/dev/fd/{writing}", "--url", url)
    os.close(writing)
    with open(reading) as out:
        assert (done.code, out.read()) == (0, whole)


@pytest.mark.skipif(sys.platform != "linux", reason="where descriptors have names")
def test_a_descriptor_of_a_file_that_is_gone_makes_none(
    url: str, whole: str, tmp_path: Path
) -> None:
    before = {*tmp_path.iterdir()}
    with (tmp_path / "log").open("w+") as out:
        (tmp_path / "log").unlink()
        assert run_cli("export", f"/dev/fd/{out.fileno()}", "--url", url).code == 0
        assert (out.read(), {*tmp_path.iterdir()}) == (whole, before)


def test_a_folder_is_refused(url: str, tmp_path: Path) -> None:
    done = run_cli("export", str(tmp_path), "--url", url)
    assert (done.code, done.err) == (2, f"ledger: {tmp_path}: Is a directory\n")


@pytest.mark.parametrize("command", ["export", "import"])
def test_a_name_that_is_empty_is_refused_as_one(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    done = run_cli(command, "", "--url", url)
    assert (done.code, done.out, done.err) == (2, "", "ledger: FILE: it names no file.\n")


def test_a_file_that_cannot_be_made_is_called_by_its_name(url: str, tmp_path: Path) -> None:
    done = run_cli("export", f"{tmp_path}/nowhere/log", "--url", url)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"{tmp_path}/nowhere/log" in done.err


@pytest.mark.parametrize("own", [True, False])
def test_a_database_is_never_replaced(url: str, tmp_path: Path, own: bool) -> None:
    other = tmp_path / "other.db"
    with Ledger.open(f"sqlite:///{other}") as ledger:
        ledger.append("s", NewEvent({"kept": True}, "note"))
    database = Path(url.removeprefix("sqlite:///")) if own else other
    before = database.read_bytes()
    done = run_cli("export", str(database), "--url", url)
    assert (done.code, done.out) == (2, "")
    assert "is a database" in done.err
    assert database.read_bytes() == before


def test_a_directory_that_is_not_there_is_no_file(url: str, tmp_path: Path) -> None:
    done = run_cli("export", f"{tmp_path}/missing/", "--url", url)
    assert (done.code, done.out) == (2, "")
    assert not (tmp_path / "missing").exists()


def test_what_others_have_left_beside_the_file_is_neither_in_the_way_nor_taken_away(
    url: str, tmp_path: Path
) -> None:
    left = tmp_path / f"log.{os.getpid()}.part"
    left.write_text("mine")
    assert run_cli("export", str(tmp_path / "log"), "--url", url).code == 0
    assert left.read_text() == "mine"
    left.unlink()
