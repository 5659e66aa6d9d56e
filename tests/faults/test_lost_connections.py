"""Connections cut at every moment of an append: the ledger repeats it, and nobody notices."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.builders import background, on_postgres
from tests.support.claims import Claims, write_until
from tests.support.proxy import Cut, CuttingProxy, Deck

WRITERS = 12

pytestmark = on_postgres


def check_with_cuts(open_ledger: Callable[..., Any], url: str, seed: int, each: int) -> None:
    claims = Claims()
    direct = open_ledger(buckets=16)
    deck = Deck(seed, cuts_of_each_kind=each, spared=8 * each)
    with CuttingProxy(url, deck, seed=seed) as proxy:
        ledger = open_ledger(proxy.url, lanes=10)
        names = [f"writer-{number}" for number in range(WRITERS)]
        writers = [
            background(
                lambda name=name: write_until(lambda: proxy.is_done, ledger, claims, name, seed)
            )
            for name in names
        ]
        for writer in writers:
            writer.result()
        assert proxy.errors == []
        assert proxy.made == dict.fromkeys(Cut, each)
        ledger.close()
    events = claims.check(direct)
    assert len(events) == len(claims)
    assert claims.repeated > 0


def test_a_thousand_cut_connections_lose_no_event_and_double_none(
    open_ledger: Callable[..., Any], url: str
) -> None:
    # 525 cuts on each face, 1,050 on both; the soak below makes 3,000 on each, three times.
    check_with_cuts(open_ledger, url, seed=1, each=175)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_three_thousand_cut_connections_lose_no_event_and_double_none(
    open_ledger: Callable[..., Any], url: str, seed: int
) -> None:
    check_with_cuts(open_ledger, url, seed, each=1_000)
