"""Deleting: an event that hides what came before it, and life after it."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger import NewEvent, SequenceConflict
from tests.support.blocking import LoopThread
from tests.support.builders import (
    all_session_ids,
    note,
    notes,
    sequences,
    texts,
    together,
    whole_feed,
)
from tests.support.questions import Questions


@pytest.fixture
def deleted(ledger: Any) -> Any:
    """A ledger whose session s has a b, both deleted."""
    ledger.append("s", [note("a", event_id="a"), note("b", event_id="b")])
    assert ledger.delete("s", reason="asked to") is True
    return ledger


def test_u_12_a_deleted_session_is_gone_for_every_reader(deleted: Any) -> None:
    assert deleted.read("s") == []
    assert deleted.read("s", newest_first=True, limit=1) == []
    assert deleted.read("s", after=0, before=9, types=["note", "session.deleted"]) == []
    assert deleted.read("s", lineage=True) == []
    assert deleted.get("s", "a") is None
    assert all_session_ids(deleted) == []


def test_an_audit_read_still_shows_it(deleted: Any) -> None:
    events = deleted.read("s", deleted=True)
    assert (sequences(events), texts(events)) == ([1, 2, 3], ["a", "b", "session.deleted"])
    assert events[2].data == {"reason": "asked to"}
    assert deleted.get("s", "a", deleted=True) == events[0]
    assert deleted.get("s", events[2].event_id, deleted=True) == events[2]
    assert all_session_ids(deleted, deleted=True) == ["s"]
    assert sequences(deleted.read("s", deleted=True, newest_first=True, limit=2)) == [3, 2]


def test_the_head_is_not_reset(deleted: Any) -> None:
    assert deleted.head("s") == 3


def test_u_12_deleting_again_says_there_is_nothing(deleted: Any) -> None:
    assert deleted.delete("s") is False
    assert deleted.head("s") == 3


def test_numbers_go_on_in_the_new_incarnation(deleted: Any) -> None:
    assert deleted.append("s", note("c"), expected=3).sequence == 4
    with pytest.raises(SequenceConflict):
        deleted.append("s", note("d"), expected=0)


def test_u_12_a_new_incarnation_sees_only_itself(deleted: Any) -> None:
    deleted.append("s", note("c", event_id="c"))
    assert texts(deleted.read("s")) == ["c"]
    assert sequences(deleted.read("s", newest_first=True)) == [4]
    assert deleted.read("s", before=4) == []
    assert (deleted.get("s", "a"), deleted.get("s", "c").sequence) == (None, 4)
    assert all_session_ids(deleted) == ["s"]
    assert texts(deleted.read("s", deleted=True)) == ["a", "b", "session.deleted", "c"]


def test_a_session_can_be_deleted_again_and_again(ledger: Any) -> None:
    for number in range(3):
        ledger.append("s", note(str(number)))
        assert ledger.delete("s")
    ledger.append("s", note("last"))
    assert texts(ledger.read("s")) == ["last"]
    assert ledger.head("s") == 7


def test_other_sessions_and_tenants_are_left_alone(ledger: Any) -> None:
    for tenant, session in (("", "s"), ("", "S"), ("t", "s")):
        ledger.append(session, note(), tenant=tenant)
    ledger.delete("s")
    assert (ledger.read("s"), len(ledger.read("S")), len(ledger.read("s", tenant="t"))) == (
        [],
        1,
        1,
    )


def test_a_deletion_without_a_reason_says_nothing(ledger: Any) -> None:
    ledger.append("s", note())
    ledger.delete("s")
    assert ledger.read("s", deleted=True)[1].data == {}


def test_a_deletion_appended_as_an_event_hides_as_well(ledger: Any) -> None:
    ledger.append("s", [note("a"), NewEvent({"reason": "x"}, "session.deleted"), note("b")])
    assert texts(ledger.read("s")) == ["b"]
    ledger.append("s", notes("c"))
    ledger.append("s", [note("d"), NewEvent({}, "session.deleted")])
    assert (ledger.read("s"), all_session_ids(ledger), ledger.head("s")) == ([], [], 6)


def test_the_feed_keeps_everything(deleted: Any) -> None:
    assert texts(whole_feed(deleted)) == ["a", "b", "session.deleted"]


def test_deleting_at_once_deletes_once(ledger: Any) -> None:
    ledger.append("s", note())
    outcomes = together([lambda: ledger.delete("s")] * 8)
    assert sorted(outcomes) == [False] * 7 + [True]
    assert ledger.head("s") == 2


def test_deleting_while_others_append_gets_through(ledger: Any) -> None:
    ledger.append("s", note())
    calls = [lambda: ledger.append("s", note())] * 20 + [lambda: ledger.delete("s")] * 2
    outcomes = together(calls)
    assert [one for one in outcomes if isinstance(one, Exception)] == []
    events = ledger.read("s", deleted=True)
    assert sequences(events) == list(range(1, len(events) + 1))
    assert 1 <= texts(events).count("session.deleted") <= 2


def test_a_session_that_others_write_to_is_deleted_at_the_first_try(
    ledger: Any, loop: LoopThread | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.append("s", note("a"))
    questions = Questions(ledger, loop, monkeypatch, "head")
    others = [lambda: ledger.append("s", note("b"))]
    questions.interrupt(dict.fromkeys(range(1, 10), others))
    assert ledger.delete("s", reason="asked to") is True
    assert questions.asked == ["head"]
    questions.interrupt({})
    assert texts(ledger.read("s", deleted=True)) == ["a", "b", "session.deleted"]
    assert ledger.read("s") == []


@pytest.mark.parametrize("again", [False, True], ids=["gone", "come back"])
def test_a_session_that_somebody_else_has_just_deleted_is_looked_at_again(
    ledger: Any, loop: LoopThread | None, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    ledger.append("s", note("a"))
    questions = Questions(ledger, loop, monkeypatch, "head")
    others: list[Callable[[], Any]] = [lambda: ledger.delete("s")]
    if again:
        others.append(lambda: ledger.append("s", note("b")))
    questions.interrupt({1: others})
    assert ledger.delete("s") is again
    assert questions.asked == ["head", "head"]
    deletion = "session.deleted"
    found = ["a", deletion, "b", deletion] if again else ["a", deletion]
    assert texts(ledger.read("s", deleted=True)) == found
