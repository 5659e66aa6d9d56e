"""Absence is no error: missing lists are empty, a missing single thing is None."""

from typing import Any

from tests.support.builders import note, take


def test_u_07_an_unknown_session_reads_as_nothing(ledger: Any) -> None:
    assert ledger.read("s") == []
    assert ledger.read("s", newest_first=True, limit=1, types=["x"], run_id="r") == []
    assert ledger.read("s", lineage=True, deleted=True) == []
    assert ledger.get("s", "e") is None
    assert ledger.get("s", "e", deleted=True) is None
    assert ledger.head("s") == 0


def test_u_07_an_unknown_tenant_has_nothing(ledger: Any) -> None:
    ledger.append("s", note())
    page = ledger.list_session_ids(tenant="nobody")
    assert (page.session_ids, page.cursor) == ([], None)
    assert ledger.feed(tenant="nobody").events == []


def test_u_07_an_unknown_event_is_none(ledger: Any) -> None:
    ledger.append("s", note(event_id="e"))
    assert ledger.get("s", "E") is None
    assert ledger.get("s", "x" * 5_000) is None
    assert ledger.get("S", "e") is None


def test_asm_61_62_an_unknown_session_becomes_known_with_its_first_event(ledger: Any) -> None:
    assert (ledger.read("s"), ledger.head("s")) == ([], 0)
    ledger.append("s", note())
    assert (len(ledger.read("s")), ledger.head("s")) == (1, 1)


def test_a_session_can_be_followed_before_it_exists(ledger: Any) -> None:
    follower = ledger.follow("s")
    ledger.append("s", note("a"))
    assert take(follower, 1) == ledger.read("s")


def test_deleting_what_is_not_there_says_so(ledger: Any) -> None:
    assert ledger.delete("s") is False
    assert (ledger.head("s"), ledger.feed().events) == (0, [])
