"""The README is executed: its Python as one program, its commands against the command line."""

import os
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ledger import Ledger
from tests.support.cli import run_cli

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
FIRST_BLOCK_LINES_MAX = 25

if not README.exists():
    pytest.skip("there is no README.md", allow_module_level=True)


def blocks(language: str, after: str = "") -> list[str]:
    """Return the blocks in a language, or only those behind a heading."""
    text = README.read_text().partition(after)[2] if after else README.read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


MOVING = blocks("python", after="\n## Moving here\n")


def commands(name: str) -> list[list[str]]:
    """Return the calls of a program in console blocks, without what follows a pipe."""
    lines = "".join(blocks("(?:console|sh|shell|bash)")).replace("\\\n", " ").splitlines()
    calls = [re.split(r"\s[|>#&]|;", line.removeprefix("$ "))[0] for line in lines]
    return [shlex.split(call)[1:] for call in calls if call.split()[:1] == [name]]


def test_the_python_blocks_run_one_after_the_other(tmp_path: Path) -> None:
    assert_runs("\n".join(blocks("python")), tmp_path)


@pytest.mark.parametrize("block", MOVING, ids=range(len(MOVING)))
def test_what_those_who_move_here_read_first_runs_alone(block: str, tmp_path: Path) -> None:
    assert_runs(block, tmp_path)


def assert_runs(text: str, tmp_path: Path) -> None:
    program = tmp_path / "readme.py"
    program.write_text(text)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_first_python_block_is_short() -> None:
    first = blocks("python")[0]
    assert len(first.splitlines()) <= FIRST_BLOCK_LINES_MAX


def test_every_ledger_command_and_option_exists() -> None:
    listed = set(re.findall(r"^  ([\w-]+) ", run_cli("--help").out, re.MULTILINE))
    for command, *arguments in filter(None, commands("ledger")):
        assert command in listed
        known = re.findall(r"--[\w-]+", run_cli(command, "--help").out)
        assert {word.split("=")[0] for word in arguments if word.startswith("--")} <= set(known)


def test_every_name_of_the_packages_exists() -> None:
    names = re.findall(r"`((?:ledger|projections)(?:\.\w+)+)", README.read_text())
    assert [name for name in names if not is_there(name)] == []


def is_there(name: str) -> bool:
    """Whether a dotted name is a module, something inside one, or a method of a `Ledger`."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return hasattr(Ledger, name.removeprefix("ledger."))
    return True


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for call in commands("make") for word in call if "=" not in word}
    assert named <= targets
