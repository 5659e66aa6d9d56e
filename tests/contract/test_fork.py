"""Forking: a session that goes on from another one, by reference."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger import InvalidArgument, InvalidEvent, NewEvent, SequenceConflict
from ledger.records import Record
from tests.contract.hashes import chain
from tests.support.builders import all_session_ids, note, notes, sequences, texts, whole_feed

Open = Callable[..., Any]
Stored = Callable[..., list[Record]]


@pytest.fixture
def parent(open_ledger: Open) -> Any:
    """A ledger of 8 buckets with session p: a b c d."""
    ledger = open_ledger(buckets=8)
    ledger.append("p", notes("abcd"))
    return ledger


def lineage(ledger: Any, session: str, **options: Any) -> list[str]:
    return texts(ledger.read(session, lineage=True, **options))


def test_a_fork_is_one_event_and_copies_nothing(parent: Any) -> None:
    answer = parent.fork("p", 2, "f")
    assert (answer.sequence, answer.stored, answer.event.type) == (1, True, "session.forked")
    assert answer.event.data == {"parent": "p", "at": 2}
    assert parent.read("f") == [answer.event]
    assert len(whole_feed(parent)) == 5
    assert sorted(all_session_ids(parent)) == ["f", "p"]


def test_a_read_with_lineage_yields_the_parents_prefix_first(parent: Any) -> None:
    parent.fork("p", 2, "f")
    parent.append("f", notes("xy"))
    events = parent.read("f", lineage=True)
    assert texts(events) == ["a", "b", "session.forked", "x", "y"]
    assert [event.session_id for event in events] == ["p", "p", "f", "f", "f"]
    assert sequences(events) == [1, 2, 1, 2, 3]
    assert events[:2] == parent.read("p", before=3)


def test_parent_and_fork_go_their_own_ways(parent: Any) -> None:
    parent.fork("p", 4, "f")
    parent.append("p", note("e"))
    parent.append("f", note("x"))
    assert texts(parent.read("p")) == list("abcde")
    assert texts(parent.read("f")) == ["session.forked", "x"]
    assert lineage(parent, "f") == ["a", "b", "c", "d", "session.forked", "x"]


def test_forks_of_forks_are_read_to_their_root(parent: Any) -> None:
    parent.fork("p", 3, "f")
    parent.append("f", notes("xy"))
    parent.fork("f", 2, "g")
    parent.append("g", note("z"))
    forked = "session.forked"
    assert lineage(parent, "g") == ["a", "b", "c", forked, "x", forked, "z"]
    parent.fork("g", 1, "h")
    assert lineage(parent, "h") == ["a", "b", "c", forked, "x", forked, forked]


def test_several_forks_share_a_parent(parent: Any) -> None:
    for at in (1, 2, 3):
        parent.fork("p", at, f"f{at}")
    assert [len(lineage(parent, f"f{at}")) for at in (1, 2, 3)] == [2, 3, 4]


def test_the_chain_of_a_fork_begins_with_its_parents_event(parent: Any, stored: Stored) -> None:
    behind = parent.read("p")[1].event_hash
    parent.fork("p", 2, "f")
    parent.append("f", note())
    rows = stored(parent, "f")
    assert [row.event_hash for row in rows] == chain(rows, behind)


def test_a_repeated_fork_is_the_first_one(parent: Any) -> None:
    first = parent.fork("p", 2, "f")
    parent.append("f", note("x"))
    parent.append("p", note("e"))
    again = parent.fork("p", 2, "f")
    assert (again.stored, again.event, parent.head("f")) == (False, first.event, 2)


def test_the_bounds_apply_to_each_part_of_a_lineage(parent: Any) -> None:
    parent.fork("p", 3, "f")
    parent.append("f", [NewEvent({"text": "x"}, "other", run_id="r"), note("y"), note("z")])
    forked = "session.forked"
    assert lineage(parent, "f", types=["note"]) == ["a", "b", "c", "y", "z"]
    assert lineage(parent, "f", after=2) == ["c", "y", "z"]
    assert lineage(parent, "f", before=3) == ["a", "b", forked, "x"]
    assert lineage(parent, "f", run_id="r") == ["x"]


def test_the_limit_of_a_lineage_comes_last(parent: Any) -> None:
    parent.fork("p", 3, "f")
    parent.append("f", notes("xy"))
    assert lineage(parent, "f", limit=2) == ["a", "b"]
    assert lineage(parent, "f", limit=4) == ["a", "b", "c", "session.forked"]
    assert lineage(parent, "f", limit=0) == []


def test_a_lineage_newest_first_is_the_exact_reverse(parent: Any) -> None:
    parent.fork("p", 3, "f")
    parent.append("f", notes("xy"))
    whole = lineage(parent, "f")
    assert lineage(parent, "f", newest_first=True) == whole[::-1]
    assert lineage(parent, "f", newest_first=True, limit=4) == whole[::-1][:4]


def test_the_lineage_of_a_session_that_is_no_fork_is_the_session(parent: Any) -> None:
    assert parent.read("p", lineage=True) == parent.read("p")


def test_a_fork_stays_within_its_tenant(parent: Any) -> None:
    parent.append("p", note("theirs"), tenant="t")
    parent.fork("p", 1, "f", tenant="t")
    assert texts(parent.read("f", tenant="t", lineage=True)) == ["theirs", "session.forked"]
    assert parent.head("f") == 0
    with pytest.raises(InvalidArgument):
        parent.fork("p", 1, "g", tenant="u")


@pytest.mark.parametrize("at", [0, 5, 99])
def test_a_fork_needs_an_event_to_begin_behind(parent: Any, at: int) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parent.fork("p", at, "f")
    assert (caught.value.argument, parent.head("f")) == ("at", 0)


@pytest.mark.parametrize("at", [-1, 1.0, "1", None, True, 2**63])
def test_a_place_that_is_no_sequence_is_refused(parent: Any, at: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parent.fork("p", at, "f")
    assert caught.value.argument == "at"


def test_a_session_cannot_be_forked_into_itself(parent: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parent.fork("p", 1, "p")
    assert (caught.value.argument, parent.head("p")) == ("into", 4)


def test_a_session_that_has_events_cannot_become_a_fork(parent: Any) -> None:
    parent.append("f", note("first"))
    with pytest.raises(SequenceConflict):
        parent.fork("p", 1, "f")
    assert texts(parent.read("f")) == ["first"]


def test_a_session_is_forked_once(parent: Any) -> None:
    parent.fork("p", 2, "f")
    with pytest.raises(SequenceConflict):
        parent.fork("p", 3, "f")
    with pytest.raises(SequenceConflict):
        parent.fork("f", 1, "p")


def test_only_fork_writes_forks(parent: Any) -> None:
    with pytest.raises(InvalidEvent) as caught:
        parent.append("f", NewEvent({"parent": "p", "at": 1}, "session.forked"))
    assert caught.value.field == "type"


# Together with deletion.


def test_what_is_deleted_cannot_be_forked(parent: Any) -> None:
    parent.delete("p")
    for at in (1, 5):
        with pytest.raises(InvalidArgument) as caught:
            parent.fork("p", at, "f")
        assert caught.value.argument == "at"
    parent.append("p", note("new"))
    assert parent.fork("p", 6, "f").stored
    assert lineage(parent, "f") == ["new", "session.forked"]


def test_a_deleted_parent_is_hidden_from_its_forks_too(parent: Any) -> None:
    parent.fork("p", 2, "f")
    parent.append("f", note("x"))
    parent.delete("p")
    parent.append("p", note("new"))
    assert lineage(parent, "f") == ["session.forked", "x"]
    assert lineage(parent, "f", deleted=True) == ["a", "b", "session.forked", "x"]


def test_a_deleted_fork_leaves_its_parent_alone(parent: Any) -> None:
    parent.fork("p", 2, "f")
    assert parent.delete("f")
    assert lineage(parent, "f") == []
    assert texts(parent.read("p")) == list("abcd")
    parent.append("f", note("new"))
    assert lineage(parent, "f") == ["new"]


def test_a_deleted_session_cannot_become_a_fork(parent: Any) -> None:
    parent.append("f", note())
    parent.delete("f")
    with pytest.raises(InvalidArgument) as caught:
        parent.fork("p", 1, "f")
    assert caught.value.argument == "into"


@pytest.mark.parametrize("back", [False, True], ids=["hidden", "come back"])
def test_a_deleted_fork_is_not_forked_again(parent: Any, back: bool) -> None:
    parent.fork("p", 2, "f")
    parent.delete("f")
    if back:
        parent.append("f", note("x"))
    with pytest.raises(InvalidArgument) as caught:
        parent.fork("p", 2, "f")
    assert caught.value.argument == "into"
    assert texts(parent.read("f")) == (["x"] if back else [])


def test_a_place_behind_every_sequence_is_refused(parent: Any) -> None:
    for at in (2**63 - 1, 2**63 - 2, 0):
        with pytest.raises(InvalidArgument) as caught:
            parent.fork("p", at, "f")
        assert caught.value.argument == "at"


def test_forks_of_forks_have_no_limit(parent: Any) -> None:
    parent.fork("p", 2, "f0")
    for number in range(300):
        parent.fork(f"f{number}", 1, f"f{number + 1}")
    events = parent.read("f300", lineage=True)
    assert texts(events) == ["a", "b", *["session.forked"] * 301]
