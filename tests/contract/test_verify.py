"""Verification: clean logs are clean, and whatever is altered behind the ledger's back is named."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import apsw
import psycopg
import pytest

from ledger import NewEvent

SQLITE_COLUMNS = "SELECT name FROM pragma_table_info('events')"
POSTGRES_COLUMNS = (
    "SELECT column_name FROM information_schema.columns "
    "WHERE table_schema = 'ledger' AND table_name = 'events' ORDER BY ordinal_position"
)
TRIGGERS = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'events'"

TEXT = ("tenant", "session_id", "event_id", "type", "metadata", "content_type")
OPTIONAL = ("run_id", "actor", "causation_id", "correlation_id", "trace_id", "span_id")
NUMBERS = ("bucket", "position", "sequence", "schema_version", "occurred_us", "recorded_us")
BYTES = ("payload", "salt", "payload_digest", "event_hash")


class Raw:
    """A connection that knows nothing of the ledger, with its triggers out of the way."""

    def __init__(self, url: str) -> None:
        self._sqlite = url.startswith("sqlite:")
        if self._sqlite:
            self._connection: Any = apsw.Connection(url.removeprefix("sqlite:///"))
            for (name,) in list(self._connection.execute(TRIGGERS)):
                self._connection.execute(f"DROP TRIGGER {name}")
        else:
            self._connection = psycopg.connect(url, autocommit=True)
            self._connection.execute("SET search_path = ledger")
            self._connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")

    def execute(self, statement: str, *values: Any) -> list[Any]:
        if self._sqlite:
            return list(self._connection.execute(statement, values))
        cursor = self._connection.execute(statement.replace("?", "%s"), values)
        return cursor.fetchall() if cursor.description else []

    def columns(self) -> list[str]:
        return [
            row[0] for row in self.execute(SQLITE_COLUMNS if self._sqlite else POSTGRES_COLUMNS)
        ]

    def close(self) -> None:
        self._connection.close()


@contextmanager
def raw(url: str) -> Iterator[Raw]:
    connection = Raw(url)
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """Only what has raw connections can be altered through one."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return str(request.getfixturevalue("postgres_url"))


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
    report = ledger.verify(progress=lambda done, total: seen.append((done, total)))
    assert (report.ok, report.events, report.sessions) == (True, 12, 3)
    assert seen[-1] == (12, 12)
    assert ledger.verify("s").events == 5


def test_every_column_is_altered_by_some_test(ledger: Any, url: str) -> None:
    with raw(url) as connection:
        assert sorted(connection.columns()) == sorted((*TEXT, *OPTIONAL, *NUMBERS, *BYTES))


@pytest.mark.parametrize("column", [*TEXT, *OPTIONAL, *NUMBERS, *BYTES])
@pytest.mark.parametrize("sequence", [1, 3, 5])
def test_an_altered_column_is_found_and_located(
    ledger: Any, url: str, column: str, sequence: int
) -> None:
    fill(ledger)
    with raw(url) as connection:
        where = "WHERE session_id = 's' AND sequence = ?"
        (value,) = connection.execute(f"SELECT {column} FROM events {where}", sequence)[0]
        connection.execute(
            f"UPDATE events SET {column} = ? {where}", altered(column, value), sequence
        )
    findings = ledger.verify().findings
    named = {(finding.session_id, finding.sequence) for finding in findings}
    if column in ("bucket", "position"):
        # Outside of its bucket's order an event is missing there, which is named by position.
        assert named & {("s", sequence), ("s", sequence + 1), ("", 0)}
    else:
        moved = sequence + 1_000 if column == "sequence" else sequence
        assert named & {("s", moved), ("sx", moved), ("s", sequence + 1)}


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
