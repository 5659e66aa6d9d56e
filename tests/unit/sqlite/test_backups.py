"""Copies of a file that is in use: whole, of one moment, private, and never in another's place."""

import os
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import apsw
import pytest

from ledger import (
    IntegrityError,
    InvalidArgument,
    Ledger,
    StorageFailed,
    backup,
)
from ledger.backends.sqlite import backup as copying
from projections import Views
from tests.support.builders import eventually, note, notes, whole_feed
from tests.support.claims import check_batches, check_numbers
from tests.support.processes import child
from tests.support.workers import write

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """Where a copy goes; nothing else is ever left beside it."""
    (tmp_path / "copies").mkdir()
    file = tmp_path / "copies" / "copy.db"
    yield file
    assert [one for one in file.parent.iterdir() if one.suffix == ".part"] == []


def names(path: Path) -> list[str]:
    return sorted(one.name for one in path.iterdir())


def test_a_copy_is_the_ledger_with_what_is_only_in_the_wal_file(
    ledger: Ledger, url: str, copy: Path
) -> None:
    stored = [one.event for one in ledger.append("s", notes("abc"))]
    Views(ledger).catch_up()
    backup(url, copy)
    assert names(copy.parent) == ["copy.db"]
    with Ledger.open(f"sqlite:///{copy}") as copied:
        assert (copied.ledger_id, whole_feed(copied)) == (ledger.ledger_id, stored)
        assert copied.verify().ok
        session = Views(copied).session("s", consistency="eventual")
        assert session is not None
        assert session.event_count == 3
        assert copied.append("s", note("d"), expected=3).sequence == 4
    assert ledger.append("s", note("e"), expected=3).sequence == 4


