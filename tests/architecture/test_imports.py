"""The arrows between packages, and what `import ledger` costs."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DRIVERS = ("apsw", "psycopg", "psycopg_pool", "sqlite3")
IMPORT_SECONDS_MAX = 0.150
ROUNDS = 5


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )


def cpu_seconds(program: str, cache: Path) -> float:
    """The processor time a fresh interpreter takes, its bytecode cached as an installation's is."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment | {"PYTHONPYCACHEPREFIX": str(cache)},
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return usage.ru_utime + usage.ru_stime


def test_every_import_contract_is_kept() -> None:
    done = run_python(
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_importing_ledger_loads_no_driver_and_no_view() -> None:
    done = run_python("import ledger, sys; print(*sys.modules, sep='\\n')")
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "ledger" in loaded
    assert loaded.isdisjoint({*DRIVERS, "projections"})


def test_importing_views_leaves_eventsourcing_alone() -> None:
    # It patches dataclasses and silences psycopg's loggers when imported.
    done = run_python("import ledger, projections, sys; print(*sys.modules, sep='\\n')")
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "projections" in loaded
    assert loaded.isdisjoint({"eventsourcing", "projections.eventsourcing"})


def test_importing_ledger_is_quick(tmp_path: Path) -> None:
    # Processor time, and interleaved, so that a busy machine slows both alike.
    cpu_seconds("import ledger", tmp_path)
    rounds = [
        (cpu_seconds("pass", tmp_path), cpu_seconds("import ledger", tmp_path))
        for _ in range(ROUNDS)
    ]
    bare, with_ledger = (min(column) for column in zip(*rounds, strict=True))
    assert with_ledger - bare < IMPORT_SECONDS_MAX, slowest_imports()


def slowest_imports(count: int = 10) -> str:
    timed = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import ledger"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.removeprefix("import time:").split("|") for line in timed.stderr.splitlines()[1:]]
    rows.sort(key=lambda row: int(row[1]), reverse=True)
    return "\n".join(
        f"{int(own):8} own {int(all_):8} us {name}" for own, all_, name in rows[:count]
    )
