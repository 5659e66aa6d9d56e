"""Forks that stand before their parents' events: they wait for them, or nothing of them is stored."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ledger import ImportReport, InvalidImport, Ledger
from tests.support.builders import note, sessions_in_buckets, texts, whole_feed
from tests.support.exports import forged, hash_of, in_export_order, sealed
from tests.support.rebuilds import sync_twin

BATCH_EVENTS = 4


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.transfer.importing.IMPORT_BATCH_EVENTS", BATCH_EVENTS)


def timed(session: str, *times_us: int, **fields: Any) -> list[bytes]:
    """Return the lines of a session that was recorded at these times."""
    return forged(session, *({"recorded_us": one, **fields} for one in times_us))


def forked(session: str, parent: list[bytes], at: int, *times_us: int) -> list[bytes]:
    """Return the lines of a fork of a session, given by its lines."""
    name = msgspec.json.decode(parent[0])["session_id"]
    fork = {
        "type": "session.forked",
        "payload": msgspec.json.encode({"at": at, "parent": name}),
        "recorded_us": times_us[0],
    }
    events = [fork, *({"recorded_us": one} for one in times_us[1:])]
    return forged(session, *events, start=hash_of(parent[at - 1]))


def parents_at_each(ledger: Any) -> list[int]:
    """Return how far each fork's parent had come when the fork was stored, in the feed's order."""
    heads: dict[str, int] = {}
    found = []
    for event in whole_feed(ledger):
        heads[event.session_id] = event.sequence
        if event.type == "session.forked":
            found.append(heads.get(event.data["parent"], 0) - event.data["at"])
    return found


FILLER = timed("filler", *range(100, 130))


def test_a_fork_waits_with_all_of_its_session(open_ledger: Callable[..., Any]) -> None:
    parent = timed("p", 110, 120, 125)
    child = forked("c", parent, 2, 10, 11, 105, 109, 121, 122, 128, 129)
    lines = sealed(in_export_order([*parent, *child, *FILLER]))
    ledger = open_ledger(buckets=1)
    counts: list[int] = []
    report = ledger.import_lines(lines, progress=lambda done: counts.append(done.events))
    assert (report, counts[0], counts[-1]) == (ImportReport(stored=41), 2, 41)
    assert parents_at_each(ledger) == [0]
    assert (list(ledger.export_lines()), ledger.verify().findings) == (lines, ())
    assert ledger.import_lines(lines) == ImportReport(already_stored=41)


def test_forks_of_forks_wait_for_each_other(open_ledger: Callable[..., Any]) -> None:
    parent = timed("p", 90, 120)
    child = forked("c", parent, 2, 30, 31, 123)
    older = forked("d", child, 2, 20, 33, 34)
    young = forked("e", older, 3, 10, 127)
    other = forked("f", child, 3, 124, 126)
    known = forked("g", parent, 1, 80, 81)
    everything = [*parent, *child, *older, *young, *other, *known, *FILLER]
    lines = sealed(in_export_order(everything))
    ledger = open_ledger(buckets=1)
    assert ledger.import_lines(lines).stored == len(everything)
    assert [ahead >= 0 for ahead in parents_at_each(ledger)] == [True] * 5
    assert (list(ledger.export_lines()), ledger.verify().findings) == (lines, ())


def test_a_fork_before_its_parent_in_one_batch_needs_not_wait(ledger: Any) -> None:
    parent = timed("p", 20)
    lines = sealed(in_export_order([*parent, *forked("c", parent, 1, 10, 11)]))
    counts: list[int] = []
    ledger.import_lines(lines, progress=lambda done: counts.append(done.stored))
    assert counts == [3]
    assert ledger.verify().findings == ()


def test_an_export_that_has_a_fork_first_arrives(open_ledger: Callable[..., Any]) -> None:
    """Imported events may be ahead of the clock, and then what is forked from them is before them."""
    source = open_ledger(buckets=64)
    child, parent, grandchild = sessions_in_buckets(source, 3)
    ahead_us = time.time_ns() // 1_000 + 3_600_000_000
    source.import_lines(sealed(timed(parent, *range(ahead_us, ahead_us + 9))))
    source.fork(parent, 7, child)
    source.append(child, [note(str(number)) for number in range(9)])
    source.fork(child, 6, grandchild)
    source.append(grandchild, note("own"))
    lines = list(source.export_lines())
    order = [msgspec.json.decode(line)["session_id"] for line in lines[1:-1]]
    assert order.index(child) < order.index(grandchild) < order.index(parent)
    with Ledger.open("memory:", buckets=3) as target:
        assert target.import_lines(lines).stored == 21
        assert list(target.export_lines()) == lines
        assert target.verify().findings == ()
        assert texts(target.read(grandchild, lineage=True))[-1] == "own"
    assert source.import_lines(lines) == ImportReport(already_stored=21)


def test_a_parent_that_is_here_already_is_not_waited_for(ledger: Any) -> None:
    parent = timed("p", 110, 120)
    child = forked("c", parent, 2, 10, 11, 12, 13, 14)
    ledger.import_lines(sealed(parent))
    ledger.delete("p")
    counts: list[int] = []
    ledger.import_lines(sealed(child), progress=lambda done: counts.append(done.stored))
    assert counts == [4, 5]
    more = forked("c", parent, 2, 10, 11, 12, 13, 14, 15, 16)
    assert ledger.import_lines(sealed(more)) == ImportReport(stored=2, already_stored=5)
    assert ledger.import_lines(sealed(more[3:])) == ImportReport(already_stored=4)
    assert ledger.verify().findings == ()


def refused(ledger: Any, lines: list[bytes]) -> InvalidImport:
    """Return why an import is refused; what it leaves must be whole."""
    with pytest.raises(InvalidImport) as caught:
        ledger.import_lines(lines)
    assert ledger.verify().findings == ()
    list(ledger.export_lines())
    return caught.value


def test_without_its_parent_nothing_of_a_fork_is_stored(ledger: Any) -> None:
    parent = timed("p", 1, 2)
    child = forked("c", parent, 2, 10, 11, 109, 125)
    later = [*forked("d", child, 2, 12, 110), *forked("e", child, 2, 115)]
    lines = sealed(in_export_order([*child, *later, *FILLER[:-2]]))
    error = refused(ledger, lines)
    assert error.line == 2
    assert error.reason == (
        "event 2 of session 'p', from which 'c' was forked, is neither here nor in the file, so that"
        " nothing of 'c' is stored: import 'p' before, or both in one file"
    )
    assert [ledger.head(one) for one in "cde"] == [0, 0, 0]
    # The last batch, of three events, is refused with it.
    assert ledger.head("filler") == 25
    ledger.import_lines(sealed(parent))
    assert ledger.import_lines(lines) == ImportReport(stored=10, already_stored=25)
    assert [ledger.head(one) for one in ("c", "d", "e", "filler")] == [4, 2, 1, 28]


def test_a_small_file_with_a_fork_alone_stores_nothing(ledger: Any) -> None:
    parent = timed("p", 1)
    refused(ledger, sealed(in_export_order([*forked("c", parent, 1, 10, 11), *timed("o", 9)])))
    assert whole_feed(ledger) == []


@pytest.mark.parametrize(
    ("arrives", "wrong", "heads"),
    [(1, "c", [0, 0]), (1, "d", [1, 2]), (126, "c", [0, 0]), (126, "d", [0, 0])],
)
def test_a_fork_that_does_not_fit_keeps_its_parents_batch_out(
    ledger: Any, arrives: int, wrong: str, heads: list[int]
) -> None:
    parent, other = timed("p", arrives), timed("p", arrives + 1)
    child = forked("c", other if wrong == "c" else parent, 1, 3, 4, 122)
    copy = forked("c", parent, 1, 3, 4, 123)
    last = forked("d", copy if wrong == "d" else child, 3, 5, 6)
    error = refused(ledger, sealed(in_export_order([*parent, *child, *last, *FILLER])))
    at, name = (1, "p") if wrong == "c" else (3, "c")
    assert error.reason == f"prev_hash is not the hash of event {at} of '{name}'"
    assert [ledger.head(one) for one in "pcd"] == [*heads, 0]


def test_a_fork_from_a_sequence_that_its_parent_never_had_is_refused(ledger: Any) -> None:
    parent = timed("p", 110, 111)
    child = forked("c", [*parent, *timed("x", 112)], 3, 10, 11)
    error = refused(ledger, sealed(in_export_order([*parent, *child, *FILLER])))
    assert (error.line, error.reason[:21]) == (2, "event 3 of session 'p")
    assert ledger.head("c") == 0


def test_what_waits_is_bounded(ledger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = timed("p", 128)
    child = forked("c", parent, 1, 10, *range(100, 120))
    lines = in_export_order([*parent, *child, *FILLER])
    size = sum(len(line) for line in child)
    monkeypatch.setattr("ledger.transfer.waiting.WAITING_BYTES_MAX", size - 1)
    error = refused(ledger, sealed(lines))
    assert error.line == 2
    assert error.reason.startswith(
        "event 1 of session 'p', from which 'c' was forked, is neither here nor in"
        f" {size - 1} bytes of lines that wait for such events, so that nothing of 'c' is stored"
    )
    assert (ledger.head("c"), ledger.head("p")) == (0, 0)
    monkeypatch.setattr("ledger.transfer.waiting.WAITING_BYTES_MAX", size)
    ledger.import_lines(sealed(lines))
    assert list(ledger.export_lines()) == sealed(lines)


def test_what_waited_and_was_stored_waits_no_more(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[bytes] = []
    sizes = []
    for number in range(6):
        begin = 100 * number
        parent = timed(f"p{number}", begin + 9)
        child = forked(f"c{number}", parent, 1, *range(begin, begin + 8), begin + 50)
        lines += [*parent, *child, *timed(f"o{number}", *range(begin + 60, begin + 70))]
        sizes.append(sum(len(line) for line in child))
    monkeypatch.setattr("ledger.transfer.waiting.WAITING_BYTES_MAX", max(sizes))
    ledger.import_lines(sealed(in_export_order(lines)))
    assert list(ledger.export_lines()) == sealed(in_export_order(lines))


def test_what_waits_is_remembered_however_many_sessions_come(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.transfer.importing.KNOWN_SESSIONS_MAX", 2)
    parent = timed("p", 90)
    child = forked("c", parent, 1, *range(8, 89, 10))
    others = [line for number in range(60) for line in timed(f"o{number}", number, number + 30)]
    lines = sealed(in_export_order([*parent, *child, *others]))
    assert ledger.import_lines(lines).stored == 130
    assert (list(ledger.export_lines()), ledger.verify().findings) == (lines, ())


@pytest.mark.parametrize("right", "ab")
def test_forks_from_each_other_are_refused(ledger: Any, right: str) -> None:
    """One of the two hashes is made up: nobody can make both."""
    first, second = timed("a", 10), timed("b", 120)
    if right == "b":
        first = forked("a", second, 1, 10)
        second = forked("b", first, 1, 120)
    else:
        second = forked("b", first, 1, 120)
        first = forked("a", second, 1, 10)
    error = refused(ledger, sealed(in_export_order([*first, *second, *FILLER])))
    assert "prev_hash is not the hash of event 1" in error.reason
    assert [ledger.head(one) for one in "ab"] == [0, 0]


def test_an_id_that_comes_twice_in_what_waits_is_refused(ledger: Any) -> None:
    parent = timed("p", 128)
    times = [10, *range(100, 110)]
    name = {"at": 1, "parent": "p"}
    events: list[dict[str, Any]] = [{"recorded_us": one} for one in times]
    events[0] |= {"type": "session.forked", "payload": msgspec.json.encode(name)}
    events[10] |= {"event_id": "e3"}
    child = forged("c", *events, start=hash_of(parent[0]))
    error = refused(ledger, sealed(in_export_order([*parent, *child, *FILLER])))
    assert error.reason == "event id 'e3' comes twice"
    assert (ledger.head("c"), ledger.head("p")) == (0, 0)


def test_who_begins_a_session_while_it_waits_is_left_alone(ledger: Any, url: str) -> None:
    parent = timed("p", 126)
    lines = in_export_order([*parent, *forked("c", parent, 1, 10, 11, 12), *FILLER])
    with sync_twin(ledger, url) as other:
        done: list[Any] = []

        def begin(_: ImportReport) -> None:
            if not done:
                done.append(other.append("c", note("mine")))

        with pytest.raises(InvalidImport, match="'c' has another event 1 here") as caught:
            ledger.import_lines(sealed(lines), progress=begin)
    assert caught.value.line == 2
    assert (texts(ledger.read("c")), ledger.head("p")) == (["mine"], 1)
    assert ledger.verify().findings == ()


def test_a_parent_may_be_brought_by_somebody_else(ledger: Any, url: str) -> None:
    parent = timed("p", 126)
    child = forked("c", parent, 1, 10, 11, 12)
    lines = in_export_order([*child, *forked("d", child, 2, 8, 9), *FILLER])
    with sync_twin(ledger, url) as other:
        brought: list[Any] = []

        def bring(_: ImportReport) -> None:
            if not brought:
                brought.append(other.import_lines(sealed(parent)))

        assert ledger.import_lines(sealed(lines), progress=bring).stored == len(lines)
    assert ledger.verify().findings == ()
