"""How much every benchmark does: for figures, or only to see that it still runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Numbers of events unless the name says otherwise."""

    rounds: int
    singles: int
    batches: int
    tasks: int
    appends_per_task: int
    session: int
    sessions_read: int
    feed: int
    page: int
    small_log: int
    big_log: int
    short_log: int
    long_log: int
    folded: int
    listed: tuple[int, int, int]
    lists: int
    tracked: int
    rebuilt: int


FULL = Sizes(
    rounds=7,
    singles=400,
    batches=30,
    tasks=64,
    appends_per_task=25,
    session=1_000,
    sessions_read=15,
    feed=100_000,
    page=1_000,
    small_log=10_000,
    big_log=2_000_000,
    short_log=20_000,
    long_log=200_000,
    folded=40_000,
    listed=(10_000, 100_000, 1_000_000),
    lists=20,
    tracked=1_000,
    rebuilt=800_000,
)
SMOKE = Sizes(
    rounds=2,
    singles=3,
    batches=1,
    tasks=4,
    appends_per_task=2,
    session=20,
    sessions_read=2,
    feed=200,
    page=50,
    small_log=200,
    big_log=400,
    short_log=100,
    long_log=200,
    folded=300,
    listed=(80, 160, 240),
    lists=2,
    tracked=10,
    rebuilt=300,
)
