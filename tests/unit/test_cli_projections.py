"""Projections of one's own on the command line, their versions, and what they let pass."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import Ledger
from projections import ProjectionFailed, Rebuild, Views
from tests.support.cli import Done, run_cli
from tests.support.rebuilds import DOUBLED2, SAME2, V1, V2
from tests.support.views import counted
from tests.unit.test_cli_safe_text import bad_characters

BOTH = ("--projections", "tests.support.rebuilds:V1", "--projections", "tests.support.rebuilds:V2")
POISONED = ("--projections", "tests.support.rebuilds:POISONED2")
HOSTILE = "\x1b]0;x\x07\u202e"
#: A module that is nowhere but in the directory where the command is called.
OWN = """
from tests.support.rebuilds import V1, POISONED2

SEVERAL = [V1, POISONED2]
NONE = ()
MIXED = [V1, "tally"]
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def built(url: str) -> str:
    """A ledger with a view of which version 1 is read and version 2 is built."""
    with Ledger.open(url) as ledger:
        ledger.append("s", [counted(), counted("y")])
        Views(ledger, projections=[V1]).catch_up()
        assert Rebuild(ledger, V2).run().built
    return url


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory of a user, with a module in it."""
    (tmp_path / "own_views.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("own_views", None)


def ledger(url: str, command: str, *options: str) -> Done:
    return run_cli(command, *options, "--url", url)


def read_version(url: str) -> int:
    with Ledger.open(url) as opened:
        found = Views(opened, projections=[V1, V2]).versions()
    return next(one.version for one in found if one.active)


@pytest.mark.usefixtures("here")
def test_projections_are_found_in_the_working_directory(url: str) -> None:
    with Ledger.open(url) as opened:
        opened.append("s", counted("xy"))
    done = ledger(url, "versions", "--projections", "own_views:SEVERAL", "--projection", "tally")
    assert done.code == 0
    assert re.findall(r"^tally +(\d)", done.out, re.MULTILINE) == ["1", "2"]


def test_a_script_finds_them_as_a_module_does(url: str, here: Path) -> None:
    script = "from projections.cli import main; import sys; sys.argv[0] = 'ledger'; main()"
    (here / "script").mkdir()
    (here / "script" / "ledger.sh").write_text(script)
    call = ["project", "--url", url, "--projections", "own_views:V1", "--projection", "tally"]
    with Ledger.open(url) as opened:
        opened.append("s", counted())
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, str(here / "script" / "ledger.sh"), *call],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("here")
def test_what_cannot_be_imported_is_refused_by_every_command(url: str) -> None:
    with Ledger.open(url) as opened:
        opened.append("s", counted())
    Path("broken_views.py").write_text("1 / 0")
    for path, says in {
        "own_views": "expected package.module:NAME, got 'own_views'",
        ":V1": "expected package.module:NAME",
        "own_views:": "expected package.module:NAME",
        "own_views:LOST": "has no attribute 'LOST'",
        "no_views:V1": "No module named 'no_views'",
        "broken_views:V1": "cannot be imported: ZeroDivisionError: division by zero",
        ".own_views:V1": "cannot be imported: TypeError",
        "own_views:NONE": "is no Projection and no list of them",
        "own_views:OWN": "has no attribute",
        "own_views:MIXED": "something of type str",
        "os:path": "is no Projection",
    }.items():
        done = ledger(url, "versions", "--projections", path)
        assert (done.code, done.err.count("\n"), done.out) == (2, 1, ""), path
        assert "--projections: " in done.err
        assert says in done.err
    for command in (
        ["project"],
        ["status"],
        ["skips"],
        ["rebuild", "tally"],
        ["diff", "s", "0", "1"],
        ["compare", "tally"],
        ["switch", "tally", "1"],
        ["switch-back", "tally"],
        ["drop", "tally", "1"],
        ["accept", "tally", "1"],
        ["skip", "tally", "--bucket", "0", "--position", "1", "--reason", "r", "--by", "b"],
    ):
        done = ledger(url, *command, "--projections", "no_views:V1")
        assert (done.code, "No module named" in done.err) == (2, True), command
        if command[0] != "drop":  # what is stored may be dropped without its code
            which = ["--projection", "no"] if command[0] in ("project", "status", "skips") else []
            named = [word if word != "tally" else "no" for word in command]
            if command[0] == "diff":
                which = ["--projection", "no"]
            done = ledger(url, *named, *which)
            assert done.code == 2, command
            assert "projection: there is no projection 'no'; there are " in done.err, command


def test_diff_and_status_take_projections_of_ones_own(built: str) -> None:
    done = ledger(built, "diff", "s", "0", "1", "--projection", "tally", *BOTH, "--json")
    changed = [json.loads(line) for line in done.out.splitlines()]
    assert {"key": ["x"], "field": "count", "before": None, "after": 1} in changed
    assert "unknown here" not in ledger(built, "status", *BOTH).out


def test_versions_are_listed_compared_and_switched_there_and_back(built: str) -> None:
    listed = ledger(built, "versions", "--projection", "tally", *BOTH)
    assert re.search(r"^tally +1 +read +2 *$", listed.out, re.MULTILINE)
    assert re.search(r"^tally +2 +built +2 *$", listed.out, re.MULTILINE)
    lines = ledger(built, "versions", "--projection", "tally", *BOTH, "--json").out.splitlines()
    assert [(one["version"], one["active"]) for one in map(json.loads, lines)] == [
        (1, True),
        (2, False),
    ]
    same = ledger(built, "compare", "tally", *BOTH)
    assert (same.code, "differing rows: 0" in same.out) == (0, True)
    assert ledger(built, "switch", "tally", "2", *BOTH).out == (
        "Readers read version 2 of tally now.\n"
    )
    assert read_version(built) == 2
    assert ledger(built, "switch-back", "tally", *BOTH).out == (
        "Readers read version 1 of tally now.\n"
    )
    assert read_version(built) == 1
    again = ledger(built, "switch-back", "tally", *BOTH)
    assert (again.code, "no version of tally below 1 is built" in again.err) == (2, True)
    assert ledger(built, "switch", "tally", "3", *BOTH).code == 2


def test_differing_versions_are_exit_code_one(url: str) -> None:
    with Ledger.open(url) as opened:
        opened.append("s", [counted(), counted("y")])
        Views(opened, projections=[V1]).catch_up()
        Rebuild(opened, DOUBLED2).run()
    own = ("--projections", "tests.support.rebuilds:V1")
    done = ledger(
        url, "compare", "tally", *own, "--projections", "tests.support.rebuilds:DOUBLED2",
        "--limit", "1",
    )  # fmt: skip
    assert (done.code, "differing rows: 2" in done.out, "s y" in done.out) == (1, True, False)


def test_a_version_is_dropped_with_or_without_its_code(built: str) -> None:
    active = ledger(built, "drop", "tally", "1", *BOTH)
    assert (active.code, "is active; switch to another one first" in active.err) == (2, True)
    assert ledger(built, "drop", "tally", "2").out == "Version 2 of tally is dropped.\n"
    for own in ((), BOTH):  # the second does not make it anew in order to drop it
        again = ledger(built, "drop", "tally", "2", *own)
        assert (again.code, "no version 2 of tally is stored" in again.err) == (2, True)


def test_a_changed_fold_is_told_in_a_line_and_accepted(url: str) -> None:
    with Ledger.open(url) as opened:
        opened.append("s", counted())
        Views(opened, projections=[DOUBLED2]).catch_up()
    own = ("--projections", "tests.support.rebuilds:SAME2")
    assert SAME2.version == DOUBLED2.version
    warned = ledger(url, "project", *own)
    assert (warned.code, warned.err.count("\n")) == (0, 1)
    assert warned.err.startswith("ledger: The fold of projection tally changed")
    listed = ledger(url, "versions", *own, "--projection", "tally")
    assert re.search(r"^tally +2 +read +1 +changed$", listed.out, re.MULTILINE)
    accepted = ledger(url, "accept", "tally", "2", *own)
    assert (accepted.code, accepted.err) == (0, "")
    assert accepted.out == "Version 2 of tally counts as made by the code of today.\n"
    again = ledger(url, "accept", "tally", "2", *own)
    assert (again.code, again.err) == (0, "")
    assert again.out == "Nothing changed: version 2 of tally was made by the code of today.\n"
    assert ledger(url, "project", *own).err == ""


def test_a_poison_event_is_skipped_on_record(url: str) -> None:
    with Ledger.open(url) as opened:
        opened.append("s", [counted(), counted("y", event_id=f"e{HOSTILE}"), counted()])
    where = ("--bucket", "0", "--position", "2", "--by", "kim")
    assert ledger(url, "skips").out == "no skips\n"
    assert ledger(url, "project", *POISONED).code == 4
    unasked = ledger(url, "skip", "tally", *where, *POISONED)
    assert (unasked.code, "--reason" in unasked.err) == (2, True)
    blank = ledger(url, "skip", "tally", *where, "--reason", " ", *POISONED)
    assert (blank.code, "--reason: must not be empty" in blank.err) == (2, True)
    assert "stored" not in blank.err
    why = ("--reason", f"rubbish{HOSTILE}")
    done = ledger(url, "skip", "tally", *where, *why, *POISONED)
    assert done.code == 0
    assert done.out.startswith("tally version 2: kim skipped position 2 of bucket 0, event 'e")
    assert ledger(url, "project", *POISONED).code == 0
    twice = ledger(url, "skip", "tally", *where, *why, *POISONED)
    assert (twice.code, "not stopped there" in twice.err) == (2, True)
    listed = ledger(url, "skips", "--projection", "tally")
    assert re.search(r"^tally +2 +0 +2 +e.* kim +rubbish", listed.out, re.MULTILINE)
    [line] = ledger(url, "skips", "--json").out.splitlines()
    assert json.loads(line)["reason"] == why[1]
    assert ledger(url, "skips", "--projection", "runs").out == "no skips\n"
    assert bad_characters(done.out + listed.out + line) == set()


def test_what_a_fold_says_is_harmless_in_the_message_itself() -> None:
    said = ProjectionFailed("tally", 1, 0, 2, f"e{HOSTILE}", f"{HOSTILE}\n" + "x" * 5_000)
    assert bad_characters(str(said)) == set()
    assert "\n" not in str(said)
    assert len(str(said)) < 1_500
    assert (said.event_id, said.reason[: len(HOSTILE)]) == (f"e{HOSTILE}", HOSTILE)


def test_a_mistyped_file_does_not_come_to_be(url: str, tmp_path: Path) -> None:
    for command in (
        ["versions"],
        ["skips"],
        ["compare", "runs"],
        ["switch", "runs", "1"],
        ["switch-back", "runs"],
        ["drop", "runs", "1"],
        ["accept", "runs", "1"],
    ):
        assert ledger(url, *command).code == 2
    assert list(tmp_path.iterdir()) == []
