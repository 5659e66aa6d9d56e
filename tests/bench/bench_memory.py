"""Reading a whole log needs no more memory for a long one than for a short one.

The peak of a process never falls, so every figure comes from a process of its own:

    python -m tests.bench.bench_memory feed URL
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from ledger import Ledger
from tests.bench import raw
from tests.bench.harness import Comparison, Report
from tests.bench.sizes import Sizes
from tests.bench.workload import Rows
from tests.support.postgres_databases import PostgresDatabases

ROOT = Path(__file__).resolve().parents[2]
PER_SESSION = 200
# Few, so that the short log fills a bucket's pages too: then both peaks are that of a full page.
BUCKETS = 2
# Not 1: allocators and the database's page cache need a few pages more for a longer run.
GROWTH_MAX = 1.15


def read_feed(ledger: Ledger) -> int:
    """Read the log page by page."""
    count, cursor, more = 0, None, True
    while more:
        page = ledger.feed(cursor)
        count, cursor, more = count + len(page.events), page.cursor, page.more
    return count


def read_export(ledger: Ledger) -> int:
    """Export the log to nowhere."""
    return sum(1 for _ in ledger.export_lines())


def read_verify(ledger: Ledger) -> int:
    """Verify the log, which also shows that the benchmarks' rows are like any others."""
    report = ledger.verify()
    assert report.ok, report.findings
    return report.events


READERS = {"feed": read_feed, "export_lines": read_export, "verify": read_verify}


def peak_mb(what: str, url: str) -> float:
    """Return the peak memory of a process that reads a ledger, in MB."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.bench_memory", what, url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def compared(what: str, name: str, short_url: str, long_url: str, sizes: Sizes) -> Comparison:
    """Compare the peaks of two logs."""
    return Comparison(
        f"memory of {what}, {sizes.long_log:,} events, {name}",
        f"{sizes.short_log:,} events",
        "MB",
        [peak_mb(what, long_url)],
        [peak_mb(what, short_url)],
        GROWTH_MAX,
        at_most=True,
    )


def test_memory_on_sqlite(tmp_path: Path, sizes: Sizes, report: Report) -> None:
    urls = []
    for count in (sizes.short_log, sizes.long_log):
        path = tmp_path / f"{count}.db"
        Ledger.open(f"sqlite:///{path}").close()
        raw.fill_sqlite(path, Rows(1, PER_SESSION), count)
        urls.append(f"sqlite:///{path}")
    for what in READERS:
        report(compared(what, "SQLite", *urls, sizes))


def test_memory_on_postgres(
    postgres_server: PostgresDatabases, sizes: Sizes, report: Report
) -> None:
    with (
        postgres_server.temporary_database() as short_url,
        postgres_server.temporary_database() as long_url,
    ):
        for url, count in ((short_url, sizes.short_log), (long_url, sizes.long_log)):
            with Ledger.open(url, buckets=BUCKETS) as ledger:
                rows = Rows(ledger.buckets, PER_SESSION)
            raw.fill_postgres(url, rows, count)
        for what in READERS:
            report(compared(what, "PostgreSQL", short_url, long_url, sizes))


def main(what: str, url: str) -> None:
    """Read a ledger and print the peak of this process in MB."""
    with Ledger.open(url) as ledger:
        READERS[what](ledger)
    print(own_peak_kb() / 1_024)


def own_peak_kb() -> int:
    """Return the peak of this process; getrusage would tell its parent's, if that was higher."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    [peak] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
    return int(peak.split()[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
