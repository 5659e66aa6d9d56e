"""The evidence: the same bytes and the same chain on every backend, recomputed from scratch."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import pytest

from ledger import Append, NewEvent, digests
from ledger.records import Record
from tests.contract import hashes
from tests.support.builders import note, notes, on_memory

Open = Callable[..., Any]
Stored = Callable[..., list[Record]]
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def unsalted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Salts that are all zero, so that equal inputs have equal digests."""
    monkeypatch.setattr("ledger.batch.new_salt", lambda: bytes(32))


def by_session(rows: list[Record]) -> Iterator[tuple[tuple[str, str], list[Record]]]:
    for key, group in groupby(rows, key=lambda row: (row.tenant, row.session_id)):
        yield key, list(group)


def test_every_chain_can_be_recomputed(open_ledger: Open, stored: Stored) -> None:
    ledger = open_ledger(buckets=3)
    full = {"run_id": "r", "actor": "ü", "causation_id": "c", "trace_id": "t", "span_id": "p"}
    ledger.append("s", [note("a"), note("b", **full, metadata={"k": 1}, occurred_at=NOON)])
    ledger.append("s", [note("a"), NewEvent(b"\0\xff", "blob", content_type="x")], tenant="t")
    ledger.append_many([Append("s", note("c")), Append("u", notes("de")), Append("s", note("f"))])
    ledger.append("s", note("g"))
    ledger.delete("s")
    rows = stored(ledger)
    assert len(rows) == 10
    for key, session in by_session(rows):
        expected = hashes.chain(session, hashes.genesis(*key))
        assert [row.event_hash for row in session] == expected


def test_readers_get_the_stored_hash(ledger: Any, stored: Stored) -> None:
    answers = ledger.append("s", notes("abc"))
    expected = [row.event_hash for row in stored(ledger)]
    assert [answer.event.event_hash for answer in answers] == expected
    assert [event.event_hash for event in ledger.read("s")] == expected
    assert [event.event_hash for event in ledger.feed().events] == expected


def test_the_bytes_that_are_stored_are_the_bytes_that_are_hashed(
    ledger: Any, stored: Stored
) -> None:
    payload = {"b": [1.0, 1e22, -0.0, 2**64 - 1], "a": "ü\u2028🙂", "ä": {"z": None, "y": []}}
    ledger.append("s", NewEvent(payload, "x", metadata={"ü": 1}))
    (row,) = stored(ledger)
    assert row.payload == (
        '{"a":"ü\u2028🙂","b":[1.0,1e22,-0.0,18446744073709551615],"ä":{"y":[],"z":null}}'.encode()
    )
    assert row.metadata == '{"ü":1}'
    assert row.payload_digest == digests.payload_digest(row.salt, row.payload)


def test_equal_payloads_have_different_digests(ledger: Any, stored: Stored) -> None:
    ledger.append("s", [note("same"), note("same")])
    one, other = stored(ledger)
    assert one.payload == other.payload
    assert one.salt != other.salt
    assert one.payload_digest != other.payload_digest


@pytest.mark.usefixtures("unsalted")
def test_equal_inputs_have_equal_digests_on_every_backend(
    open_ledger: Open, stored: Stored
) -> None:
    ledger = open_ledger(buckets=1)
    ledger.append(
        "ü",
        NewEvent({"b": 1.5, "a": ["ü🙂", None]}, "x", "e", "r", NOON, 7, metadata={"m": True}),
        tenant="t",
    )
    (row,) = stored(ledger)
    assert row.payload_digest.hex() == PAYLOAD_DIGEST
    assert hashes.body(row).hex() == BODY_DIGEST
    expected = hashes.chain([row], bytes.fromhex(GENESIS))
    assert [row.event_hash] == expected


# Computed once by hand from the format's definition; a change here breaks every ledger there is.
PAYLOAD_DIGEST = "a31bbc26b0a8329aeb84d31269cf2a9452848d5ed170b771c30b00e55ba76c15"
BODY_DIGEST = "4ae0100fb045f8889799cf596be1a314e2bd36c7b9f7320fb6dc53e3c33dcea1"
GENESIS = "04dd768a142d23bdb2c08db5345ea01b7fdbd29d1c800131354f8e31332b5b08"


@on_memory
def test_the_definition_and_the_implementation_agree(ledger: Any, stored: Stored) -> None:
    ledger.append("s", note("a", run_id="r", actor=None, metadata={"k": 1}), tenant="t")
    (row,) = stored(ledger)
    meta = digests.meta_digest(
        row.actor, row.causation_id, row.correlation_id, row.trace_id, row.span_id, row.metadata
    )
    body = digests.body_digest(
        row.tenant,
        row.session_id,
        row.event_id,
        row.occurred_us,
        row.type,
        row.schema_version,
        row.run_id,
        row.content_type,
        meta,
        row.payload_digest,
    )
    assert body == hashes.body(row)
    first = digests.genesis("t", "s")
    assert first == hashes.genesis("t", "s")
    assert digests.event_hash(first, 1, row.recorded_us, body) == row.event_hash


@pytest.mark.parametrize("page_events", [1, 2, 1_000])
def test_a_scan_of_any_page_size_meets_every_row_once(
    open_ledger: Open, stored: Stored, page_events: int
) -> None:
    ledger = open_ledger(buckets=2)
    for tenant, session in (("", "b"), ("t", "a"), ("", "a"), ("t", "ü"), ("", "A")):
        ledger.append(session, notes("12"), tenant=tenant)
    rows = stored(ledger, page_events=page_events)
    keys = [(row.bucket, row.tenant, row.session_id, row.sequence) for row in rows]
    assert len(keys) == 10
    assert keys == sorted(keys)
