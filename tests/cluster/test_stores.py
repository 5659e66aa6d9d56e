"""What a session store has written on several servers reads the same from a copy in memory."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger import Ledger
from projections.session_stores.conversation import SessionStatus
from projections.session_stores.orchestrator import OrchestratorStore
from tests.cluster.test_answers import twin
from tests.stores import orchestrator_cases as orchestrator
from tests.support import agent_sessions, cognee, conversations

COUNT = 8


def conversations_of(ledger: Ledger) -> tuple[Callable[[], None], Callable[[], Any]]:
    """Sessions at steps, one of them closed, one deleted."""
    store = conversations.store_of(ledger, clock=conversations.clock_from())

    def write() -> None:
        for number in range(100, 100 + COUNT):
            session = conversations.full_session(number) if number % 2 else None
            session = session or conversations.standing(number, step=number % 3)
            store.save(session)
            session.turn_count += 1
            store.save(session)
        store.delete(conversations.uuid(103))
        closed = store.get(conversations.uuid(104))
        closed.status = SessionStatus.CLOSED
        store.save(closed)

    def read() -> Any:
        ids = [conversations.uuid(number) for number in range(100, 100 + COUNT)]
        return (
            [store.get(one) for one in ids],
            store.list_by_agent(conversations.TENANT, conversations.AGENT, limit=3),
            store.find_sessions_by_step_hash(
                conversations.TENANT, conversations.SCENARIO, 1, "hash 1"
            ),
            store.get_by_channel(conversations.TENANT, "webchat", "user 102"),
        )

    return write, read


def orchestrators_of(ledger: Ledger) -> tuple[Callable[[], None], Callable[[], Any]]:
    """Sessions with runs and events."""
    store = OrchestratorStore(ledger)
    sessions = [f"s{number}" for number in range(COUNT)]

    def write() -> None:
        for one in sessions:
            store.save_session(orchestrator.session(one, status="active"))
            store.append_events(orchestrator.events(*"abc", session_id=one))
            store.save_run(orchestrator.run_of(one, f"run {one}", status="running"))
        store.delete_session("s3")

    def read() -> Any:
        kept = [one for one in sessions if one != "s3"]
        return (
            orchestrator.ids(store.list_sessions(agent_id="a")),
            [store.get_session(one) for one in kept],
            [store.get_events(one, limit=2) for one in kept],
            [store.get_active_run(one) for one in kept],
            [store.get_latest_sequence(one) for one in kept],
        )

    return write, read


def answers_of(ledger: Ledger) -> tuple[Callable[[], None], Callable[[], Any]]:
    """Sessions with a fact of every kind, and what is found over all of them."""
    store = cognee.store_of(ledger, clock=cognee.Clock())
    lifecycle = cognee.lifecycle_of(store)

    def write() -> None:
        for number in range(COUNT):
            cognee.filled(store, f"s{number}", user_id="u")
            lifecycle.accumulate_usage(f"s{number}", user_id="u", model="m", tokens_in=number)
        store.delete_session("s3", user_id="u")

    def read() -> Any:
        return (
            [cognee.read_all(store, f"s{number}", user_id="u") for number in range(COUNT)],
            store.recall_across_sessions("question", user_id="u"),
            store.search("question", user_id="u", limit=3).items,
            lifecycle.count_sessions(user_id="u"),
            lifecycle.stats(user_id="u"),
        )

    return write, read


def snapshots_of(ledger: Ledger) -> tuple[Callable[[], None], Callable[[], Any]]:
    """Sessions saved twice, which are found under another name too."""
    store = agent_sessions.store_of(ledger)
    keys = [f"s{number}" for number in range(COUNT)]

    def write() -> None:
        for one in keys:
            saved = store.save(agent_sessions.session_of(2, one, f"external {one}"))
            store.save(saved.with_message(*agent_sessions.turn(3)))
        store.delete("s3")

    def read() -> Any:
        kept = [one for one in keys if one != "s3"]
        return [store.load(one) for one in kept], store.list()

    return write, read


STORES = [conversations_of, orchestrators_of, answers_of, snapshots_of]


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.__name__)
def test_a_store_reads_what_it_wrote_as_from_memory(
    spread_ledger: Ledger, store: Callable[..., Any]
) -> None:
    write, read = store(spread_ledger)
    write()
    found = read()
    assert found == read()
    _, read_copy = store(twin(spread_ledger))
    assert found == read_copy()
