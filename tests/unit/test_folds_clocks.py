"""A fold is given everything that it uses: it reads no clock and throws no dice."""

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest

from projections.builtin import BUILTIN
from projections.engine.projection import Projection

CLOCKS_AND_CHANCE = {"time", "random", "secrets", "uuid", "os", "threading", "socket"}


@pytest.mark.parametrize("projection", BUILTIN, ids=lambda one: one.name)
def test_a_fold_reads_no_clock(projection: Projection) -> None:
    module = ast.parse(Path(source_of(projection)).read_text())
    assert set(imported(module)).isdisjoint(CLOCKS_AND_CHANCE)
    read = {node.attr for node in ast.walk(module) if isinstance(node, ast.Attribute)}
    assert read.isdisjoint({"now", "utcnow", "today", "monotonic", "perf_counter", "time_ns"})


def source_of(projection: Projection) -> str:
    return str(projection.apply.__code__.co_filename)


def imported(module: ast.Module) -> Iterable[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]
