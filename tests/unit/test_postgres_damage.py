"""Tables that somebody changed by hand: the ledger says so, instead of guessing."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from ledger import AsyncLedger, IntegrityError, Ledger, NewEvent
from tests.support.builders import sessions_in_buckets


@pytest.fixture
def ledger(postgres_url: str) -> Iterator[Ledger]:
    with Ledger.open(postgres_url, buckets=4, lock_timeout_s=0.5) as opened:
        opened.append("s", [NewEvent({}, "note") for _ in range(5)])
        yield opened


def damage(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(statement)


@pytest.mark.parametrize("position", [2, 0, -5])
@pytest.mark.parametrize("count", [1, 2])
def test_an_append_to_a_bucket_whose_end_was_lowered_is_an_integrity_error(
    ledger: Ledger, postgres_url: str, position: int, count: int
) -> None:
    damage(postgres_url, f"UPDATE ledger.buckets SET position = {position} WHERE position > 0")
    with pytest.raises(IntegrityError, match="verify"):
        ledger.append("s", [NewEvent({}, "note") for _ in range(count)])


@pytest.mark.parametrize("count", [1, 2])
def test_an_append_to_a_bucket_that_is_gone_is_an_integrity_error(
    ledger: Ledger, postgres_url: str, count: int
) -> None:
    damage(postgres_url, "DELETE FROM ledger.buckets WHERE position > 0")
    with pytest.raises(IntegrityError, match="bucket"):
        ledger.append("s", [NewEvent({}, "note") for _ in range(count)])
    with psycopg.connect(postgres_url) as own:
        own.execute("SELECT 1")
        with pytest.raises(IntegrityError, match="bucket"):
            ledger.append("s", NewEvent({}, "note"), connection=own)
    others = sessions_in_buckets(ledger, 4)
    gone = ledger.door.bucket("", "s")
    for other in others:
        if ledger.door.bucket("", other) != gone:
            assert ledger.append(other, NewEvent({}, "note")).sequence == 1


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger.buckets WHERE bucket = 2",
        "INSERT INTO ledger.buckets VALUES (4, 0, 0)",
        "UPDATE ledger.buckets SET bucket = 9 WHERE bucket = 3",
        "DELETE FROM ledger.ledger_info",
        "UPDATE ledger.ledger_info SET buckets = 3",
        "UPDATE ledger.ledger_info SET schema_version = 0",
        "ALTER TABLE ledger.ledger_info DROP CONSTRAINT ledger_info_buckets_check; "
        "UPDATE ledger.ledger_info SET buckets = 0",
        "ALTER TABLE ledger.ledger_info DROP CONSTRAINT ledger_info_pkey; "
        "INSERT INTO ledger.ledger_info SELECT * FROM ledger.ledger_info",
    ],
)
def test_damaged_tables_are_found_on_opening(
    ledger: Ledger, postgres_url: str, statement: str
) -> None:
    damage(postgres_url, statement)
    with pytest.raises(IntegrityError):
        Ledger.open(postgres_url)
    with pytest.raises(IntegrityError):
        asyncio.run(AsyncLedger.open(postgres_url))
