"""Event ids in imports: one that its session has already is refused before its batch is stored."""

from typing import Any

import pytest

from ledger import ImportReport, InvalidImport
from tests.support.exports import forged, in_export_order, sealed

BATCH_EVENTS = 4
AT = 1_700_000_000_000_000


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.transfer.importing.IMPORT_BATCH_EVENTS", BATCH_EVENTS)


def with_ids(session: str, *event_ids: str, **fields: Any) -> list[bytes]:
    """Return the lines of a session whose events differ in nothing but these ids."""
    return forged(session, *({"event_id": one, "occurred_us": AT, **fields} for one in event_ids))


@pytest.mark.parametrize("content", [b"{}", b'{"other":1}'])
@pytest.mark.parametrize("again", ["e1", "e4"])
def test_an_id_of_an_earlier_batch_keeps_its_batch_out(
    ledger: Any, again: str, content: bytes
) -> None:
    events: list[dict[str, Any]] = [{"event_id": f"e{n}", "occurred_us": AT} for n in range(1, 9)]
    events[6] |= {"event_id": again, "payload": content}
    with pytest.raises(InvalidImport) as caught:
        ledger.import_lines(sealed(forged("s", *events)))
    assert (caught.value.line, caught.value.reason) == (8, f"event id '{again}' comes twice")
    assert (ledger.head("s"), ledger.verify().findings) == (4, ())


def test_an_id_that_only_this_ledger_knows_keeps_its_batch_out(ledger: Any) -> None:
    """A file without a session's beginning does not say which ids the session has."""
    lines = with_ids("s", "a", "b", "c", "a", "d")
    ledger.import_lines(sealed(lines[:3]))
    with pytest.raises(InvalidImport) as caught:
        ledger.import_lines(sealed(in_export_order(lines[3:] + forged("t", {}))))
    assert (caught.value.line, caught.value.reason) == (3, "event id 'a' comes twice")
    assert (ledger.head("s"), ledger.head("t")) == (3, 0)


def test_ids_are_each_sessions_own(ledger: Any) -> None:
    ids = [f"e{n}" for n in range(6)]
    lines = sealed(in_export_order(with_ids("s", *ids) + with_ids("t", *ids)))
    assert ledger.import_lines(lines) == ImportReport(stored=12)
    assert ledger.import_lines(lines) == ImportReport(already_stored=12)
    assert list(ledger.export_lines()) == lines


def test_ids_that_only_seem_to_come_again_are_stored(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.transfer.event_ids._PLACES", 2)
    lines = sealed(with_ids("s", *(f"e{n}" for n in range(20))))
    assert ledger.import_lines(lines) == ImportReport(stored=20)
    assert list(ledger.export_lines()) == lines


def test_a_file_without_a_sessions_beginning_goes_on_with_it(ledger: Any) -> None:
    lines = with_ids("s", *(f"e{n}" for n in range(20)))
    ledger.import_lines(sealed(lines[:7]))
    assert ledger.import_lines(sealed(lines[5:])) == ImportReport(stored=13, already_stored=2)
    assert ledger.import_lines(sealed(lines[9:])) == ImportReport(already_stored=11)
    assert list(ledger.export_lines()) == sealed(lines)
