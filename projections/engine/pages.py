"""Consecutive records of a bucket: a page of them is whole, or it is none."""

from __future__ import annotations

from collections.abc import Sequence

from ledger import IntegrityError
from ledger.records import Record


def between(records: Sequence[Record], start: int, end: int) -> Sequence[Record] | None:
    """Return those of consecutive records that are a page, None if they are not all there."""
    first = start - records[0].position + 1 if records else -1
    page = records[first : first + end - start] if first >= 0 else []
    return page if [record.position for record in page] == [*range(start + 1, end + 1)] else None


def check_dense(bucket: int, start: int, end: int, records: Sequence[Record]) -> None:
    """Refuse a page in which a position of the bucket is missing."""
    expected = range(start + 1, end + 1)
    if [record.position for record in records] != list(expected):
        found = {record.position for record in records}
        missing = next((position for position in expected if position not in found), start + 1)
        raise IntegrityError(f"Position {missing} of bucket {bucket} is missing.")
