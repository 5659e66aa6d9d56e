"""What a command says whose output nobody takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ledger import Ledger, NewEvent

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [
    ["read", "s"],
    ["read", "s", "--json"],
    ["show"],
    ["show", "s"],
    ["status", "--any-lag"],
    ["versions"],
    ["export"],
]


@pytest.fixture
def url(tmp_path: Path) -> str:
    name = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.open(name) as ledger:
        ledger.append("s", [NewEvent({"n": n}, "note") for n in range(300)])
    return name


def run_into(out: int, *arguments: str) -> tuple[int, str]:
    """Run a command in a process of its own; return its exit code and what it said of errors."""
    command = [sys.executable, "-m", "projections.cli", *arguments]
    done = subprocess.run(
        command, stdout=out, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_pipe_that_nobody_reads_is_exit_code_141(url: str, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    assert run_into(writing, *arguments, "--url", url) == (141, "")
    os.close(writing)


@pytest.mark.skipif(sys.platform != "linux", reason="where a device is always full")
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_full_disk_behind_the_output_is_exit_code_4(url: str, arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        code, said = run_into(full.fileno(), *arguments, "--url", url)
    assert code == 4
    assert said == "ledger: standard input or output: No space left on device\n"


@pytest.mark.skipif(sys.platform != "linux", reason="where a device is always full")
def test_an_error_that_nobody_can_be_told_keeps_its_code(url: str) -> None:
    command = [sys.executable, "-m", "projections.cli", "show", "nobody", "--url", url]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=full, check=False, cwd=ROOT)
    assert done.returncode == 2
