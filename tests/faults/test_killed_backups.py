"""A backup that is killed outright: no copy has its name, and the ledger goes on."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ledger import Ledger, backup
from tests.support.builders import note, on_sqlite, only_sync
from tests.support.processes import child
from tests.support.workers import back_up

KILLS = 20
TEXT = "x" * 20_000

pytestmark = [only_sync, on_sqlite]


def test_a_killed_backup_leaves_no_copy(
    open_ledger: Callable[..., Any], url: str, tmp_path: Path
) -> None:
    ledger = open_ledger()
    for number in range(100):
        ledger.append("s", [note(f"{number} {part} {TEXT}") for part in range(5)])
    copies = tmp_path / "copies"
    copies.mkdir()
    copy, amid = copies / "copy.db", 0
    with child(back_up, url, str(tmp_path / "first.db")) as first:
        assert first.answer() == "begins"
        begun = time.monotonic()
        assert first.answer() == "done"
        takes_s = time.monotonic() - begun
    chance = random.Random(1)
    for number in range(KILLS):
        with child(back_up, url, str(copy)) as victim:
            assert victim.answer() == "begins"
            time.sleep(chance.uniform(0, takes_s))
            victim.kill()
            whole = list(victim.said()) == ["done"]
        if copy.exists():  # it has its name from the moment on at which all of it is on disk
            with Ledger.open(f"sqlite:///{copy}") as copied:
                assert (copied.head("s"), copied.verify().ok) == (500 + number, True)
        else:
            assert not whole
            amid += 1
        assert ledger.append("s", note("later")).sequence == 501 + number
        for file in copies.iterdir():
            file.unlink()
    assert amid >= KILLS // 4
    assert ledger.verify().ok
    backup(url, copy, verify=True)
