"""Files that lose their names while they are open: no append is acknowledged that nobody can read."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ledger import StorageFailed
from projections import Views
from tests.support.builders import note, on_sqlite, only_sync, texts

pytestmark = on_sqlite

ROOT = Path(__file__).resolve().parents[2]
LOST = "moved, replaced or removed while it was open"
#: What another process finds, and leaves.
ELSEWHERE = """
import os, sys
from ledger import Ledger, NewEvent
url, *end = sys.argv[1:]
ledger = Ledger.open(url)
ledger.append("other", NewEvent({"text": "from elsewhere"}, "note"))
print(ledger.head("s"), flush=True)
if end:
    os._exit(0)  # as if killed: its -wal file stays, and in it what it was told is stored
ledger.close()
"""

Lose = Callable[[Path], object]


def look_with_another_library(path: Path) -> None:
    """As a script does that wants to count events: locks of this process go, and the -wal file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT count(*) FROM events").fetchone()


def remove_wal(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def move(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def replace(path: Path) -> None:
    """As somebody does who restores a backup beside a program that runs."""
    backup = path.with_name("backup.db")
    backup.write_bytes(path.read_bytes())
    backup.replace(path)


@pytest.fixture
def path(url: str) -> Path:
    """The ledger's file."""
    return Path(url.removeprefix("sqlite:///"))


@pytest.fixture
def ledger(open_ledger: Callable[..., Any]) -> Any:
    """An empty ledger."""
    return open_ledger()


@pytest.mark.parametrize("lose", [look_with_another_library, remove_wal, move, replace])
def test_nothing_is_acknowledged_behind_the_loss_and_nothing_can_be_called_any_more(
    ledger: Any, path: Path, lose: Lose
) -> None:
    ledger.append("s", note("before"))
    lose(path)
    with pytest.raises(StorageFailed, match=LOST):
        ledger.append("s", note("behind"))
    for call in (
        lambda: ledger.append("s", note("again")),
        lambda: ledger.read("s"),
        lambda: ledger.head("s"),
        ledger.verify,
    ):
        with pytest.raises(StorageFailed, match=LOST):
            call()


def elsewhere(url: str, *end: str) -> str:
    command = [sys.executable, "-c", ELSEWHERE, url, *end]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


@pytest.mark.parametrize("end", [(), ("killed",)], ids=["closed", "killed"])
@pytest.mark.parametrize("noticed", [True, False])
@pytest.mark.parametrize("times", [1, 50])
def test_what_was_acknowledged_is_there_and_the_rest_can_be_appended_again(
    open_ledger: Callable[..., Any],
    url: str,
    path: Path,
    times: int,
    noticed: bool,
    end: tuple[str, ...],
) -> None:
    first, late = open_ledger(), note("late")
    for number in range(times):
        first.append("s", note(str(number)))
    look_with_another_library(path)
    if noticed:
        with pytest.raises(StorageFailed, match="append again with the same event ids"):
            first.append("s", late)
    assert elsewhere(url, *end) == f"{times}\n"
    with pytest.raises(StorageFailed, match="Close this ledger"):
        open_ledger()  # beside one that has the files as they were
    first.close()
    second = open_ledger()
    assert second.append("s", late).sequence == times + 1
    assert texts(second.read("s")) == [*map(str, range(times)), "late"]
    assert texts(second.read("other")) == ["from elsewhere"]
    assert second.verify().ok


@only_sync
def test_views_are_not_folded_into_it(ledger: Any, path: Path) -> None:
    ledger.append("s", note("before"))
    views = Views(ledger)
    assert views.session("s") is not None
    ledger.append("s", note("not folded yet"))
    remove_wal(path)
    with pytest.raises(StorageFailed, match=LOST):
        views.session("s")


@only_sync
def test_who_waits_for_events_is_told(ledger: Any, path: Path) -> None:
    ledger.append("s", note("before"))
    with ledger.follow("s") as following:
        assert next(following).sequence == 1
        move(path)
        with pytest.raises(StorageFailed, match=LOST):
            next(following)


@only_sync
def test_a_further_connection_is_not_opened_by_a_name_that_another_file_has(
    ledger: Any, open_ledger: Callable[..., Any], path: Path
) -> None:
    assert ledger.head("s") == 0
    move(path)
    open_ledger().append("s", note("another ledger"))
    with ledger.backend.reader(), pytest.raises(StorageFailed, match=LOST):  # the idle one
        ledger.read("s")


def test_a_copy_that_is_made_by_the_same_process_loses_nothing(
    ledger: Any, url: str, path: Path
) -> None:
    ledger.append("s", note("before"))
    path.with_name("copy.db").write_bytes(path.read_bytes())
    elsewhere(url)
    assert ledger.append("s", note("behind")).sequence == 2
    assert len(ledger.read("other")) == 1
