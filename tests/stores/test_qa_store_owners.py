"""A user's sessions are the user's in every list, whoever began them; names carry cognee's ids."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from ledger import InvalidArgument, NewEvent
from projections.session_stores.orchestrator import (
    AsyncOrchestratorStore,
    OrchestratorStore,
    SessionRecord,
)
from projections.session_stores.qa import ledger_session_id
from tests.support.blocking import Blocking
from tests.support.cognee import DATASET, START, Clock, asked, each_backend, lifecycle_of, store_of
from tests.support.views import views_of

OTHERS = {"user_id": "u:"}, {"user_id": "%3Au"}, {"user_id": "u "}, {"user_id": "U"}, {}


def orchestrator_of(ledger: Any) -> Any:
    if isinstance(ledger, Blocking):
        return Blocking(AsyncOrchestratorStore(ledger._target), ledger._loop)
    return OrchestratorStore(ledger)


def began(ledger: Any, session: str, user: str, second: int = 0, **said: Any) -> None:
    """Let another store begin a user's session, and use a model in it."""
    at = START.replace(second=second)
    used = {"model": "m", "cost_usd": 1.0, "input_tokens": 10}
    facts = [("session.created", {"status": "active"} | said), ("usage.recorded", used)]
    ledger.append(
        ledger_session_id(session, user),
        [NewEvent(data, type_, occurred_at=at) for type_, data in facts],
    )


@each_backend
def test_l_05_a_users_session_is_listed_before_anything_is_asked_in_it(ledger: Any) -> None:
    orchestrator = orchestrator_of(ledger)
    orchestrator.save_session(SessionRecord(id=ledger_session_id("s", "u"), agent_id="a"))
    used = NewEvent({"model": "m", "cost_usd": 2.0}, "usage.recorded")
    ledger.append(ledger_session_id("s", "u"), used)
    lists = lifecycle_of(store_of(ledger))
    record = lists.session_record("s", user_id="u")
    assert (record.session_id, record.user_id, record.cost_usd) == ("s", "u", 2.0)
    assert lists.session_records(user_id="u").items == [record]
    assert lists.session_records(everyone=True).items == [record]
    assert lists.count_sessions(user_id="u") == 1
    stats = lists.stats(user_id="u")
    assert (stats.sessions, stats.total_spend_usd) == (1, 2.0)
    assert [(one.model, one.cost_usd) for one in lists.cost_by_model(user_id="u")] == [("m", 2.0)]
    for who in OTHERS:
        assert lists.session_records(**who).items == lists.cost_by_model(**who) == []
        assert lists.count_sessions(**who) == lists.stats(**who).sessions == 0
    # And once the user is told there, it is there once.
    asked(store_of(ledger), "q", user_id="u")
    assert lists.count_sessions(user_id="u") == len(lists.session_records(user_id="u").items) == 1


