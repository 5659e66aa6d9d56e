"""Following: live events of the whole log or of one session, until somebody closes."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger import BackendUnavailable, InvalidArgument, InvalidCursor, InvalidEvent, NewEvent
from ledger.cursor import start
from ledger.following import FOLLOW_WAIT_S, FeedSource, next_page
from ledger.plans import run
from tests.support.builders import (
    DEADLINE_S,
    background,
    note,
    notes,
    on_durable,
    on_memory,
    only_sync,
    sequences,
    take,
    texts,
    whole_feed,
)

Open = Callable[..., Any]


def test_following_the_log_begins_with_what_is_there(ledger: Any) -> None:
    ledger.append("a", notes("12"))
    follower = ledger.follow()
    assert take(follower, 2) == ledger.read("a")


def test_live_events_of_the_log_arrive(ledger: Any) -> None:
    follower = ledger.follow()
    coming = background(lambda: take(follower, 3))
    ledger.append("a", note("1"))
    ledger.append("b", notes("23"), tenant="t")
    assert sorted(texts(coming.result(DEADLINE_S))) == ["1", "2", "3"]


def test_live_events_of_a_session_arrive_and_no_others(ledger: Any) -> None:
    follower = ledger.follow("s", tenant="t")
    coming = background(lambda: take(follower, 2))
    ledger.append("s", note("no"))
    ledger.append("other", note("no"), tenant="t")
    ledger.append("s", note("1"), tenant="t")
    ledger.append("s", note("2"), tenant="t")
    assert texts(coming.result(DEADLINE_S)) == ["1", "2"]


def test_a_session_is_followed_from_behind_a_sequence(ledger: Any) -> None:
    ledger.append("s", notes("abc"))
    assert sequences(take(ledger.follow("s", after=1), 2)) == [2, 3]


def test_the_log_is_followed_from_a_cursor(ledger: Any) -> None:
    ledger.append("s", notes("ab"))
    cursor = ledger.feed().cursor
    ledger.append("s", note("c"))
    assert texts(take(ledger.follow(cursor=cursor), 1)) == ["c"]


def test_a_followers_cursor_is_behind_what_it_handed_out(open_ledger: Open) -> None:
    ledger = open_ledger(buckets=4)
    for number in range(12):
        ledger.append(f"s{number}", note(str(number)))
    follower = ledger.follow()
    seen: list[str] = []
    for count in range(12):
        cursor = follower.cursor
        assert len(whole_feed(ledger, cursor)) == 12 - count
        seen += texts(take(follower, 1))
    assert sorted(seen, key=int) == [str(number) for number in range(12)]
    assert ledger.feed(follower.cursor).events == []


def test_a_followers_sequence_is_that_of_the_last_event_it_handed_out(ledger: Any) -> None:
    ledger.append("s", notes("abc"))
    follower = ledger.follow("s", after=1)
    assert follower.sequence == 1
    for sequence in (2, 3):
        take(follower, 1)
        assert follower.sequence == sequence
    ledger.delete("s")
    assert follower.sequence == 3
    ledger.append("s", notes("de"))
    assert texts(take(follower, 1)) == ["d"]
    assert follower.sequence == 5
    follower.close()
    assert texts(take(ledger.follow("s", after=follower.sequence), 1)) == ["e"]


def test_a_filtering_followers_sequence_is_that_of_an_event_that_fits(ledger: Any) -> None:
    events = [NewEvent({"text": name}, name) for name in "abcab"]
    ledger.append("s", events)
    follower = ledger.follow("s", types=["a"])
    assert follower.sequence == 0
    assert texts(take(follower, 2)) == ["a", "a"]
    assert follower.sequence == 4


def test_a_filtering_follower_leaves_the_others_out(ledger: Any) -> None:
    for number in range(6):
        event = NewEvent({"text": str(number)}, "ab"[number % 2])
        ledger.append("s", event, tenant="tu"[number % 3 == 0])
    assert texts(take(ledger.follow(types=["a"]), 3)) == ["0", "2", "4"]
    assert texts(take(ledger.follow(types=["a"], tenant="t"), 2)) == ["2", "4"]
    assert texts(take(ledger.follow("s", types=["b"], tenant="t"), 2)) == ["1", "5"]


def test_a_filtering_follower_does_not_look_at_the_same_events_again(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.append("s", notes("abc"))
    follower = ledger.follow(types=["rare"])
    coming = background(lambda: take(follower, 1))
    ledger.append("s", NewEvent({"text": "found"}, "rare"))
    assert texts(coming.result(DEADLINE_S)) == ["found"]
    assert ledger.feed(follower.cursor).events == []


def test_two_followers_do_not_share_their_places(ledger: Any) -> None:
    ledger.append("s", notes("ab"))
    one, other = ledger.follow(), ledger.follow()
    assert (texts(take(one, 2)), texts(take(other, 1))) == (["a", "b"], ["a"])


@pytest.mark.parametrize("session", [None, "s"], ids=["log", "session"])
def test_closing_a_follower_from_elsewhere_ends_it(ledger: Any, session: str | None) -> None:
    ledger.append("s", note("a"))
    follower = ledger.follow(session)
    all_of_it = background(lambda: texts(follower))
    follower.close()
    assert all_of_it.result(DEADLINE_S) in ([], ["a"])


@pytest.mark.parametrize("session", [None, "s"], ids=["log", "session"])
def test_closing_the_ledger_ends_its_followers(ledger: Any, session: str | None) -> None:
    ledger.append("s", note("a"))
    follower = ledger.follow(session)
    arrived = iter(follower)
    assert texts([next(arrived)]) == ["a"]
    rest = background(lambda: list(arrived))
    ledger.close()
    assert rest.result(DEADLINE_S) == []


def test_a_closed_follower_hands_nothing_out(ledger: Any) -> None:
    ledger.append("s", notes("ab"))
    follower = ledger.follow()
    take(follower, 1)
    follower.close()
    follower.close()
    assert list(follower) == []


def test_a_follower_closes_itself_behind_a_with_block(ledger: Any) -> None:
    ledger.append("s", note())
    with ledger.follow() as follower:
        pass
    assert list(follower) == []


def test_what_is_hidden_does_not_reach_a_followed_session(ledger: Any) -> None:
    ledger.append("s", note("old"))
    ledger.delete("s")
    follower = ledger.follow("s")
    ledger.append("s", note("new"))
    assert texts(take(follower, 1)) == ["new"]


def test_following_goes_on_behind_a_deletion(ledger: Any) -> None:
    ledger.append("s", note("old"))
    follower = ledger.follow("s")
    assert texts(take(follower, 1)) == ["old"]
    ledger.delete("s")
    ledger.append("s", note("new"))
    assert texts(take(follower, 1)) == ["new"]


def test_what_was_read_ahead_of_a_deletion_is_still_handed_out(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.following.FOLLOW_PAGE_EVENTS", 3)
    ledger.append("s", notes("abcdefg"))
    follower = ledger.follow("s")
    arriving = iter(follower)
    assert texts([next(arriving)]) == ["a"]
    ledger.delete("s")
    ledger.append("s", note("new"))
    assert texts([next(arriving) for _ in range(3)]) == ["b", "c", "new"]
    assert follower.sequence == 9


def test_what_was_read_ahead_is_handed_out_when_the_ledger_is_closed(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.following.FOLLOW_PAGE_EVENTS", 3)
    ledger.append("s", notes("abcdefg"))
    arriving = iter(ledger.follow())
    assert texts([next(arriving)]) == ["a"]
    ledger.close()
    assert texts(arriving) == ["b", "c"]


@on_memory
@only_sync
def test_a_follower_of_a_server_that_is_away_rests_no_longer_than_a_wait(
    ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(bucket: int | None) -> int:
        raise BackendUnavailable("The server is away.")

    monkeypatch.setattr(ledger.backend, "token", away)
    rests: list[float] = []
    source = FeedSource(start(1), None, None)
    plan = next_page(ledger.backend, source, rests.append, lambda: len(rests) == 20)
    assert run(plan) == []
    assert max(rests) == FOLLOW_WAIT_S


def test_more_than_a_page_is_followed_without_a_gap(
    open_ledger: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.following.FOLLOW_PAGE_EVENTS", 3)
    ledger = open_ledger(buckets=2)
    for number in range(20):
        ledger.append(f"s{number % 4}", note(str(number)))
    events = take(ledger.follow(), 20)
    assert sorted(events, key=lambda event: (event.bucket, event.position)) == sorted(
        whole_feed(ledger), key=lambda event: (event.bucket, event.position)
    )
    assert sequences(take(ledger.follow("s1"), 5)) == [1, 2, 3, 4, 5]


@on_durable
def test_a_follower_sees_what_another_ledger_object_appends(open_ledger: Open) -> None:
    reader, writer = open_ledger(), open_ledger()
    follower = reader.follow()
    coming = background(lambda: take(follower, 2))
    writer.append("a", notes("12"))
    assert texts(coming.result(DEADLINE_S)) == ["1", "2"]


# What is refused.


def test_a_session_has_no_cursor(ledger: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ledger.follow("s", cursor=ledger.feed().cursor)
    assert caught.value.argument == "cursor"
    with pytest.raises(InvalidArgument, match="sequence"):
        _ = ledger.follow("s").cursor


def test_the_log_has_no_sequences(ledger: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ledger.follow(after=1)
    assert caught.value.argument == "after"
    with pytest.raises(InvalidArgument, match="cursor") as caught:
        _ = ledger.follow().sequence
    assert caught.value.argument == "sequence"


def test_arguments_are_checked_before_the_first_event(ledger: Any) -> None:
    with pytest.raises(InvalidCursor):
        ledger.follow(cursor="garbage")
    with pytest.raises(InvalidArgument):
        ledger.follow("s", after=-1)
    with pytest.raises(InvalidArgument):
        ledger.follow(types="a")
    with pytest.raises(InvalidEvent):
        ledger.follow("")
