"""A run without PostgreSQL says so in red, and fails where PostgreSQL was required."""

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import pytest

from tests.support.builders import background
from tests.support.postgres_plugin import postgres_is_required

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = "tests/contract/test_append.py::test_the_first_event_of_a_session_gets_sequence_1[postgres-sync]"
# With no program on PATH either, neither to run a server nor to install one.
NOWHERE = "from tests.support import postgres_install\npostgres_install._DIRECTORIES = ()\n"
SKIPS_ITSELF = """
import pytest

@pytest.mark.postgres
def test_a_promise() -> None:
    pytest.skip("not today")
"""
# Loading these takes longer than the run itself.
QUICKLY = ("-p", "no:hypothesispytest", "-p", "no:xdist", "--assert=plain")
TRACELESS = ("-p", "no:cacheprovider")
REQUIRED = ({"CI": "true"}, {"LEDGER_REQUIRE_POSTGRES": "1"})
RED = "\x1b[31m"
RUN_S_MAX = 240


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory for PATH and PYTHONPATH: a machine with Python, and no PostgreSQL."""
    (tmp_path / "nowhere.py").write_text(NOWHERE)
    return tmp_path


def outcome(place: Path, words: list[str], **required: str) -> tuple[int, str, list[str]]:
    """Return exit code, output and the lines in red of a run, with no variables but these of ours."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "CI" and not name.startswith(("LEDGER_", "PYTEST_"))
    }
    # In pytest's default directory runs at the same time remove each other's leavings, and the one
    # that comes second leaves a scandir open: a ResourceWarning, which is an error here.
    temporary = tempfile.mkdtemp(dir=place)
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *QUICKLY,
            *TRACELESS,
            f"--basetemp={temporary}",
            "-p",
            "nowhere",
            "--color=yes",
            *words,
        ],
        cwd=ROOT,
        env=kept | {"PATH": str(place), "PYTHONPATH": str(place)} | required,
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    output = run.stdout + run.stderr
    return run.returncode, output, [line for line in output.splitlines() if line.startswith(RED)]


def test_a_missing_server_fails_where_it_is_required_and_is_told_in_red_elsewhere(
    place: Path,
) -> None:
    runs = [partial(outcome, place, [CONTRACT], **one) for one in (*REQUIRED, {})]
    *required, optional = [background(run) for run in runs]  # all at once, to be quick
    for one in required:
        code, output, _ = one.result()
        assert code == pytest.ExitCode.TESTS_FAILED, output
        assert "1 error" in output
        assert "PostgreSQL unavailable: no PostgreSQL" in output
    code, output, red = optional.result()
    assert code == pytest.ExitCode.OK, output
    assert "1 skipped" in output
    assert any("1 PostgreSQL tests did NOT run." in line for line in red), output
    assert any("PostgreSQL unavailable: no PostgreSQL" in line for line in red), output


def test_a_test_that_skips_itself_fails_where_postgresql_is_required(place: Path) -> None:
    path = place / "test_skipping.py"
    path.write_text(SKIPS_ITSELF)
    words = ["--noconftest", "-p", "tests.support.postgres_plugin"]
    words += ["-c", str(ROOT / "pyproject.toml"), str(path)]
    code, output, red = outcome(place, words, CI="true")
    assert code == pytest.ExitCode.TESTS_FAILED, output
    assert any("had to run on PostgreSQL and were skipped" in line for line in red), output
    assert any("test_a_promise" in line for line in red), output


def test_only_a_variable_that_says_yes_requires_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CI", "LEDGER_REQUIRE_POSTGRES"):
        monkeypatch.delenv("CI", raising=False)
        monkeypatch.delenv("LEDGER_REQUIRE_POSTGRES", raising=False)
        assert not postgres_is_required()
        for value, expected in (("", 0), ("0", 0), ("False", 0), ("1", 1), ("true", 1), ("x", 1)):
            monkeypatch.setenv(name, value)
            assert postgres_is_required() is bool(expected), (name, value)
