"""Rebuilding a view in two processes against one."""

from __future__ import annotations

from functools import partial

import msgspec

from ledger import Ledger
from projections import Rebuild
from projections.folds.sessions import SESSIONS
from tests.bench import raw
from tests.bench.conversations import Conversations
from tests.bench.harness import NAMES, Report, alternate
from tests.bench.sizes import Sizes

#: SQLite's own is 1, which cannot be shared.
BUCKETS = {"postgres": None, "sqlite": 8}


def test_two_processes(kind: str, url: str, sizes: Sizes, report: Report) -> None:
    with Ledger.open(url, buckets=BUCKETS[kind]) as ledger:
        rows = Conversations(ledger.buckets)
    raw.fill(url, rows, sizes.rebuilt)
    with Ledger.open(url) as ledger:
        versions = iter(range(2, 1_000))

        def rebuilt(processes: int) -> int:
            projection = msgspec.structs.replace(SESSIONS, version=next(versions))
            report = Rebuild(
                ledger,
                projection,
                processes=processes,
                open_ledger=partial(Ledger.open, url),
            ).run()
            assert report.built
            return report.events

        report(
            alternate(
                f"rebuild in 2 processes, {NAMES[kind]}",
                "in 1 process",
                lambda: rebuilt(2),
                lambda: rebuilt(1),
                rounds=min(5, sizes.rounds),
                target=1.6,
            )
        )
