"""Rebuilding a view in two processes against one."""

from __future__ import annotations

from functools import partial

import msgspec

from ledger import Ledger
from projections import Rebuild
from projections.folds.sessions import SESSIONS
from tests.bench import raw
from tests.bench.conversations import Conversations
from tests.bench.harness import Report, alternate
from tests.bench.sizes import Sizes


def test_two_processes(postgres_url: str, sizes: Sizes, report: Report) -> None:
    with Ledger.open(postgres_url) as ledger:
        rows = Conversations(ledger.buckets)
    raw.fill_postgres(postgres_url, rows, sizes.rebuilt)
    with Ledger.open(postgres_url) as ledger:
        versions = iter(range(2, 1_000))

        def rebuilt(processes: int) -> int:
            projection = msgspec.structs.replace(SESSIONS, version=next(versions))
            report = Rebuild(
                ledger,
                projection,
                processes=processes,
                open_ledger=partial(Ledger.open, postgres_url),
            ).run()
            assert report.built
            return report.events

        report(
            alternate(
                "rebuild in 2 processes, PostgreSQL",
                "in 1 process",
                lambda: rebuilt(2),
                lambda: rebuilt(1),
                rounds=min(5, sizes.rounds),
                target=1.6,
            )
        )
