"""Any column, any corner: whatever stands in the tables, there is an answer that says so."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ledger import IntegrityError, Ledger, LedgerError, NewEvent
from ledger.records import Record
from projections import SESSIONS
from tests.support.builders import note, notes, on_sqlite, only_sync
from tests.support.raw import Raw, raw
from tests.support.views import views_of

Open = Callable[..., Any]

TABLES = ("events", "buckets", "ledger_info")
KEYS = {"events": ("bucket", "position"), "buckets": ("bucket",), "ledger_info": ("ledger_id",)}
SOME = {"events": "WHERE sequence = 1 AND tenant = ''", "buckets": "", "ledger_info": ""}
COLUMNS = [
    *[("events", column) for column in Record.__struct_fields__],
    *[("buckets", column) for column in ("bucket", "position")],
    ("ledger_info", "buckets"),
]
#: Nothing that was appended depends on these, so nobody can say whether they were changed.
UNKNOWABLE = {
    ("buckets", "recorded_us"),
    ("ledger_info", "ledger_id"),
    ("ledger_info", "singleton"),
    ("ledger_info", "schema_version"),
    ("ledger_info", "created_us"),
}

NUMBERS = (0, 1, -1, 4, 50, 70_000, 2**31, 2**32, -(2**31), 2**63 - 1, -(2**63))
HOSTILE: tuple[Any, ...] = (
    None,
    *NUMBERS,
    0.5,
    "",
    "x",
    "session.forked",
    "session.deleted",
    "x" * 2_000,
    "x" * 70_000,
    "\U0001f600",
    b"",
    b"\xff",
    b"x" * 32,
    b"[1]",
    b'{"a":1}',
)
#: Bytes that only SQLite takes for text.
RAW_TEXT = (b"\xff", b"\xed\xa0\x80", b"a\0b", b"s\xff")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """Only what has raw connections can be damaged through one."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return str(request.getfixturevalue("kept_postgres_url"))


def fill(ledger: Any) -> None:
    header: dict[str, Any] = {"run_id": "r", "actor": "a", "trace_id": "t", "metadata": {"m": 1}}
    ledger.append("s", notes("abc", **header))
    ledger.fork("s", 2, "forked")
    ledger.append("other", notes("de"), tenant="tenant")
    ledger.delete("other", tenant="tenant")


def damages(connection: Raw, table: str, column: str) -> Iterator[str]:
    """Damage one value after the other, each in tables that are otherwise as they were."""
    for name in TABLES:
        connection.copy(name)
    before = {name: sorted(connection.rows(name), key=repr) for name in TABLES}
    key_columns = KEYS[table]
    where = " AND ".join(f"{key} = ?" for key in key_columns)
    # The first events of two sessions, one a fork: more of them would take minutes.
    keys = connection.execute(f"SELECT {', '.join(key_columns)} FROM {table} {SOME[table]}")
    values = [(value, "?") for value in HOSTILE]
    if connection.sqlite:
        values += [(value, "CAST(? AS TEXT)") for value in RAW_TEXT]
    for key in keys:
        for value, written in values:
            statement = f"UPDATE {table} SET {column} = {written} WHERE {where}"
            accepted = connection.accepts(statement, value, *key)
            if accepted and sorted(connection.rows(table), key=repr) != before[table]:
                yield f"{value!r:.40} at {key}"
            connection.restore(table)


def answers(url: str, ledger: Ledger, table: str) -> list[str]:
    """What verification says: of the ledger that is open, and of one that is opened now."""
    found = [finding.problem for finding in ledger.verify().findings]
    if table == "events":  # which opening does not look at
        return found
    try:
        with Ledger.open(url) as again:
            found += [finding.problem for finding in again.verify().findings]
    except LedgerError as error:
        found.append(error.problem)
    return found


@only_sync
@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=lambda name: str(name))
def test_a_damaged_value_is_found_whatever_it_is(
    open_ledger: Open, url: str, table: str, column: str
) -> None:
    ledger = open_ledger(buckets=2)
    fill(ledger)
    seen = 0
    with raw(url) as connection:
        for damage in damages(connection, table, column):
            seen += 1
            assert answers(url, ledger, table), damage
    assert seen
    assert ledger.verify().ok


@only_sync
@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=lambda name: str(name))
def test_readers_of_a_damaged_value_raise_errors_of_the_ledger_alone(
    open_ledger: Open, url: str, table: str, column: str
) -> None:
    ledger = open_ledger(buckets=2)
    fill(ledger)
    calls: list[Callable[[], Any]] = [
        lambda: ledger.read("s"),
        lambda: ledger.read("s", newest_first=True),
        lambda: ledger.read("forked", lineage=True),
        lambda: ledger.read("other", tenant="tenant", deleted=True),
        lambda: [(event.occurred_at, event.recorded_at) for event in ledger.feed().events],
        lambda: ledger.feed(types=["note"]),
        lambda: ledger.head("s"),
        lambda: ledger.heads(["s", "other"]),
        lambda: ledger.get("s", "1"),
        lambda: ledger.list_session_ids(),
        lambda: ledger.verify("s"),
        lambda: ledger.verify("forked"),
        lambda: list(ledger.export_lines()),
    ]
    refused = 0
    with raw(url) as connection:
        for damage in damages(connection, table, column):
            for number, call in enumerate(calls):
                try:
                    call()
                except LedgerError:
                    refused += 1
                except Exception as error:
                    raise AssertionError(f"{damage}, call {number}") from error
    assert ledger.verify().ok


