"""Reading a ledger's tables as other programs do: in a process of their own, with their own library.

Not in the process of the tests: a SQLite library that is not the ledger's drops its locks there.

    python -m tests.support.other_programs duckdb_sqlite ledger.db 'SELECT …'
"""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def rows_read_by(program: str, address: str, statement: str) -> list[list[Any]]:
    """Return what a program reads at an address: sqlite3, duckdb_sqlite or duckdb_postgres."""
    command = [sys.executable, "-m", __name__, program, address, statement]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows: list[list[Any]] = json.loads(done.stdout)
    return rows


def _by_sqlite3(address: str, statement: str) -> list[Any]:
    with closing(sqlite3.connect(address)) as connection:
        return connection.execute(statement).fetchall()


def _by_duckdb(kind: str, address: str, statement: str) -> list[Any]:
    import duckdb

    # Its extension comes as a package, not by download.
    extension = f"{kind}_scanner"
    [home] = import_module(f"duckdb_extension_{extension}").__path__
    [path] = Path(home).glob(f"extensions/*/{extension}.duckdb_extension")
    with duckdb.connect() as connection:
        connection.execute(f"LOAD '{path}'")
        connection.execute(f"ATTACH '{address}' AS log (TYPE {kind}, READ_ONLY)")
        return connection.execute(statement).fetchall()


def main(program: str, address: str, statement: str) -> None:
    """Print the rows as JSON."""
    if program == "sqlite3":
        rows = _by_sqlite3(address, statement)
    else:
        rows = _by_duckdb(program.removeprefix("duckdb_"), address, statement)
    print(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