def test_a_copy_is_read_without_anything_beside_it(ledger: Ledger, url: str, copy: Path) -> None:
    ledger.append("s", note("a"))
    backup(url, copy)
    connection = apsw.Connection(f"file:{copy}", apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    assert connection.execute("SELECT count(*) FROM events").get == 1
    assert connection.pragma("journal_mode") == "delete"
    assert names(copy.parent) == ["copy.db"]
    connection.close()


def test_a_copy_of_a_copy_and_of_a_ledger_that_nobody_has_open(
    ledger: Ledger, url: str, path: Path, copy: Path
) -> None:
    ledger.append("s", note("a"))
    ledger.close()
    again = copy.with_name("again.db")
    backup(url, copy)
    backup(f"sqlite:///{copy}", again)
    assert names(copy.parent) == ["again.db", "copy.db"]
    assert not path.with_name("ledger.db-wal").exists()
    with Ledger.open(f"sqlite:///{again}") as copied:
        assert copied.head("s") == 1


def test_beside_two_processes_that_append_a_copy_has_all_that_had_returned(
    ledger: Ledger, url: str, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A page at a time: many commits fall between the first step and the last.
    monkeypatch.setattr(copying, "_STEP_PAGES", 1)
    with ExitStack() as running:
        writers = [
            running.enter_context(child(write, url, f"writer-{n}", n, 2, None)) for n in range(2)
        ]
        for writer in writers:
            for _ in range(20):
                writer.answer()
        before = ledger.heads(f"session-{n}" for n in range(24))
        backup(url, copy, verify=True)
        after = eventually(lambda: [one.answer() for one in writers])
    assert after
    with Ledger.open(f"sqlite:///{copy}") as copied:
        events = whole_feed(copied)
        check_numbers(events)
        check_batches(events)  # and no part of a transaction
        counts = Counter(event.session_id for event in events)
        assert {one: counts[one] >= head.sequence for one, head in before.items()} == (
            dict.fromkeys(before, True)
        )
        original = {(e.session_id, e.sequence): e.event_hash for e in whole_feed(ledger)}
        assert {(e.session_id, e.sequence): e.event_hash for e in events}.items() < original.items()
        views = Views(copied)
        views.catch_up()
        assert {one.session_id: one.event_count for one in views.sessions()} == dict(counts)
        assert copied.verify().ok


def test_writers_go_on_while_a_copy_is_made(
    ledger: Ledger, url: str, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.append("s", notes("ab" * 500))
    heads = []
    monkeypatch.setattr(copying, "_STEP_PAGES", 10)
    make = copying._copy

    class Between:
        """Appends at each look at whether the copying is done."""

        def __init__(self, steps: apsw.Backup) -> None:
            self._steps = steps
            self.step = steps.step

        @property
        def done(self) -> bool:
            heads.append(ledger.append("s", note("later")).sequence)
            return self._steps.done

        def __enter__(self) -> "Between":
            return self

        def __exit__(self, *error: Any) -> None:
            self._steps.close(True)

    class Connection(apsw.Connection):
        def backup(self, *args: Any) -> Any:
            return Between(super().backup(*args))

    def copied(*args: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(apsw, "Connection", Connection)
            make(*args)

    monkeypatch.setattr(copying, "_copy", copied)
    backup(url, copy)
    assert len(heads) > 3
    with Ledger.open(f"sqlite:///{copy}") as found:
        assert found.head("s") == 1_000


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_a_copy_is_as_private_as_the_original(
    ledger: Ledger, url: str, path: Path, copy: Path, mode: int
) -> None:
    path.chmod(mode)
    backup(url, copy)
    assert stat.S_IMODE(copy.stat().st_mode) == mode


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o444])
def test_a_copy_of_what_its_owner_may_only_read_can_be_written_by_its_owner(
    ledger: Ledger, url: str, path: Path, copy: Path, mode: int
) -> None:
    ledger.close()
    path.chmod(mode)
    backup(url, copy)
    assert stat.S_IMODE(copy.stat().st_mode) == mode | 0o200


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_a_copy_belongs_to_whom_the_original_belongs(
    ledger: Ledger, url: str, path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.chmod(0o660)
    os.chown(path, 12_345, 54_321)
    backup(url, copy)
    assert (copy.stat().st_uid, copy.stat().st_gid) == (12_345, 54_321)

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refused)
    backup(url, copy.with_name("mine.db"))
    assert stat.S_IMODE(copy.with_name("mine.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal"])
def test_what_is_there_stays(ledger: Ledger, url: str, copy: Path, ending: str) -> None:
    there = Path(f"{copy}{ending}")
    there.write_text("older")
    with pytest.raises(InvalidArgument, match="is there") as refused:
        backup(url, copy)
    assert refused.value.argument == "path"
    assert (there.read_text(), names(copy.parent)) == ("older", [there.name])


def test_a_link_to_nothing_stays(ledger: Ledger, url: str, copy: Path) -> None:
    copy.symlink_to("nowhere")
    with pytest.raises(InvalidArgument, match="is there"):
        backup(url, copy)
    assert names(copy.parent) == ["copy.db"]


@pytest.mark.parametrize("links", [True, False])
def test_what_comes_there_meanwhile_stays(
    ledger: Ledger, url: str, copy: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    make = copying._copy

    def come(*args: Any) -> None:
        make(*args)
        copy.write_text("faster")

    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(copying, "_copy", come)
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(InvalidArgument, match="is there"):
        backup(url, copy)
    assert copy.read_text() == "faster"


def test_a_file_system_without_links_gets_a_copy(
    ledger: Ledger, url: str, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    backup(url, copy, verify=True)
    assert names(copy.parent) == ["copy.db"]


@pytest.mark.parametrize(
    "step",
    ["backup._copy", "backup._let_it_stand_alone", "new_files._flush", "new_files._give_name"],
)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_what_fails_leaves_nothing(
    ledger: Ledger,
    url: str,
    copy: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    error: BaseException,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(f"ledger.backends.sqlite.{step}", fail)
    # What is no part of naming it is raised as it is.
    with pytest.raises((KeyboardInterrupt, StorageFailed, OSError)):
        backup(url, copy)
    assert names(copy.parent) == []
    assert ledger.append("s", note("a")).sequence == 1


def test_a_copy_of_an_altered_log_is_not_kept_if_it_is_to_be_verified(
    ledger: Ledger, url: str, path: Path, copy: Path
) -> None:
    ledger.append("s", notes("ab"))
    ledger.close()
    own = apsw.Connection(str(path))
    own.execute("DROP TRIGGER events_refuse_update")
    own.execute("UPDATE events SET type = 'forged' WHERE sequence = 2")
    own.close()
    with pytest.raises(IntegrityError, match=r"not kept: .*'s' 2: .*event hash does not"):
        backup(url, copy, verify=True)
    assert names(copy.parent) == []
    backup(url, copy)
    assert names(copy.parent) == ["copy.db"]


def test_a_ledger_of_an_older_version_is_left_at_that(
    ledger: Ledger, url: str, path: Path, copy: Path
) -> None:
    ledger.close()
    own = apsw.Connection(str(path))
    own.pragma("user_version", 1)
    own.close()
    backup(url, copy)
    for file in (path, copy):
        connection = apsw.Connection(str(file))
        assert connection.pragma("user_version") == 1
        connection.close()


FORKING = """
import os, sys
from ledger import ForkedProcess, Ledger
from ledger.backends.sqlite.source import Source
path = sys.argv[1]
with Source(path, 1.0):
    child = os.fork()
    if not child:
        try:
            Ledger.open(f"sqlite:///{path}")
        except ForkedProcess:
            os._exit(7)
        os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_process_forked_amid_a_copy_does_not_open_the_file(ledger: Ledger, path: Path) -> None:
    ledger.close()
    command = [sys.executable, "-c", FORKING, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "7\n"


def test_a_file_that_is_replaced_amid_a_copy_gives_none(
    ledger: Ledger, url: str, path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = copying._copy
    ledger.append("s", note("a"))
    ledger.close()

    def replace(*args: Any) -> None:
        make(*args)
        path.rename(path.with_name("moved.db"))

    monkeypatch.setattr(copying, "_copy", replace)
    with pytest.raises(StorageFailed, match="moved, replaced or removed"):
        backup(url, copy)
    assert names(copy.parent) == []
