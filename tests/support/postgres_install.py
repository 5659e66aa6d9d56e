"""Find PostgreSQL's programs on this machine, or install them."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MAJOR_VERSION_MIN = 15
_PROGRAMS = ("initdb", "postgres", "pg_dump", "pg_restore")
_DIRECTORIES = (
    "usr/lib/postgresql/*/bin",  # Debian, Ubuntu: not on PATH
    "usr/pgsql-*/bin",  # Fedora, RHEL
    "opt/homebrew/opt/postgresql@*/bin",  # Homebrew on Apple silicon
    "usr/local/opt/postgresql@*/bin",  # Homebrew on Intel
)


class PostgresUnavailable(Exception):
    """PostgreSQL cannot be had here: install it, or set LEDGER_TEST_POSTGRES_URL."""


def find_binaries() -> Path | None:
    """Return the directory with a server's programs: PATH first, then the newest installed."""
    return next(_usable_directories(), None)


def ensure_installed() -> Path:
    """Return the directory with a server's programs, installing them through apt-get if need be.

    Raises PostgresUnavailable when they are missing and this user may not install them.
    """
    found = find_binaries()
    if found is None:
        _install_with_apt()
        found = find_binaries()
    if found is None:
        raise PostgresUnavailable(
            f"the distribution's postgresql package is older than {MAJOR_VERSION_MIN}; "
            "install a newer one, or set LEDGER_TEST_POSTGRES_URL"
        )
    return found


def _usable_directories() -> Iterator[Path]:
    on_path = shutil.which("postgres")
    if on_path and _major_version(Path(on_path).resolve().parent) >= MAJOR_VERSION_MIN:
        yield Path(on_path).resolve().parent
    installed = [found for pattern in _DIRECTORIES for found in Path("/").glob(pattern)]
    for directory in sorted(installed, key=_major_version, reverse=True):
        if _major_version(directory) >= MAJOR_VERSION_MIN:
            yield directory


def _major_version(directory: Path) -> int:
    """Return 0 for a directory that lacks one of the programs."""
    if not all((directory / program).exists() for program in _PROGRAMS):
        return 0
    answer = subprocess.run(
        [directory / "postgres", "--version"], capture_output=True, text=True, check=False
    )
    match = re.search(r"\b(\d+)", answer.stdout)
    return int(match[1]) if match else 0


def _install_with_apt() -> None:
    command = _privileged("apt-get")
    print("Installing PostgreSQL ...", file=sys.stderr)
    # Parallel test processes may all come here; they wait for each other.
    options = ["-y", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    # A fresh container has no package lists; an unreachable mirror shows in the install itself.
    subprocess.run([*command, *options, "update"], capture_output=True, check=False)
    installed = subprocess.run(
        [*command, *options, "install", "--no-install-recommends", "postgresql"],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode != 0:
        raise PostgresUnavailable(f"apt-get could not install postgresql:\n{installed.stderr}")


def _privileged(program: str) -> list[str]:
    """Return the words that run `program` as root, without questions."""
    if not shutil.which(program):
        raise PostgresUnavailable(
            f"no PostgreSQL {MAJOR_VERSION_MIN}+ here and no {program} to install it with "
            "(macOS: brew install postgresql@17), or set LEDGER_TEST_POSTGRES_URL"
        )
    words = ["env", "DEBIAN_FRONTEND=noninteractive", program]
    if os.geteuid() == 0:
        return words
    if shutil.which("sudo"):
        asked = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
        if asked.returncode == 0:
            return ["sudo", "-n", *words]
    raise PostgresUnavailable(
        f"no PostgreSQL {MAJOR_VERSION_MIN}+ here and no right to install it; "
        "run `sudo apt-get install postgresql`, or set LEDGER_TEST_POSTGRES_URL"
    )