@only_sync
def test_every_column_is_damaged_by_the_tests(open_ledger: Open, url: str) -> None:
    open_ledger()
    with raw(url) as connection:
        there = {(table, name) for table in TABLES for name in connection.columns(table)}
    assert there - UNKNOWABLE == set(COLUMNS)


@on_sqlite
@pytest.mark.parametrize("column", ["session_id", "tenant", "event_id", "metadata", "actor"])
def test_text_that_is_no_utf8_is_located_and_the_rest_is_verified(
    ledger: Any, url: str, column: str
) -> None:
    ledger.append("a", notes("abc"))
    ledger.append("b", notes("abcd"))
    with raw(url) as connection:
        connection.execute(
            f"UPDATE events SET {column} = CAST(x'61ff' AS TEXT)"
            " WHERE session_id = 'a' AND sequence = 2"
        )
        connection.execute("UPDATE events SET payload = x'7b7d' WHERE session_id = 'b'")
    report = ledger.verify()
    named = {(found.tenant, found.session_id, found.sequence) for found in report.findings}
    tenant = "a\\xff" if column == "tenant" else ""
    session = "a\\xff" if column == "session_id" else "a"
    assert (tenant, session, 2) in named
    assert {("", "b", sequence) for sequence in (1, 2, 3, 4)} <= named
    assert report.events == 7
    with pytest.raises(IntegrityError, match="position 1 of bucket 0"):
        ledger.feed()
    with pytest.raises(IntegrityError, match="UTF-8"):
        list(ledger.export_lines())
    if column in ("event_id", "metadata", "actor"):
        with pytest.raises(IntegrityError, match=r"event behind 1 .*session 'a'"):
            ledger.read("a")
        assert {found.sequence for found in ledger.verify("a").findings} == {2}


@pytest.mark.parametrize("damaged", ["payload", "metadata"])
@pytest.mark.parametrize("value", [b"", b"{", b'{"a": "\xff"}', b"[" * 100_000])
def test_json_that_is_none_is_refused_and_located(
    ledger: Any, url: str, damaged: str, value: bytes
) -> None:
    ledger.append("s", [note("a", event_id="1"), note("b", event_id="2")], tenant="t")
    text = "?" if damaged == "payload" else "CAST(? AS TEXT)"
    with raw(url) as connection:
        if damaged == "metadata" and not connection.sqlite:
            if b"\xff" in value:
                value = b"]"
            text, value = "convert_from(?, 'UTF8')", value
        connection.execute(f"UPDATE events SET {damaged} = {text} WHERE sequence = 2", value)
    for call in (
        lambda: ledger.read("s", tenant="t"),
        lambda: ledger.get("s", "2", tenant="t"),
        lambda: ledger.feed(),
    ):
        with pytest.raises(IntegrityError) as caught:
            call()
        if b"\xff" not in value or damaged == "payload":
            for word in ("Event 2 ", "'s'", "'t'"):
                assert word in str(caught.value)
    assert {found.sequence for found in ledger.verify().findings} == {2}


@pytest.mark.parametrize(
    "damage",
    ["UPDATE events SET position = -1 WHERE position = 1", "DELETE FROM buckets WHERE bucket = 1"],
)
def test_a_status_of_what_is_damaged_says_that_it_is(
    open_ledger: Open, url: str, damage: str
) -> None:
    ledger = open_ledger(buckets=2)
    views = views_of(ledger, SESSIONS)
    ledger.append("s", notes("abc"))
    with raw(url) as connection:
        connection.execute(damage)
    with pytest.raises(IntegrityError):
        views.status()


@on_sqlite
def test_an_append_to_a_bucket_without_a_sound_row_is_refused(ledger: Any, url: str) -> None:
    ledger.append("s", note())
    for damage in (
        "UPDATE buckets SET position = -5",
        f"UPDATE buckets SET position = {2**63 - 1}",
        "UPDATE buckets SET position = 0",
        "DELETE FROM buckets",
    ):
        with raw(url) as connection:
            connection.execute(damage)
        with pytest.raises(IntegrityError):
            ledger.append("s", NewEvent({}, "note"))
        assert len(ledger.read("s")) == 1


@on_sqlite
def test_an_error_that_is_kept_holds_no_lock(ledger: Any, url: str) -> None:
    ledger.append("s", note())
    with raw(url) as connection:
        connection.execute("UPDATE buckets SET position = -5")
    try:
        ledger.append("s", note())
    except IntegrityError as error:
        kept = error  # and with it, by its traceback, all that had been begun
    with raw(url) as connection:
        connection.execute("UPDATE buckets SET position = 1")
    assert ledger.append("s", note()).sequence == 2
    assert "-5" in str(kept)


@on_sqlite
@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM buckets",
        "INSERT INTO buckets VALUES (1, 0, 0)",
        "UPDATE buckets SET bucket = 3",
        "UPDATE ledger_info SET buckets = 0",
        "UPDATE ledger_info SET buckets = -1",
        "UPDATE ledger_info SET buckets = 4",
        "UPDATE ledger_info SET ledger_id = ''",
        "UPDATE ledger_info SET ledger_id = CAST(x'ff' AS TEXT)",
        "DELETE FROM ledger_info",
        "INSERT INTO ledger_info VALUES ('other', 1)",
    ],
)
def test_a_damaged_identity_is_refused_at_the_opening(
    open_ledger: Open, url: str, damage: str
) -> None:
    open_ledger().close()
    with raw(url) as connection:
        connection.execute(damage)
    with pytest.raises(IntegrityError):
        open_ledger()
