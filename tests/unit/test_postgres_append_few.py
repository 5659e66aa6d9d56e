"""A few events of one session in one statement without a function, and when that is left to one."""

from typing import Any

import psycopg
import pytest

from ledger import Ledger
from ledger.digests import event_hash, genesis
from ledger.records import Unit
from tests.support.builders import (
    DEADLINE_S,
    background,
    eventually,
    note,
    notes,
    sequences,
    texts,
)
from tests.support.postgres_units import draft, part

BETWEEN = 7
WAITING = """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted
"""
#: Between its snapshot, with which it looks for the session's end, and the lock of the bucket.
PAUSE = """FROM (SELECT pg_advisory_xact_lock_shared(7) OFFSET 0) AS paused
    CROSS JOIN "ledger".buckets AS b
    WHERE b.bucket = %(bucket)s FOR NO KEY UPDATE OF b SKIP LOCKED"""


@pytest.fixture
def ledger(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A ledger whose appends wait for a lock in one go, however slow what holds it is here."""
    monkeypatch.setattr("ledger.options.LOCK_SLICE_S", DEADLINE_S)
    with Ledger.open(postgres_url, lock_timeout_s=DEADLINE_S) as opened:
        yield opened


def sent(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list into which the names of the statements go that append from now on."""
    found: list[str] = []
    database, statements = ledger.backend._database, ledger.backend._statements
    names = {
        getattr(statements, name): name for name in ("append_event", "append_few", "append_events")
    }
    append = database.append

    def watched(statement: bytes, *args: Any) -> Any:
        found.append(names[statement])
        return append(statement, *args)

    monkeypatch.setattr(database, "append", watched)
    return found


def test_what_is_plain_takes_one_statement_and_all_else_is_decided_by_the_function(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = sent(ledger, monkeypatch)
    cases: list[tuple[str, dict[str, Any], list[str]]] = [
        ("a", {}, ["append_event"]),
        ("bc", {"expected": 1}, ["append_few"]),
        ("defghijklmnopqrs", {"incarnation": 0}, ["append_few"]),
        ("abcdefghijklmnopqrs", {}, ["append_events"]),
        ("sT", {}, ["append_few", "append_events"]),
        ("bc", {"expected": 0}, ["append_few", "append_events"]),
    ]
    for ids, conditions, wanted in cases:
        given = [note(one, event_id=one) for one in ids]
        appended = ledger.append("s", given, **conditions)
        assert texts(one.event for one in appended) == list(ids)
        assert names == wanted, ids
        names.clear()
    for word, conditions in (("expected", {"expected": 3}), ("incarnation", {"incarnation": 3})):
        with pytest.raises(Exception, match=word):
            ledger.append("s", notes("xy"), **conditions)
        assert names == ["append_few", "append_events"], word
        names.clear()
    assert texts(ledger.read("s")) == [*"abcdefghijklmnopqrsT"]
    assert ledger.verify().ok


def test_who_appended_between_snapshot_and_lock_is_not_numbered_over(
    ledger: Ledger, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.append("s", note("first"))
    bucket = ledger.door.bucket("", "s")
    statements: Any = ledger.backend._statements  # type: ignore[attr-defined]  # its statements
    begin, _, rest = statements.append_few.decode().partition('FROM "ledger".buckets AS b')
    _, _, rest = rest.partition("SKIP LOCKED")
    monkeypatch.setattr(statements, "append_few", (begin + PAUSE + rest).encode())
    names = sent(ledger, monkeypatch)
    with (
        psycopg.connect(postgres_url, autocommit=True) as other,
        Ledger.open(postgres_url) as faster,
    ):
        other.execute("SELECT pg_advisory_lock(%s)", (BETWEEN,))
        waiting = background(lambda: ledger.append("s", notes("xy")))
        eventually(lambda: other.execute(WAITING, (BETWEEN,)).fetchone() == (1,))
        assert faster.append("s", note("faster")).sequence == 2
        other.execute("SELECT pg_advisory_unlock(%s)", (BETWEEN,))
        assert sequences(waiting.result(DEADLINE_S)) == [3, 4]
    assert names == ["append_few", "append_events"]
    assert [event.position for event in ledger.read("s")] == [1, 2, 3, 4]
    assert sum(ledger.backend.positions()) == ledger.backend.positions()[bucket] == 4
    assert ledger.verify().ok


def test_times_that_are_told_are_kept_and_the_bucket_ends_at_the_last_of_them(
    ledger: Ledger,
) -> None:
    future_us = 2**60
    given = [draft("a", recorded_us=future_us), draft("b", recorded_us=5), draft("c")]
    [numbers] = ledger.backend.append([Unit((part("s", *given),))], wait=False)
    assert [one.recorded_us for one in numbers] == [future_us, 5, future_us]  # type: ignore[union-attr]  # stored
    previous = genesis("", "s")
    for one in numbers:  # type: ignore[union-attr]  # stored
        previous = event_hash(previous, one.sequence, one.recorded_us, b"b" * 32)
        assert one.event_hash == previous
    [later] = ledger.backend.append([Unit((part("s", draft("d"), draft("e")),))], wait=False)
    assert [one.recorded_us for one in later] == [future_us, future_us]  # type: ignore[union-attr]  # stored
