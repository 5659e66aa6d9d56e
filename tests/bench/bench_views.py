"""Folding what is new into views, against a loop that does so for one table by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import apsw
import psycopg
import pytest

from ledger import Ledger
from projections import Projection, Views
from projections.builtin import BUILTIN
from projections.folds.sessions import SESSIONS, Session
from tests.bench import raw
from tests.bench.conversations import Conversations
from tests.bench.harness import NAMES, Report, alternate
from tests.bench.raw_sessions import PAGE_EVENTS, PostgresLoop, SqliteLoop
from tests.bench.sizes import Sizes

CASES = [
    pytest.param(BUILTIN, f"all {len(BUILTIN)} views", 0.3, id="all"),
    pytest.param((SESSIONS,), "one view", 0.6, id="one"),
]
_COLUMNS = ", ".join(Session.__struct_fields__)
_DIFFERENT = (
    "SELECT count(*) FROM (SELECT {columns} FROM {one} EXCEPT SELECT {columns} FROM {other}) AS d"
)


@pytest.fixture
def more(url: str, sizes: Sizes) -> Callable[[], None]:
    """Let the log grow, behind the back of whoever has it open."""
    with Ledger.open(url) as ledger:
        rows = Conversations(ledger.buckets)
    return partial(raw.fill, url, rows, sizes.folded)


@pytest.mark.parametrize(("projections", "what", "target"), CASES)
def test_folding(
    kind: str,
    url: str,
    more: Callable[[], None],
    projections: Sequence[Projection],
    what: str,
    target: float,
    sizes: Sizes,
    report: Report,
) -> None:
    with Ledger.open(url) as ledger:
        views = Views(ledger, projections=projections)
        views.catch_up()
        connection: Any
        loop: Any
        if kind == "postgres":
            connection = psycopg.connect(url, autocommit=True)
            connection.execute("SET synchronous_commit = off")
            loop = PostgresLoop(connection, ledger.buckets)
        else:
            connection = apsw.Connection(url.removeprefix("sqlite:///"))
            # What is folded can be folded again: neither side flushes before an append does.
            for setting in ("synchronous = NORMAL", "mmap_size = 0", "wal_autocheckpoint = 4000"):
                connection.execute(f"PRAGMA {setting}")
            loop = SqliteLoop(connection)

        def settled(done: int) -> int:
            if kind == "sqlite":
                # Or whoever goes second would move what the first one wrote into the file.
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            return done

        def ours() -> int:
            views.catch_up()
            return settled(sizes.folded)

        def baseline() -> int:
            return settled(loop.run())

        report(
            alternate(
                f"{what}, {NAMES[kind]}",
                f"a loop over one table, {PAGE_EVENTS} per transaction",
                ours,
                baseline,
                rounds=sizes.rounds,
                target=target,
                before_pair=more,
            )
        )
        schema = "ledger." if kind == "postgres" else ""
        made = f"{schema}view_sessions_v1"
        for one, other in ((made, "raw_sessions"), ("raw_sessions", made)):
            different = _DIFFERENT.format(columns=_COLUMNS, one=one, other=other)
            assert connection.execute(different).fetchone() == (0,)
        connection.close()
