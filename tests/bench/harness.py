"""Paired rounds: ours and the baseline take turns, so that a busy moment of the machine slows both.

Times of different runs say nothing about each other; only the ratio of two neighbouring rounds is
kept, and of several such pairs the median, with the spread beside it.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

#: The databases that are measured, by the name of their backend.
NAMES = {"postgres": "PostgreSQL", "sqlite": "SQLite"}
WARM_UP_ROUNDS = 1
FLUSHES = 50


@dataclass(frozen=True)
class Comparison:
    """Values of ours and of a baseline, pair by pair, and what their ratio should be."""

    what: str
    against: str
    unit: str
    ours: Sequence[float]
    baseline: Sequence[float]
    target: float
    #: whether the ratio has to stay below the target, as that of sizes and costs, or reach it
    at_most: bool = False

    @property
    def ratios(self) -> list[float]:
        """Ours divided by the baseline, pair by pair."""
        return [a / b for a, b in zip(self.ours, self.baseline, strict=True)]

    @property
    def reached(self) -> bool:
        """Whether the median ratio is as good as wanted."""
        ratio = statistics.median(self.ratios)
        return ratio <= self.target if self.at_most else ratio >= self.target


Report = Callable[[Comparison], None]


def alternate(
    what: str,
    against: str,
    ours: Callable[[], int],
    baseline: Callable[[], int],
    *,
    rounds: int,
    target: float,
    unit: str = "events/s",
    before_pair: Callable[[], object] = lambda: None,
) -> Comparison:
    """Run both in turns, A B B A A B …, and compare their rates; each returns how much it did.

    `before_pair` is not measured.
    """
    for _ in range(WARM_UP_ROUNDS):
        before_pair()
        ours()
        baseline()
    rates: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        before_pair()
        # Whoever goes second pays for what the first one left to be written back.
        for side in (0, 1) if number % 2 else (1, 0):
            rates[side].append(_rate((ours, baseline)[side]))
    return Comparison(what, against, unit, *rates, target)


def _rate(work: Callable[[], int]) -> float:
    start = time.perf_counter()
    done = work()
    return done / (time.perf_counter() - start)


def flush_ms() -> float:
    """Return how long this machine takes to flush a page: every durable append has one in it."""
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(FLUSHES):
            file.write(b"x" * 4_096)
            file.flush()
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1_000


def table(comparisons: Iterable[Comparison]) -> list[str]:
    """Return the lines of a table of all comparisons."""
    lines = [("what", "against", "ours", "baseline", "unit", "ratio", "min–max", "target", "")]
    for one in comparisons:
        ratios = one.ratios
        lines.append(
            (
                one.what,
                one.against,
                f"{statistics.median(one.ours):,.0f}",
                f"{statistics.median(one.baseline):,.0f}",
                one.unit,
                f"{statistics.median(ratios):.2f}",
                f"{min(ratios):.2f}–{max(ratios):.2f}",
                f"{'≤' if one.at_most else '≥'} {one.target:g}",
                "reached" if one.reached else "MISSED",
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column in (2, 3, 5) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
