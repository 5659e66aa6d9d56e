"""The feed: every event of the log exactly once, page by page, from an opaque cursor."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ledger import InvalidArgument, InvalidCursor, LedgerClosed, NewEvent
from ledger.cursor import Cursor, encode
from tests.support.builders import (
    background,
    note,
    notes,
    on_durable,
    sequences,
    sessions_in_buckets,
    take,
    texts,
    whole_feed,
)

Open = Callable[..., Any]


@pytest.fixture
def wide(open_ledger: Open) -> Any:
    """An empty ledger of 4 buckets."""
    return open_ledger(buckets=4)


def test_an_empty_log_has_an_empty_page(ledger: Any) -> None:
    page = ledger.feed()
    assert (page.events, page.more) == ([], False)
    assert ledger.feed(page.cursor).cursor == page.cursor


def test_the_feed_of_one_bucket_is_the_order_of_appends(open_ledger: Open) -> None:
    ledger = open_ledger(buckets=1)
    for number in range(6):
        ledger.append(f"s{number % 2}", note(str(number)))
    page = ledger.feed()
    assert (texts(page.events), page.more) == (list("012345"), False)
    assert [event.position for event in page.events] == [1, 2, 3, 4, 5, 6]


def test_a_feed_event_is_the_event_a_reader_sees(ledger: Any) -> None:
    ledger.append("s", notes("ab", metadata={"k": 1}), tenant="t")
    assert ledger.feed().events == ledger.read("s", tenant="t")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 40, 41])
def test_pages_of_any_size_give_every_event_once_in_session_order(wide: Any, limit: int) -> None:
    for number in range(40):
        wide.append(f"s{number % 7}", note(str(number)))
    events = whole_feed(wide, limit=limit)
    assert len({(event.bucket, event.position) for event in events}) == len(events) == 40
    for number in range(7):
        session = f"s{number}"
        assert [e for e in events if e.session_id == session] == wide.read(session)


def test_a_cursor_goes_on_with_what_came_later(wide: Any) -> None:
    wide.append("a", notes("12"))
    cursor = wide.feed().cursor
    assert wide.feed(cursor).events == []
    wide.append("b", note("3"))
    wide.append("a", note("4"))
    assert sorted(texts(wide.feed(cursor).events)) == ["3", "4"]


def test_a_cursor_may_be_used_again(wide: Any) -> None:
    wide.append("a", notes("123"))
    cursor = wide.feed(limit=1).cursor
    assert wide.feed(cursor) == wide.feed(cursor)


@on_durable
def test_a_cursor_outlives_the_ledger_object(open_ledger: Open) -> None:
    first = open_ledger()
    first.append("a", notes("123"))
    cursor = first.feed(limit=2).cursor
    first.close()
    assert texts(open_ledger().feed(cursor).events) == ["3"]


def test_more_says_whether_the_log_goes_on(wide: Any) -> None:
    wide.append("a", notes("123"))
    page = wide.feed(limit=2)
    assert page.more
    page = wide.feed(page.cursor, limit=1)
    assert (texts(page.events), page.more) == (["3"], False)


def test_a_busy_bucket_does_not_starve_the_others(wide: Any) -> None:
    busy, *quiet = sorted(
        sessions_in_buckets(wide, 4), key=lambda session: wide.door.bucket("", session)
    )
    wide.append(busy, notes(map(str, range(40))))
    for session in quiet:
        wide.append(session, note(session))
    cursor, seen = None, []
    for _ in range(4):
        page = wide.feed(cursor, limit=4)
        cursor = page.cursor
        seen += texts(page.events)
    assert set(quiet) <= set(seen)


def test_types_and_tenant_filter_the_feed(wide: Any) -> None:
    for number in range(12):
        event = NewEvent({"text": str(number)}, "ab"[number % 2])
        wide.append(f"s{number % 3}", event, tenant="tu"[number % 4 < 2])
    everything = whole_feed(wide)
    of_a = [event for event in everything if event.type == "a"]
    of_t = [event for event in everything if event.tenant == "t"]
    for limit in (1, 2, 5, 100):
        assert sorted(texts(whole_feed(wide, types=["a"], limit=limit))) == sorted(texts(of_a))
        assert sorted(texts(whole_feed(wide, tenant="t", limit=limit))) == sorted(texts(of_t))
        both = whole_feed(wide, types=["a", "x"], tenant="t", limit=limit)
        assert sorted(texts(both)) == sorted(texts(e for e in of_a if e.tenant == "t"))
    assert (whole_feed(wide, types=[]), whole_feed(wide, tenant="")) == ([], [])


def test_a_filtering_cursor_moves_over_what_it_leaves_out(wide: Any) -> None:
    for number in range(20):
        wide.append(f"s{number}", note())
    page = wide.feed(types=["rare"])
    assert (page.events, page.more) == ([], False)
    assert whole_feed(wide, page.cursor) == []
    wide.append("s1", NewEvent({"text": "found"}, "rare"))
    assert texts(wide.feed(page.cursor, types=["rare"]).events) == ["found"]


def test_a_filtering_page_may_be_empty_while_the_log_goes_on(
    wide: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.reading.FEED_SCAN_EVENTS_MAX", 3)
    for number in range(10):
        wide.append(f"s{number}", note())
    wide.append("s3", NewEvent({"text": "found"}, "rare"))
    cursor, pages = None, []
    while True:
        pages.append(page := wide.feed(cursor, types=["rare"]))
        cursor = page.cursor
        if not page.more:
            break
    assert [text for page in pages for text in texts(page.events)] == ["found"]
    assert any(page.more and not page.events for page in pages)
    assert len(pages) == 4


def test_deletions_and_what_they_hide_stay_in_the_feed(ledger: Any) -> None:
    ledger.append("s", note("a"))
    ledger.delete("s")
    ledger.append("s", note("b"))
    assert texts(whole_feed(ledger)) == ["a", "session.deleted", "b"]


def test_a_repeated_event_is_in_the_feed_once(ledger: Any) -> None:
    event = note("a")
    for _ in range(3):
        ledger.append("s", [event, event])
    assert sequences(whole_feed(ledger)) == [1]


# Where the log ends now.


def test_the_end_of_an_empty_log_is_its_beginning(ledger: Any) -> None:
    cursor = ledger.end_cursor()
    ledger.append("s", note("1"))
    assert texts(ledger.feed(cursor).events) == ["1"]


def test_behind_the_end_of_the_log_is_what_comes_later(wide: Any) -> None:
    for number in range(12):
        wide.append(f"s{number}", note("before"))
    wide.delete("s3")
    cursor = wide.end_cursor()
    assert (wide.feed(cursor).events, wide.feed(cursor).more) == ([], False)
    assert wide.feed(cursor).cursor == cursor
    for number in range(6):
        wide.append(f"s{number}", note(str(number)))
    assert sorted(texts(whole_feed(wide, cursor))) == list("012345")
    assert sorted(texts(take(wide.follow(cursor=cursor), 6))) == list("012345")


def test_no_event_is_lost_or_given_twice_behind_an_end_among_appends(wide: Any) -> None:
    begun: set[str] = set()
    returned: set[str] = set()

    def append_some(writer: int) -> None:
        for number in range(25):
            text = f"{writer}-{number}"
            begun.add(text)
            wide.append(f"s{(writer + number) % 7}", note(text))
            returned.add(text)

    writers = [background(partial(append_some, writer)) for writer in range(4)]
    looks = []
    done = False
    while not done:
        done = all(writer.done() for writer in writers)
        before, cursor, until = {*returned}, wide.end_cursor(), {*begun}
        looks.append((before, cursor, until))
    for writer in writers:
        writer.result()
    assert len(returned) == 100
    for before, cursor, until in [*looks[:: 1 + len(looks) // 20], looks[-1]]:
        given = texts(whole_feed(wide, cursor))
        assert len(given) == len({*given})
        assert before.isdisjoint(given)
        assert returned - until <= {*given}
        # What was under way at that moment is on one side, and stays there.
        assert given == texts(whole_feed(wide, cursor))


@on_durable
def test_the_end_of_the_log_is_that_of_all_processes(open_ledger: Open) -> None:
    one, other = open_ledger(), open_ledger()
    other.append("s", note("before"))
    cursor = one.end_cursor()
    other.append("s", note("after"))
    assert texts(one.feed(cursor).events) == ["after"]


def test_a_closed_ledger_tells_no_end(ledger: Any) -> None:
    ledger.close()
    with pytest.raises(LedgerClosed):
        ledger.end_cursor()


# Cursors that are none.


@pytest.mark.parametrize("limit", [0, -1, 100_001, True, "10", None])
def test_a_page_size_out_of_bounds_is_refused(ledger: Any, limit: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ledger.feed(limit=limit)
    assert caught.value.argument == "limit"


@pytest.mark.parametrize(
    "garbage",
    ["", "x", "0", "null", "=" * 8, "ü", "a" * 10_000, "\0", "\ud800", 7, b"", ("a",)],
    ids=lambda value: ascii(value)[:12],
)
def test_garbage_is_no_cursor(ledger: Any, garbage: Any) -> None:
    for call in (
        lambda: ledger.feed(garbage),
        lambda: ledger.follow(cursor=garbage),
        lambda: ledger.list_session_ids(cursor=garbage),
    ):
        with pytest.raises(InvalidCursor, match="from the beginning"):
            call()


def test_a_damaged_cursor_is_no_cursor(wide: Any) -> None:
    wide.append("a", notes("123"))
    token = wide.feed(limit=2).cursor
    # A token is drawn at random: the character put in must differ from the one that was there.
    edited = token[:5] + ("B" if token[5] == "A" else "A") + token[6:]
    spaced = token[:5] + "\n" + token[5:]  # a lenient decoder of base64 skips what it does not know
    for damaged in (token[:-1], token[1:], token + "A", edited, spaced, token.swapcase()):
        with pytest.raises(InvalidCursor):
            wide.feed(damaged)


def test_a_cursor_of_another_ledger_is_refused(open_ledger: Open, tmp_path: Any) -> None:
    ledger = open_ledger()
    stranger = open_ledger(f"sqlite:///{tmp_path}/stranger.db", buckets=ledger.buckets)
    with pytest.raises(InvalidCursor, match="another ledger"):
        ledger.feed(stranger.feed().cursor)


def test_a_cursor_of_another_kind_of_list_is_refused(ledger: Any) -> None:
    ledger.append("s", note())
    of_sessions = ledger.list_session_ids(limit=1).cursor
    of_events = ledger.feed().cursor
    with pytest.raises(InvalidCursor):
        ledger.feed(of_sessions)
    with pytest.raises(InvalidCursor):
        ledger.list_session_ids(cursor=of_events)


def test_a_cursor_ahead_of_the_log_is_refused(ledger: Any) -> None:
    ahead = encode(Cursor((1,) * ledger.buckets), ledger.ledger_id)
    with pytest.raises(InvalidCursor, match="ahead"):
        ledger.feed(ahead)
