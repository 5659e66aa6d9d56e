"""`ledger backup`: a copy under its name, or one line that says why there is none."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ledger import Ledger
from ledger.backends.sqlite import backup as copying
from tests.support.builders import DEADLINE_S, notes
from tests.support.cli import run_cli


@pytest.fixture
def url(tmp_path: Path) -> str:
    name = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.open(name) as ledger:
        ledger.append("s", notes("abc"))
    return name


@pytest.mark.parametrize("verify", [[], ["--verify"]])
def test_a_copy_is_made_while_the_ledger_is_open(
    url: str, tmp_path: Path, verify: list[str]
) -> None:
    copy = tmp_path / "copy.db"
    with Ledger.open(url) as ledger:
        ledger.append("s", notes("d"))
        done = run_cli("backup", str(copy), *verify, "--url", url)
    assert (done.code, done.err) == (0, "")
    said = "and verified: " if verify else ""
    assert done.out.replace(": ", " ").startswith(f"Copied to {copy} {said}".replace(": ", " "))
    assert done.out.endswith(f"{copy.stat().st_size} bytes.\n")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["copy.db", "ledger.db"]
    lines = run_cli("read", "s", "--json", "--url", f"sqlite:///{copy}").out.splitlines()
    assert [json.loads(line)["data"]["text"] for line in lines] == [*"abcd"]


def test_what_cannot_be_copied_is_one_line(url: str, tmp_path: Path) -> None:
    there = tmp_path / "there.db"
    there.write_text("kept")
    new = str(tmp_path / "new.db")
    for path, where, says in (
        (str(there), url, f"path: '{there}' is there, and stays"),
        (f"{tmp_path}/new/", url, f"path: '{tmp_path}/new/' is a directory's name; name a file"),
        ("", url, "path: it names no file.\n"),
        ("/nowhere/x.db", url, "path: there is no directory '/nowhere'"),
        (new, "postgresql://nowhere/x", "--url: a ledger on PostgreSQL is copied by pg_dump -n"),
        (new, "memory:", "--url: a ledger in memory has no file"),
        (new, f"sqlite:///{tmp_path}/missing.db", "--url: there is no file"),
    ):
        done = run_cli("backup", path, "--url", where)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert says in done.err
    assert there.read_text() == "kept"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["ledger.db", "there.db"]


def test_ctrl_c_leaves_nothing(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(copying, "_copy", interrupted)
    done = run_cli("backup", str(tmp_path / "copy.db"), "--url", url)
    assert done.code == 130
    assert [one.name for one in tmp_path.iterdir()] == ["ledger.db"]


#: A backup that stands still in the middle, and tells so.
AMID = """
import sys, time
from pathlib import Path
from ledger.backends.sqlite import backup
from projections.cli.main import main

def stands(*_):
    print("amid", len(list(Path(sys.argv[2]).parent.glob("*.part"))), flush=True)
    time.sleep(600)

backup._copy = stands
main()
"""


def test_sigterm_leaves_nothing(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", AMID, "backup", str(tmp_path / "copy.db"), "--url", url]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as done:
        try:
            assert done.stdout is not None
            assert done.stdout.readline() == "amid 1\n"
            done.send_signal(signal.SIGTERM)
            out, err = done.communicate(timeout=DEADLINE_S)
        finally:
            done.kill()
    assert (done.returncode, out, err) == (143, "", "")
    assert [one.name for one in tmp_path.iterdir()] == ["ledger.db"]
