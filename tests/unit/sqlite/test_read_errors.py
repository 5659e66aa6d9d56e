"""A disk that cannot be read: whatever is asked of views says so."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from ledger import Ledger, NewEvent, StorageFailed
from projections import Views
from tests.support.views import TALLY, counted, views_of


class Disk(apsw.VFS):
    """The file system as it is, until it fails."""

    def __init__(self) -> None:
        super().__init__("failing", "unix")
        self.fails = False

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        disk = self

        class File(apsw.VFSFile):
            def xRead(self, amount: int, offset: int) -> bytes:
                if disk.fails:
                    raise apsw.IOError("the disk cannot be read")
                return super().xRead(amount, offset)

        return File("unix", name, flags)


@pytest.fixture
def disk() -> Iterator[Disk]:
    """What every file is on that is opened in the test."""
    disk = Disk()
    apsw.set_default_vfs("failing")
    yield disk
    apsw.set_default_vfs("unix")
    disk.unregister()


@pytest.mark.parametrize(
    "read",
    [
        lambda views: views.row("tally", ("", "s", "x")),
        lambda views: views.row_at_head("tally", ("", "s", "x")),
        lambda views: views.together("s", ["tally"]),
        lambda views: views.together_many(["s"], ["tally"]),
    ],
)
def test_a_view_that_cannot_be_read_says_why(
    disk: Disk, path: Path, read: Callable[[Views], Any]
) -> None:
    with Ledger.open(f"sqlite:///{path}") as ledger:
        ledger.append("s", [counted(), NewEvent({}, "note")])
        views_of(ledger, TALLY).catch_up()
    with Ledger.open(f"sqlite:///{path}") as ledger:
        views = views_of(ledger, TALLY)
        views.positions("tally")
        disk.fails = True
        try:
            with pytest.raises(StorageFailed, match="the disk cannot be read"):
                read(views)
        finally:
            disk.fails = False
        assert read(views)
