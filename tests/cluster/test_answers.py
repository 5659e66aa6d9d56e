"""A ledger on several servers answers as one does that has all in memory."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import (
    Append,
    EventIdReused,
    IncarnationConflict,
    Ledger,
    NewEvent,
    SequenceConflict,
)
from ledger.backends.base import OpenOptions
from ledger.backends.postgres import PostgresBackend, open_postgres
from projections import Rebuild, Views
from projections.builtin import BUILTIN
from tests.support.builders import all_session_ids, note, notes, sequences, texts, whole_feed
from tests.support.postgres_rounds import ROUNDS, decides_as_numbering_does, each_round
from tests.support.support_session import FILE
from tests.support.views import TALLY, all_pages, counted, tally

SESSIONS = [f"s{number}" for number in range(30)]
OTHERS = [one for one in SESSIONS if one != "s3"]


def twin(ledger: Ledger) -> Ledger:
    """Return a ledger in memory with the same events."""
    copy = Ledger.open("memory:", buckets=ledger.buckets)
    copy.import_lines(ledger.export_lines())
    return copy


def without_positions(rows: Sequence[Any]) -> list[Any]:
    """Return rows but for the places of their events in buckets, which an import gives anew."""
    return [msgspec.structs.replace(row, position=0) for row in rows]


@pytest.fixture
def backend(open_spread: Callable[..., Ledger], cluster_url: str, schema: str) -> Any:
    options = OpenOptions(schema=schema, connect_timeout_s=60.0, lock_timeout_s=10.0)
    opened = open_postgres(cluster_url, options)
    yield opened
    opened.close()


@each_round(30)
@given(ROUNDS, st.booleans())
def test_appends_are_decided_as_by_numbering(
    backend: PostgresBackend, rounds: list[list[list[Any]]], wait: bool
) -> None:
    assert backend.info.distributed
    decides_as_numbering_does(backend, rounds, wait=wait)


def filled(ledger: Ledger) -> None:
    """Append to thirty sessions of two tenants; delete some, and go on with one of these."""
    for number, one in enumerate(SESSIONS):
        words = [str(n) for n in range(number % 7 + 1)]
        ledger.append_many(
            [
                Append(one, notes(words, type=f"type {number % 3}")),
                Append(one, [note("theirs")], tenant="acme"),
            ]
        )
    for one in SESSIONS[::4]:
        ledger.delete(one)
    ledger.append(SESSIONS[0], note("again"))


def test_the_log_reads_the_same(spread_ledger: Ledger) -> None:
    filled(spread_ledger)
    there, here = spread_ledger, twin(spread_ledger)
    assert list(there.export_lines()) == list(here.export_lines())
    assert there.verify().ok
    for tenant in ("", "acme", "nobody"):
        asked = ["unknown", *reversed(SESSIONS)]
        assert there.heads(asked, tenant=tenant) == here.heads(asked, tenant=tenant)
        for options in ({}, {"limit": 4}, {"deleted": True, "limit": 7}):
            found = all_session_ids(there, tenant=tenant, **options)
            assert found == all_session_ids(here, tenant=tenant, **options)
            assert len(found) == len(set(found))
    for options in ({}, {"limit": 5}, {"tenant": "acme", "limit": 3}, {"types": ["type 1"]}):
        found = whole_feed(there, **options)
        assert sorted(map(identity, found)) == sorted(map(identity, whole_feed(here, **options)))
        assert len(found) == len(set(map(identity, found)))
    assert whole_feed(there, there.feed(limit=10_000).cursor) == []


def identity(event: Any) -> tuple[str, str, int, str]:
    """Return what is said once in a log."""
    return event.tenant, event.session_id, event.sequence, event.event_id


def test_a_batch_over_many_buckets_is_whole_or_nothing(spread_ledger: Ledger) -> None:
    ledger = spread_ledger
    ledger.append("s3", note("first", event_id="first"))
    for refused, error in (
        (Append("s3", notes("x"), expected=0), SequenceConflict),
        (Append("s3", [note("other", event_id="first")]), EventIdReused),
        (Append("s3", notes("x"), incarnation=9), IncarnationConflict),
    ):
        before = sum(ledger.backend.positions())
        with pytest.raises(error):
            ledger.append_many([*(Append(one, notes("ab")) for one in OTHERS), refused])
        assert sum(ledger.backend.positions()) == before
    whole = [Append(one, [note(one, event_id="again")]) for one in SESSIONS]
    first, second = ledger.append_many(whole), ledger.append_many(whole)
    assert [sequences(one) for one in first] == [sequences(one) for one in second]
    assert {one.stored for answer in second for one in answer} == {False}
    assert texts(ledger.read("s3")) == ["first", "s3"]


def test_views_are_the_same_and_so_is_a_rebuild(open_spread: Callable[..., Ledger]) -> None:
    ledger = open_spread()
    with FILE.open("rb") as lines:
        ledger.import_lines(lines)
    for number in range(12):
        started = NewEvent({}, "run.started", run_id="r")
        said = NewEvent({"role": "user", "content": f"Say {number}"}, "message.appended")
        ledger.append(f"s{number}", [started, *[said] * (number % 4)])
    ledger.delete("s5")
    views, others = Views(ledger), Views(twin(ledger))
    asked = ["support-4711", *(f"s{number}" for number in reversed(range(12))), "unknown"]
    for options in ({}, {"limit": 2}, {"limit": 2, "newest_first": True}):
        found = views.together_many(asked, ("sessions", "messages", "runs"), **options)
        assert found == others.together_many(asked, ("sessions", "messages", "runs"), **options)
    for name in (one.name for one in BUILTIN if one.key[:2] == ("tenant", "session_id")):
        for one in asked:
            rows, wanted = views.rows(name, one), others.rows(name, one)
            assert without_positions(rows) == without_positions(wanted), (name, one)
    assert all_pages(views.sessions_page, 3) == all_pages(others.sessions_page, 3)
    for new in (msgspec.structs.replace(one, version=2) for one in BUILTIN[:3]):
        assert Rebuild(ledger, new).run().built
        old = Views(ledger, projections=[*BUILTIN, new])
        assert old.compare(new.name, old=1, new=2).same
        old.switch(new.name, 2)
        old.drop(new.name, 1)


def test_every_version_has_its_place(open_spread: Callable[..., Ledger]) -> None:
    ledger = open_spread()
    later = tally(version=2)
    for one in SESSIONS:
        ledger.append(one, [counted(), counted()])
    views = Views(ledger, projections=[TALLY, later])
    views.catch_up()
    assert Rebuild(ledger, later).run().built
    views.switch("tally", 2)
    views.accept("tally", 1)
    ledger.append_many([Append(one, [counted()]) for one in SESSIONS])
    assert [[row.count for row in views.rows("tally", one)] for one in SESSIONS] == [[3]] * 30
    views.drop("tally", 1)
    [kept] = Views(ledger, projections=[later]).versions()
    assert (kept.version, kept.active, len(kept.positions)) == (2, True, ledger.buckets)
