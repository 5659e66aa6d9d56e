"""An append costs the same whether the log holds ten thousand events or two million."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from pathlib import Path

from ledger import Ledger
from tests.bench import raw
from tests.bench.harness import Comparison, Report, alternate
from tests.bench.sizes import Sizes
from tests.bench.workload import Rows, event
from tests.support.postgres_databases import PostgresDatabases

COST_RATIO_MAX = 1.25
PER_SESSION = 200
# Sessions that go on at the same time, spread over the whole log.
LIVE_SESSIONS = 40


def appender(ledger: Ledger, sessions: list[str], count: int) -> Callable[[], int]:
    """Return a round of single appends to a few of the log's sessions in turn."""
    live = cycle(sessions[:: max(1, len(sessions) // LIVE_SESSIONS)][:LIVE_SESSIONS])

    def work() -> int:
        for _ in range(count):
            ledger.append(next(live), event())
        return count

    return work


def compared(
    name: str, small: tuple[Ledger, Rows], big: tuple[Ledger, Rows], sizes: Sizes
) -> Comparison:
    """Append to both in turns."""
    return alternate(
        f"append at {sizes.big_log:,} events, {name}",
        f"at {sizes.small_log:,}",
        appender(big[0], big[1].sessions, sizes.singles),
        appender(small[0], small[1].sessions, sizes.singles),
        rounds=sizes.rounds,
        target=1 / COST_RATIO_MAX,
    )


def test_growth_on_postgres(
    postgres_server: PostgresDatabases, sizes: Sizes, report: Report
) -> None:
    with (
        postgres_server.temporary_database() as small_url,
        postgres_server.temporary_database() as big_url,
        Ledger.open(small_url) as small,
        Ledger.open(big_url) as big,
    ):
        small_rows, big_rows = Rows(small.buckets, PER_SESSION), Rows(big.buckets, PER_SESSION)
        raw.fill_postgres(big_url, big_rows, sizes.big_log)
        raw.fill_postgres(small_url, small_rows, sizes.small_log)
        report(compared("PostgreSQL", (small, small_rows), (big, big_rows), sizes))


def test_growth_on_sqlite(tmp_path: Path, sizes: Sizes, report: Report) -> None:
    filled: list[tuple[Ledger, Rows]] = []
    for count in (sizes.small_log, sizes.big_log):
        path = tmp_path / f"{count}.db"
        url = f"sqlite:///{path}"
        Ledger.open(url).close()
        rows = Rows(1, PER_SESSION)
        raw.fill_sqlite(path, rows, count)
        filled.append((Ledger.open(url), rows))
    report(compared("SQLite", filled[0], filled[1], sizes))
    for ledger, _ in filled:
        ledger.close()
