"""Verification: clean logs are clean, and whatever is altered behind the ledger's back is named."""

from collections.abc import Callable
from itertools import product
from typing import Any

import msgspec
import pytest

from ledger import IntegrityError, NewEvent
from tests.support.builders import only_sync
from tests.support.raw import raw

TEXT = ("tenant", "session_id", "event_id", "type", "metadata", "content_type")
OPTIONAL = ("run_id", "actor", "causation_id", "correlation_id", "trace_id", "span_id")
NUMBERS = ("bucket", "position", "sequence", "schema_version", "occurred_us", "recorded_us")
BYTES = ("payload", "salt", "payload_digest", "event_hash")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """Only what has raw connections can be altered through one."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return str(request.getfixturevalue("kept_postgres_url"))


def event(number: int) -> NewEvent:
    return NewEvent(
        {"number": number},
        "note",
        run_id="run",
        actor="actor",
        causation_id="cause",
        correlation_id="correlation",
        trace_id="trace",
        span_id="span",
        metadata={"m": number},
    )


def fill(ledger: Any) -> None:
    ledger.append("s", [event(number) for number in range(1, 6)])
    ledger.append("other", [event(number) for number in range(1, 4)])
    ledger.fork("s", 3, "forked")
    ledger.append("forked", event(1))
    ledger.delete("other")
    ledger.append("other", NewEvent(b"\x00\xff", "blob", content_type="image/png"))


def altered(column: str, value: Any) -> Any:
    if column in BYTES:
        return bytes([value[0] ^ 1]) + value[1:]
    if column in NUMBERS:
        return value + 1_000
    return value + "x"


def test_a_clean_log_has_no_findings(ledger: Any) -> None:
    fill(ledger)
    seen: list[tuple[int, int]] = []

    def note_seen(done: int, total: int) -> None:
        seen.append((done, total))

    report = ledger.verify(progress=note_seen)
    assert (report.ok, report.events, report.sessions) == (True, 12, 3)
    assert seen[-1] == (12, 12)
    assert ledger.verify("s", progress=note_seen).events == 5
    assert seen[-1] == (5, 5)


def test_every_column_is_altered_by_some_test(ledger: Any, url: str) -> None:
    with raw(url) as connection:
        assert sorted(connection.columns()) == sorted((*TEXT, *OPTIONAL, *NUMBERS, *BYTES))


def test_an_altered_column_is_found_and_located(ledger: Any, url: str) -> None:
    fill(ledger)
    with raw(url) as connection:
        connection.copy("events")
        where = "WHERE session_id = 's' AND sequence = ?"
        for sequence, column in product((1, 3, 5), (*TEXT, *OPTIONAL, *NUMBERS, *BYTES)):
            (value,) = connection.execute(f"SELECT {column} FROM events {where}", sequence)[0]
            connection.execute(
                f"UPDATE events SET {column} = ? {where}", altered(column, value), sequence
            )
            findings = ledger.verify().findings
            named = {(finding.session_id, finding.sequence) for finding in findings}
            if column in ("bucket", "position"):
                # Outside of its bucket's order it is missing there, which is named by position.
                expected = {("s", sequence), ("s", sequence + 1), ("", 0)}
            else:
                moved = sequence + 1_000 if column == "sequence" else sequence
                expected = {("s", moved), ("sx", moved), ("s", sequence + 1)}
            assert named & expected, (column, sequence)
            connection.restore("events")
    assert ledger.verify().ok


@pytest.mark.parametrize("column", OPTIONAL)
@pytest.mark.parametrize("value", [None, ""])
def test_absent_and_empty_are_not_taken_for_each_other(
    ledger: Any, url: str, column: str, value: str | None
) -> None:
    ledger.append("s", NewEvent({}, "note", **({} if value == "" else {column: "x"})))
    with raw(url) as connection:
        connection.execute(f"UPDATE events SET {column} = ?", value)
    assert [finding.sequence for finding in ledger.verify().findings] == [1]


@pytest.mark.parametrize("column", ["payload", "event_hash", "recorded_us", "type"])
def test_only_the_altered_event_is_named(ledger: Any, url: str, column: str) -> None:
    fill(ledger)
    with raw(url) as connection:
        where = "WHERE session_id = 's' AND sequence = 3"
        (value,) = connection.execute(f"SELECT {column} FROM events {where}")[0]
        connection.execute(f"UPDATE events SET {column} = ? {where}", altered(column, value))
    named = {(finding.session_id, finding.sequence) for finding in ledger.verify("s").findings}
    assert named == {("s", 3)}


@pytest.mark.parametrize("sequence", [1, 3, 5])
def test_a_removed_event_is_found(ledger: Any, url: str, sequence: int) -> None:
    fill(ledger)
    with raw(url) as connection:
        connection.execute("DELETE FROM events WHERE session_id = 's' AND sequence = ?", sequence)
    assert not ledger.verify().ok


def test_two_exchanged_payloads_are_found(ledger: Any, url: str) -> None:
    fill(ledger)
    with raw(url) as connection:
        rows = connection.execute(
            "SELECT payload, salt, payload_digest FROM events WHERE session_id = 's' "
            "AND sequence IN (1, 2) ORDER BY sequence"
        )
        for sequence, (payload, salt, digest) in zip((2, 1), rows, strict=True):
            connection.execute(
                "UPDATE events SET payload = ?, salt = ?, payload_digest = ? "
                "WHERE session_id = 's' AND sequence = ?",
                payload,
                salt,
                digest,
                sequence,
            )
    named = {finding.sequence for finding in ledger.verify("s").findings}
    assert named == {1, 2}


def test_a_number_out_of_range_is_a_finding_not_a_crash(ledger: Any, url: str) -> None:
    fill(ledger)
    with raw(url) as connection:
        connection.execute("UPDATE events SET occurred_us = -1 WHERE session_id = 's'")
    assert {finding.sequence for finding in ledger.verify("s").findings} == {1, 2, 3, 4, 5}


def test_a_head_that_claims_more_than_there_is_is_found(ledger: Any, url: str) -> None:
    fill(ledger)
    with raw(url) as connection:
        connection.execute("UPDATE buckets SET position = position + 2 WHERE position > 0")
    findings = ledger.verify().findings
    assert findings
    assert {finding.sequence for finding in findings} == {0}


def test_verifying_one_session_does_not_read_the_others(
    open_ledger: Callable[..., Any], url: str
) -> None:
    ledger = open_ledger()
    fill(ledger)
    with raw(url) as connection:
        connection.execute("UPDATE events SET actor = 'x' WHERE session_id = 'other'")
    assert ledger.verify("s").ok
    assert not ledger.verify("other").ok


# Forged rows: whoever writes to the tables can compute hashes as well as the ledger does.


def payload_of(fork: Any) -> bytes:
    return fork if isinstance(fork, bytes) else msgspec.json.encode(fork)


FORKS: list[Any] = [
    [1],
    3,
    {},
    {"parent": "s"},
    {"parent": "s", "at": None},
    {"parent": "s", "at": 0},
    {"parent": "s", "at": -1},
    {"parent": "s", "at": 2**63 - 1},
    {"parent": "s", "at": 2**63},
    {"parent": "s", "at": 1e308},
    {"parent": "s", "at": 3.0},
    {"parent": "s", "at": "3"},
    {"parent": 7, "at": 3},
    {"parent": "s\0", "at": 3},
    {"parent": "forked", "at": 1},
    b"",
    b"{",
    b'{"parent": "\xff", "at": 3}',
    b"[" * 100_000,
]


def test_whatever_a_fork_says_it_was_forked_from_is_a_finding(ledger: Any, url: str) -> None:
    fill(ledger)
    with raw(url) as connection:
        connection.copy("events")
        for fork in FORKS:
            connection.execute(
                "UPDATE events SET payload = ? WHERE type = 'session.forked'", payload_of(fork)
            )
            named = {(found.session_id, found.sequence) for found in ledger.verify().findings}
            assert ("forked", 1) in named, fork
            assert not ledger.verify("forked").ok
            with pytest.raises(IntegrityError):
                ledger.read("forked", lineage=True)
            with pytest.raises(IntegrityError):
                list(ledger.export_lines())
            connection.restore("events")
    assert ledger.verify().ok


@pytest.mark.parametrize("head", [2, 1, 0, -5])
def test_events_behind_a_lowered_head_are_found(ledger: Any, url: str, head: int) -> None:
    ledger.append("s", [event(number) for number in range(1, 6)])
    with raw(url) as connection:
        connection.execute("UPDATE buckets SET position = ? WHERE position > 0", head)
    found = {(finding.session_id, finding.sequence) for finding in ledger.verify().findings}
    lost = {("s", sequence) for sequence in range(max(head, 0) + 1, 6)}
    assert found == ({("", 0)} if head < 0 else lost)


@only_sync  # the callback of an async one must not wait for its own loop
def test_what_is_appended_during_a_verification_is_no_finding(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=2)
    fill(ledger)
    appended = []

    def progress(done: int, total: int) -> None:
        if not appended:
            appended.append(writer.append("later", [event(number) for number in range(40)]))
            writer.append("s", event(9))

    writer = open_ledger()
    assert ledger.verify(progress=progress).ok
    assert appended


@pytest.mark.parametrize("position", [0, -5, 50, 2**63 - 1])
def test_a_forged_session_outside_the_positions_is_found(
    open_ledger: Any, url: str, position: int
) -> None:
    ledger = open_ledger(buckets=1)
    ledger.append("s", [event(number) for number in range(1, 4)])
    ledger.append("forged", event(1))
    with raw(url) as connection:
        connection.execute("UPDATE events SET position = ? WHERE session_id = 'forged'", position)
        connection.execute("UPDATE buckets SET position = 3")
    findings = ledger.verify().findings
    assert [(finding.session_id, finding.sequence) for finding in findings] == [("forged", 1)]
    assert str(position) in findings[0].problem


def test_the_positions_that_have_no_event_are_named(open_ledger: Any, url: str) -> None:
    ledger = open_ledger(buckets=1)
    for session, count in (("s", 3), ("gone", 3), ("t", 1), ("last", 1)):
        ledger.append(session, [event(number) for number in range(count)])
    with raw(url) as connection:
        connection.execute("DELETE FROM events WHERE session_id IN ('gone', 'last')")
    findings = ledger.verify().findings
    assert [(finding.session_id, finding.problem) for finding in findings] == [
        ("", "no event at positions 4 to 6"),
        ("", "no event at positions 8 to 8"),
    ]


def test_missing_and_surplus_rows_of_buckets_are_found(open_ledger: Any, url: str) -> None:
    ledger = open_ledger(buckets=4)
    fill(ledger)
    for statement in (
        "DELETE FROM buckets WHERE bucket = 0",
        "UPDATE buckets SET bucket = 7 WHERE bucket = 3",
        "UPDATE ledger_info SET buckets = 3",
    ):
        with raw(url) as connection:
            connection.execute(statement)
        report = ledger.verify()
        assert [finding.bucket for finding in report.findings] == [-1]
        assert (report.events, report.sessions) == (12, 3)
        with pytest.raises(IntegrityError, match="buckets"):
            ledger.feed()
        with pytest.raises(IntegrityError, match="buckets"):
            list(ledger.export_lines())
