"""Rows that are kept in memory: how much of it they take at most, whatever a fold makes of events."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from ledger import Ledger, NewEvent
from projections.errors import VersionDropped
from projections.readers.kept_rows import ROW_SIZE_MAX, ROWS_MAX
from tests.support.views import TALLY, counted, tally, tally_apply, views_of

KEY = ("", "s", "x")


def swollen(view: Any, event: Any) -> Any:
    after = tally_apply(view, event)
    return after and msgspec.structs.replace(after, sequences=[1] * ROW_SIZE_MAX)


def test_a_row_is_kept_by_its_own_size_and_not_by_that_of_its_events() -> None:
    with Ledger.open("memory:") as ledger:
        views = views_of(ledger, TALLY, tally("swollen", apply=swollen))
        kept = views._reader.heads._kept._rows
        for count in (1, 2, 3):
            large = NewEvent({"name": "x", "text": "y" * ROW_SIZE_MAX}, "thing.counted")
            ledger.append("s", large)
            for name in ("tally", "swollen"):
                assert views.row_at_head(name, KEY).view.count == count
            assert [(table.projection.name, key) for table, key in kept] == [("tally", KEY)]


def test_only_the_rows_that_were_asked_for_last_are_kept() -> None:
    with Ledger.open("memory:") as ledger:
        views = views_of(ledger, TALLY)
        kept = views._reader.heads._kept._rows
        for number in range(2 * ROWS_MAX):
            key = ("", f"s{number}", "x")
            ledger.append(key[1], counted())
            assert views.row_at_head("tally", key).view.count == 1
            assert len(kept) <= ROWS_MAX
        assert len(kept) == ROWS_MAX


def test_a_row_that_is_asked_for_again_is_kept_longer_than_others() -> None:
    with Ledger.open("memory:") as ledger:
        views = views_of(ledger, TALLY)
        kept = views._reader.heads._kept._rows
        for number in range(2 * ROWS_MAX):
            ledger.append(f"s{number}", counted())
            for key in (("", f"s{number}", "x"), ("", "s0", "x")):
                assert views.row_at_head("tally", key).view.count == 1
        assert ("", "s0", "x") in {key for _, key in kept}


def test_a_row_that_somebody_else_forgot_first_is_forgotten() -> None:
    with Ledger.open("memory:") as ledger:
        views = views_of(ledger, TALLY)
        ledger.append("s", counted())
        views.row_at_head("tally", KEY)
        kept = views._reader.heads._kept
        [(table, key)] = kept._rows
        for _ in range(2):
            kept.forget(table, key)
        assert kept.found(table, key) is None


def test_views_that_are_gone_are_gone_for_a_row_that_is_kept_too(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        views = views_of(ledger, TALLY)
        for count in (1, 2, 3):
            ledger.append("s", counted())
            assert views.row_at_head("tally", KEY).view.count == count
        with ledger.backend.transaction() as connection:  # type: ignore[attr-defined]  # SQLite's own
            for name in ("view_tally_v1", "view_checkpoints", "view_skips"):
                connection.execute(f"DROP TABLE {name}")
        for _ in range(2):
            with pytest.raises(VersionDropped):
                views.row_at_head("tally", KEY)
