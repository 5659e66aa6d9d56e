"""Spreading a ledger over servers: what it does to what is there, and when it refuses."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger import AsyncLedger, InvalidArgument, Ledger, distribute
from projections import Views
from projections.builtin import BUILTIN
from tests.support.builders import notes, sequences
from tests.support.citus import SHARDS, pretend, spread
from tests.support.cli import run_cli
from tests.support.views import TALLY, counted


def test_what_was_stored_before_is_kept(cluster_url: str, schema: str) -> None:
    with Ledger.open(cluster_url, schema=schema, buckets=16) as before:
        assert not before.backend.info.distributed
        for number in range(20):
            before.append(f"s{number}", [counted("x"), counted("y")])
        views = Views(before, projections=[TALLY])
        views.catch_up()
        log = list(before.export_lines())
        rows = {f"s{n}": views.rows("tally", f"s{n}") for n in range(20)}
    assert distribute(cluster_url, schema=schema, shards=SHARDS)
    with Ledger.open(cluster_url, schema=schema) as after:
        assert (after.backend.info.distributed, after.buckets) == (True, 16)
        assert list(after.export_lines()) == log
        assert after.verify().ok
        views = Views(after, projections=[TALLY])
        assert {one: views.rows("tally", one, consistency="eventual") for one in rows} == rows
        assert after.append("s0", counted("x"), expected=2).sequence == 3
        [x, _] = views.rows("tally", "s0")
        assert x.count == 2
    assert set(spread(cluster_url, schema).values()) == {True}


def test_a_ledger_is_made_where_none_is_and_spread_once(cluster_url: str, schema: str) -> None:
    assert distribute(cluster_url, schema=schema, shards=SHARDS)
    assert not distribute(cluster_url, schema=schema, shards=2)

    async def appended() -> list[int]:
        async with await AsyncLedger.open(cluster_url, schema=schema) as ledger:
            assert ledger.backend.info.distributed
            return sequences(await ledger.append("s", notes("abc")))

    assert asyncio.run(appended()) == [1, 2, 3]


def test_tables_of_views_are_spread_as_they_are_made(
    open_spread: Callable[..., Ledger], cluster_url: str, schema: str
) -> None:
    views = Views(open_spread())
    views.catch_up()
    tables = spread(cluster_url, schema)
    assert {"events", "buckets", "view_checkpoints", "view_skips", "view_failures"} < tables.keys()
    assert {f"view_{one.name}_v{one.version}" for one in BUILTIN} < tables.keys()
    assert set(tables.values()) == {True}
    Views(open_spread(), projections=[TALLY]).catch_up()
    assert len(spread(cluster_url, schema)) == len(tables) + 1
    assert set(spread(cluster_url, schema).values()) == {True}


def test_a_ledger_in_the_same_database_stays_where_it_is(cluster_url: str, schema: str) -> None:
    with Ledger.open(cluster_url, schema=schema) as ledger:
        views = Views(ledger, projections=[TALLY])
        ledger.append("s", [counted("x"), counted("x")])
        assert [one.count for one in views.rows("tally", "s")] == [2]
    assert set(spread(cluster_url, schema).values()) == {False}


@pytest.mark.parametrize("shards", [0, 1_025, True, "8", None])
def test_shards_are_a_number(cluster_url: str, schema: str, shards: Any) -> None:
    with pytest.raises(InvalidArgument, match="from 1 to 1024") as refused:
        distribute(cluster_url, schema=schema, shards=shards)
    assert refused.value.argument == "shards"


def test_who_has_no_cluster_is_told(postgres_url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="CREATE EXTENSION citus"):
        distribute(postgres_url)
    for url in ("memory:", f"sqlite:///{tmp_path}/x.db"):
        with pytest.raises(InvalidArgument, match="PostgreSQL with Citus"):
            distribute(url)
    assert list(tmp_path.iterdir()) == []
    with Ledger.open(postgres_url) as ledger:  # nothing was half made
        assert not ledger.backend.info.distributed


def test_the_command_says_what_it_did(postgres_url: str) -> None:
    pretend(postgres_url)
    said = [run_cli("distribute", "--url", postgres_url, "--shards", "4") for _ in range(2)]
    assert [one.code for one in said] == [0, 0]
    assert "are spread by bucket" in said[0].out
    assert "were spread" in said[1].out
    refused = run_cli("distribute", "--url", "sqlite:///x.db")
    assert refused.code == 2
    assert refused.err.startswith("ledger: --url: several servers")
