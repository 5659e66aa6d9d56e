"""Time travel in a long session, from the second question on, against the time that is promised."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from ledger import Ledger
from projections import Views
from tests.bench import raw
from tests.bench.harness import NAMES, Comparison, Report
from tests.bench.sizes import Sizes
from tests.bench.workload import Rows

PROMISED_US = 50_000
QUESTIONS = 40


@pytest.fixture
def long_session(url: str, sizes: Sizes) -> Iterator[tuple[Ledger, str]]:
    """A ledger with one session, and its id."""
    with Ledger.open(url) as ledger:
        rows = Rows(ledger.buckets, sizes.feed)
    raw.fill(url, rows, sizes.feed)
    with Ledger.open(url) as ledger:
        yield ledger, rows.sessions[0]


def test_a_session_as_it_was(
    long_session: tuple[Ledger, str], kind: str, sizes: Sizes, report: Report
) -> None:
    ledger, session_id = long_session
    views = Views(ledger)
    generator = random.Random(7)
    moments = [generator.randint(1, sizes.feed) for _ in range(QUESTIONS)]
    times = [ledger.read(session_id, after=m - 1, limit=1)[0].recorded_at for m in moments]

    def asked(moment: object, sequence: int) -> float:
        start = time.perf_counter()
        found = views.session(session_id, as_of=moment)  # type: ignore[arg-type]  # one of the two
        taken = time.perf_counter() - start
        assert found is not None
        assert found.event_count == sequence
        return taken * 1_000_000

    first = asked(sizes.feed // 2, sizes.feed // 2)
    for name, wanted in (("a sequence", moments), ("a time", times)):
        report(
            Comparison(
                f"as_of {name} in {sizes.feed:,}, {NAMES[kind]}",
                f"50 ms (the first time took {first / 1_000:,.0f})",
                "µs",
                [asked(*pair) for pair in zip(wanted, moments, strict=True)],
                [PROMISED_US] * QUESTIONS,
                target=1.0,
                at_most=True,
            )
        )