@each_backend
def test_l_05_l_06_all_lists_of_a_user_agree_on_whose_session_it_is(ledger: Any) -> None:
    clock = Clock()
    store = store_of(ledger, clock=clock)
    lists = lifecycle_of(store)
    chosen = random.Random(5)
    seconds = [chosen.randrange(6) for _ in range(24)]
    for number, second in enumerate(seconds):
        session = f"s{number:02}"
        if number % 3:
            # Who else may have said whose it is changes nothing: the id says it.
            said = [{}, {"owner_id": "x"}, {"dataset_id": DATASET}][number % 4 % 3]
            began(ledger, session, "u", second, **said)
        else:
            clock.now = START.replace(second=second)
            lists.accumulate_usage(session, user_id="u", model="m", tokens_in=10, cost_usd=1.0)
        for who in OTHERS:
            if number < 3 and "user_id" in who:
                began(ledger, session, who["user_id"], second)
    clock.now = START.replace(second=10)
    every = lists.session_records(everyone=True, limit=500).items
    users = [one for one in every if one.user_id == "u"]
    assert len(users) == 24

    def pages(limit: int, **options: Any) -> list[Any]:
        found, cursor = [], None
        while True:
            page = lists.session_records(user_id="u", limit=limit, cursor=cursor, **options)
            assert len(page.items) <= limit
            found += page.items
            cursor = page.cursor
            if cursor is None:
                return found

    for limit in (1, 3, 7, 24, 25):
        assert pages(limit) == users
        assert pages(limit, descending=False) == users[::-1]
    assert pages(5, order_by="tokens_in", descending=False) == pages(24, order_by="cost_usd")[::-1]
    assert pages(5, dataset_id=DATASET) == [one for one in users if one.dataset_id == DATASET] != []
    bounds = {"since": START.replace(second=2), "until": START.replace(second=4)}
    within = [one for one in users if 2 <= one.last_activity_at.second < 4]
    assert pages(2, **bounds) == within
    assert lists.count_sessions(user_id="u", **bounds) == len(within) > 0
    assert lists.count_sessions(user_id="u") == 24
    stats = lists.stats(user_id="u")
    assert (stats.sessions, stats.tokens_in, stats.total_spend_usd) == (24, 240, 24.0)
    [cost] = lists.cost_by_model(user_id="u")
    assert (cost.sessions, cost.tokens_in, cost.cost_usd) == (24, 240, 24.0)
    assert lists.session_records(user_id="x").items == lists.cost_by_model(user_id="x") == []


@each_backend
def test_u_20_a_users_list_stands_still_while_others_write(ledger: Any) -> None:
    store = store_of(ledger, clock=Clock())
    lists = lifecycle_of(store)
    for number in range(6):
        began(ledger, f"s{number}", "u", number)
    first = lists.session_records(user_id="u", limit=2)
    assert [one.session_id for one in first.items] == ["s5", "s4"]
    # One that was seen becomes the user's, one is new; those to come stay where they are.
    told = NewEvent({"owner_id": "u"}, "session.rekeyed", occurred_at=START.replace(second=30))
    ledger.append(ledger_session_id("s4", "u"), told)
    began(ledger, "s9", "u", 31)
    # And one that is yet to come, by whoever that is.
    quiet = NewEvent({"owner_id": "u"}, "session.rekeyed", occurred_at=START.replace(second=2))
    ledger.append(ledger_session_id("s2", "u"), quiet)
    second = lists.session_records(user_id="u", limit=2, cursor=first.cursor)
    third = lists.session_records(user_id="u", limit=2, cursor=second.cursor)
    assert [one.session_id for one in second.items + third.items] == ["s3", "s2", "s1", "s0"]
    assert third.cursor is None


@each_backend
def test_a_beginning_of_ids_goes_with_the_owner_whose_they_are(
    open_ledger: Callable[..., Any],
) -> None:
    ledger = open_ledger(buckets=5)
    views = views_of(ledger)
    high, low = "a\U0010ffff:1", "a\ud7ff:2"
    for session in ("a:1", "a;", "a", high, low, "b"):
        ledger.append(session, NewEvent({"status": "active"}, "session.created"))
    ledger.append("z", NewEvent({"owner_id": "o"}, "session.created"))

    def listed(prefix: str) -> set[str]:
        return {
            one.session_id for one in views.sessions_page(owner_id="o", owner_prefix=prefix).items
        }

    assert listed("a:") == {"a:1", "z"}
    assert listed("a") == {"a:1", "a;", "a", high, low, "z"}
    assert listed("a\U0010ffff") == {high, "z"}
    assert listed("a\ud7ff") == {low, "z"}
    assert listed("\U0010ffff") == {"z"}
    page = views.sessions_page(owner_id="o", owner_prefix="a", limit=2)
    assert len(page.items) == 2
    assert views.sessions_page(owner_id="o", owner_prefix="a", limit=0).items == []
    with pytest.raises(InvalidArgument, match="owner_prefix"):
        views.sessions_page(owner_prefix="a")
    for wrong in ("", 5, "\0", "\ud800"):
        with pytest.raises(InvalidArgument, match="owner_prefix"):
            views.sessions_page(owner_id="o", owner_prefix=wrong)
