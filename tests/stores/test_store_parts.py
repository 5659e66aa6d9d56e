"""Every store is made with views of its own ledger, of its own face, and with a clock that tells."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from ledger import AsyncLedger, InvalidArgument, Ledger
from projections import AsyncViews, Views
from projections.session_stores import conversation, orchestrator, qa, snapshot
from tests.support.agent_sessions import session_of
from tests.support.cognee import START, asked
from tests.support.conversations import SCENARIO, TENANT

#: Both faces of each.
STORES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "conversation": (conversation.ConversationStore, conversation.AsyncConversationStore),
    "orchestrator": (orchestrator.OrchestratorStore, orchestrator.AsyncOrchestratorStore),
    "qa": (qa.QAStore, qa.AsyncQAStore),
    "snapshot": (snapshot.SnapshotStore, snapshot.AsyncSnapshotStore),
}
each_store = pytest.mark.parametrize("store", STORES)


async def _later() -> datetime:
    return START


WRONG_CLOCKS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "naive": lambda: datetime(2026, 1, 1),
    "number": lambda: 5,
    "text": START.isoformat,
    "async": _later,
}


def with_both_faces(use: Callable[[Ledger, AsyncLedger], None]) -> None:
    """Call a function with a ledger of each face."""

    async def call() -> None:
        async with await AsyncLedger.open("memory:") as other:
            with Ledger.open("memory:") as ledger:
                use(ledger, other)

    asyncio.run(call())


@each_store
def test_views_of_another_ledger_are_refused(store: str) -> None:
    one, twin = STORES[store]

    async def made_async() -> None:
        first, second = await AsyncLedger.open("memory:"), await AsyncLedger.open("memory:")
        with pytest.raises(InvalidArgument, match=r"views.*same ledger"):
            twin(first, views=AsyncViews(second))
        twin(first, views=AsyncViews(first))

    asyncio.run(made_async())
    first, second = Ledger.open("memory:"), Ledger.open("memory:")
    with pytest.raises(InvalidArgument, match=r"views.*same ledger"):
        one(first, views=Views(second))
    one(first, views=Views(first))


@each_store
def test_a_ledger_or_views_of_the_other_face_are_refused(store: str) -> None:
    one, twin = STORES[store]

    def use(ledger: Ledger, other: AsyncLedger) -> None:
        for make, own, foreign, views in (
            (one, ledger, other, AsyncViews(other)),
            (twin, other, ledger, Views(ledger)),
        ):
            with pytest.raises(InvalidArgument, match="ledger"):
                make(foreign)
            with pytest.raises(InvalidArgument, match="ledger"):
                make(foreign, views=views)
            for wrong in (views, own, "views", 5):
                with pytest.raises(InvalidArgument, match="views"):
                    make(own, views=wrong)
            with pytest.raises(InvalidArgument, match="ledger"):
                make(None)

    with_both_faces(use)


@pytest.mark.parametrize("store", ["conversation", "qa", "snapshot"])
def test_a_clock_that_cannot_be_asked_is_refused(store: str) -> None:
    def use(ledger: Ledger, other: AsyncLedger) -> None:
        for make, on in zip(STORES[store], (ledger, other), strict=True):
            for wrong in (START, 5, "now"):
                with pytest.raises(InvalidArgument, match="clock"):
                    make(on, clock=wrong)

    with_both_faces(use)


@pytest.mark.parametrize("clock", WRONG_CLOCKS.values(), ids=WRONG_CLOCKS)
def test_a_clock_that_tells_no_time_is_refused_before_anything_is_stored(
    clock: Callable[[], Any],
) -> None:
    with Ledger.open("memory:") as ledger:
        store: Any = qa.QAStore(ledger, clock=clock, session_ttl_s=5)
        with pytest.raises(InvalidArgument, match="clock"):
            asked(store, "q")
        asked(qa.QAStore(ledger), "q")
        for read in (lambda: store.get_all_qa_entries("s"), lambda: qa.QALifecycle(store).stats()):
            with pytest.raises(InvalidArgument, match="clock"):
                read()
        talks = conversation.ConversationStore(ledger, tenant_id=TENANT, clock=clock)
        with pytest.raises(InvalidArgument, match="clock"):
            talks.find_sessions_by_step_hash(TENANT, SCENARIO, 1, "hash")
        with pytest.raises(InvalidArgument, match="clock"):
            snapshot.SnapshotStore(ledger, clock=clock).save(session_of(1))
        assert ledger.head("s") == 2


COMPANIONS: dict[str, Callable[[Any], Any]] = {
    "lifecycle": qa.QALifecycle,
    "cache": qa.CogneeCache,
}
ASYNC_COMPANIONS: dict[str, Callable[[Any], Any]] = {
    "lifecycle": qa.AsyncQALifecycle,
    "cache": qa.AsyncCogneeCache,
}


@pytest.mark.parametrize("companion", COMPANIONS)
def test_what_goes_with_a_store_is_made_with_a_store_of_its_face(companion: str) -> None:
    def use(ledger: Ledger, other: AsyncLedger) -> None:
        own, foreign = qa.QAStore(ledger), qa.AsyncQAStore(other)
        for make, right, wrong in (
            (COMPANIONS[companion], own, foreign),
            (ASYNC_COMPANIONS[companion], foreign, own),
        ):
            for given in (wrong, ledger, None, own.core):
                with pytest.raises(InvalidArgument, match="store"):
                    make(given)
            make(right)

    with_both_faces(use)
