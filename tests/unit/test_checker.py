"""What verification finds in one record after the other; how it reads them is in the contract."""

from typing import Any

import msgspec
import pytest

from ledger import Ledger
from ledger.backends.base import Place
from ledger.checker import Checker
from ledger.digests import genesis, payload_digest
from ledger.records import Record
from tests.support.builders import notes


def stored() -> list[Record]:
    with Ledger.open("memory:") as ledger:
        ledger.append("s", notes("abc"))
        return ledger.backend.scan(Place(0), 10)


def findings(records: list[Record], buckets: int = 1) -> list[tuple[int, str]]:
    """Return the sequences and the problems that are found."""
    checker = Checker(buckets)
    for record in records:
        checker.add(record, genesis("", "s") if checker.starts_session(record) else None)
    return [(one.sequence, one.problem) for one in checker.report().findings]


SHORT = b"s" * 31
MOVED: list[tuple[dict[str, Any], str]] = [
    ({"position": 1}, "position 1 is not behind its predecessor's"),
    ({"position": 0}, "positions begin at 1, this is 0"),
]


def test_nothing_is_found_in_what_was_appended() -> None:
    assert findings(stored()) == []


@pytest.mark.parametrize(("changed", "problem"), MOVED, ids=lambda one: str(one))
def test_a_position_that_is_out_of_order_is_found(changed: dict[str, Any], problem: str) -> None:
    first, second, third = stored()
    assert findings([first, msgspec.structs.replace(second, **changed), third]) == [(2, problem)]


def test_a_salt_of_another_length_is_found_though_its_digest_fits() -> None:
    first, *others = stored()
    digest = payload_digest(SHORT, first.payload)
    salted = msgspec.structs.replace(first, salt=SHORT, payload_digest=digest)
    assert (1, "the salt is not 32 bytes long") in findings([salted, *others])


def test_a_session_that_stands_in_another_bucket_is_found() -> None:
    found = findings([msgspec.structs.replace(one, bucket=63) for one in stored()], buckets=64)
    assert found == [(1, "the session does not belong to this bucket")]
