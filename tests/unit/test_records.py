"""Rows become events by the position of their columns."""

from ledger import Event
from ledger.records import Record


def test_an_event_begins_with_the_columns_of_its_row() -> None:
    shared = Record.__struct_fields__.index("metadata") + 1
    assert Event.__struct_fields__[:shared] == Record.__struct_fields__[:shared]
