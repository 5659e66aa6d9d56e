"""Switching between versions while everybody works, and databases that are not as they should be."""

from typing import Any

import apsw
import psycopg
import pytest

from projections import Rebuild, TableMismatch
from tests.support.builders import on_durable, only_sync, sessions_in_buckets, together
from tests.support.rebuilds import V1, V2, Tally2, record_of, sync_twin
from tests.support.views import Tally, counted, views_of

pytestmark = pytest.mark.usefixtures("new_database")


def test_switching_while_others_append_fold_and_read_disturbs_nobody(
    open_ledger: Any, url: str
) -> None:
    ledger = open_ledger(buckets=4)
    sessions = sessions_in_buckets(ledger, 4)
    ledger.append(sessions[0], counted())
    views_of(ledger, V1).catch_up()
    with sync_twin(ledger, url) as here:
        Rebuild(here, V2).run()
    views, other = views_of(ledger, V1, V2), views_of(ledger, V1, V2, batch_events_max=2)

    def switch() -> None:
        for turn in range(12):
            views.switch("tally", 2 - turn % 2)

    def write_and_read(session_id: str) -> None:
        for _ in range(12):
            answer = ledger.append(session_id, [counted(), counted()])
            row = other.row("tally", ("", session_id, "x"))
            assert type(row) in (Tally, Tally2)
            assert row.sequences[-1] == answer[-1].sequence  # one's own writes, whichever is read

    def fold() -> None:
        for _ in range(12):
            other.catch_up()

    work = [switch, fold, *(lambda s=s: write_and_read(s) for s in sessions)]
    assert together(work) == [None] * len(work)
    views.catch_up()
    assert views.compare("tally", old=1, new=2).same
    assert record_of(views, 1).active


def test_fresh_views_may_begin_with_a_switch(open_ledger: Any) -> None:
    ledger = open_ledger()
    ledger.append("s", counted())
    ledger.delete("s")
    views_of(ledger, V1).switch("tally", 1)
    assert views_of(ledger, V1).rows("tally", "s") == []


def test_exactly_one_version_is_active_at_every_moment(open_ledger: Any, url: str) -> None:
    ledger = open_ledger()
    ledger.append("s", counted())
    views_of(ledger, V1).catch_up()
    with sync_twin(ledger, url) as here:
        Rebuild(here, V2).run()
    views, other = views_of(ledger, V1, V2), views_of(ledger, V1, V2)

    def switch() -> None:
        for turn in range(20):
            views.switch("tally", 2 - turn % 2)

    def look() -> None:
        for _ in range(20):
            assert [one.active for one in other.versions()].count(True) == 1

    assert together([switch, look, look]) == [None] * 3


@on_durable
@only_sync
def test_checkpoints_of_another_layout_are_refused(open_ledger: Any, url: str) -> None:
    ledger = open_ledger()
    views_of(ledger, V1).catch_up()
    change = "ALTER TABLE {}view_checkpoints DROP COLUMN fold_digest"
    if url.startswith("sqlite"):
        apsw.Connection(url.removeprefix("sqlite:///")).execute(change.format(""))
    else:
        with psycopg.connect(url) as connection:
            connection.execute(change.format("ledger."))
    with pytest.raises(TableMismatch) as caught:
        views_of(ledger, V1).catch_up()
    assert caught.value.table == "view_checkpoints"
    assert "fold_digest" in caught.value.missing[0]
