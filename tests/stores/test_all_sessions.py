"""What concerns all sessions leaves none out to which somebody writes meanwhile."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from ledger.plans import Plan
from projections.session_stores import all_sessions
from projections.session_stores.qa import pruning
from projections.session_stores.qa.core import QACore
from projections.session_stores.qa.lifecycle_plans import LifecyclePlans
from projections.session_stores.snapshot.reading import SnapshotReading
from tests.support.agent_sessions import store_of as snapshots_of
from tests.support.builders import only_sync
from tests.support.cognee import DATASET, START, Clock, asked, each_backend, lifecycle_of, store_of
from tests.support.interrupting import interrupted
from tests.support.views import views_of

KEYS = [f"s{number}" for number in range(5)]
#: Who asks about all of them does so in four pages, the first of which is too small for an answer.
PAGES = 4
#: What is asked about all sessions, and of how many the answer is.
QUESTIONS: dict[str, Callable[[QACore], Plan[Any]]] = {
    "forget": lambda core: pruning.forget_elements(core, ["n"], None),
    "forget of a dataset": lambda core: pruning.forget_elements(core, ["n"], DATASET),
    "delete": lambda core: pruning.delete_dataset(core, DATASET),
    "prune": lambda core: pruning.prune(core, ()),
    "count": lambda core: LifecyclePlans(core).count("u", everyone=False),
    "stats": lambda core: LifecyclePlans(core).stats(None, everyone=True),
    "cost": lambda core: LifecyclePlans(core).costs(None, everyone=True),
    "list": lambda core: SnapshotReading(core.ledger, core.views, core.tenant).all_ids(),
}


def count(name: str, answer: Any) -> int:
    """Return of how many sessions an answer is."""
    if name == "list":
        return len({one.id for one in answer})
    if isinstance(answer, int):
        return answer
    [sums] = answer if name == "cost" else [answer]
    return int(sums.sessions)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sessions a page."""
    monkeypatch.setattr(all_sessions, "PAGE_SESSIONS", 2)


def used(ledger: Any, tenant: str, clock: Clock) -> Any:
    """Return a store in which there are five sessions, one begun after the other."""
    store = store_of(ledger, tenant=tenant, clock=clock)
    told = {"used_graph_element_ids": {"node_ids": ["n"]}, "dataset_id": DATASET}
    for key in KEYS:
        asked(store, "q", session=key, user_id="u", **told)
        lifecycle_of(store).accumulate_usage(key, user_id="u", model="m", tokens_in=1)
        clock.forward(1)
    return store


def seen(store: Any) -> None:
    """Have somebody else fold what was written."""
    store.core.views.sessions_page(tenant=store.core.tenant, limit=1)


@only_sync
@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("name", QUESTIONS)
def test_a_session_that_is_used_between_two_pages_is_not_left_out(ledger: Any, name: str) -> None:
    # What was used longest ago goes to the front; with a clock that is wrong, to the end.
    for key, seconds in (("s0", 100), ("s4", -100)):
        for after in range(1, PAGES + 1):
            clock = Clock()
            store = used(ledger, f"{key} {after}", clock)

            def go_on(
                store: Any = store, clock: Clock = clock, given: Any = (key, seconds)
            ) -> None:
                clock.now = START + timedelta(seconds=given[1])
                store.set_graph_context(given[0], "a -> b", user_id="u")
                seen(store)

            found = interrupted(QUESTIONS[name](store.core), after, go_on)
            assert count(name, found) == len(KEYS), (key, after)


@only_sync
@pytest.mark.usefixtures("small_pages")
def test_a_session_that_begins_or_begins_anew_between_two_pages_hides_no_other(ledger: Any) -> None:
    for seconds in (-100, 2, 100):
        for after in range(1, PAGES + 1):
            clock = Clock()
            store = used(ledger, f"{seconds} {after}", clock)

            def begin(store: Any = store, clock: Clock = clock, seconds: int = seconds) -> None:
                clock.now = START + timedelta(seconds=seconds)
                store.delete_session("s2", user_id="u")
                for key in ("s2", "new"):
                    asked(store, "q", session=key, user_id="u")
                seen(store)

            reading = SnapshotReading(ledger, views_of(ledger), store.core.tenant)
            found = interrupted(reading.all_ids(), after, begin)
            others = {store.core.place(key, "u").ledger_id for key in ("s0", "s1", "s3", "s4")}
            assert others <= {one.id for one in found}
            assert len({one.id for one in found}) == len(found)


@each_backend
@pytest.mark.usefixtures("small_pages")
def test_the_list_is_in_the_order_of_its_pages(ledger: Any) -> None:
    store = snapshots_of(ledger, tenant="t")
    clock = Clock()
    used(ledger, "t", clock).set_graph_context("s1", "a -> b", user_id="u")
    found, cursor = store.list(), None
    assert [one.id for one in found] == [f"cognee:u:s{number}" for number in (1, 4, 3, 2, 0)]
    paged = []
    while True:
        page = store.list_page(limit=2, cursor=cursor)
        paged += page.items
        cursor = page.cursor
        if cursor is None:
            break
    assert paged == found
