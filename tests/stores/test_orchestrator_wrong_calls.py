"""Calls that nobody means are refused by the name of what is wrong with them, and in few words."""

import asyncio
import gc
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from ledger import AsyncLedger, InvalidArgument, Ledger, LedgerError
from projections.session_stores.orchestrator import (
    AsyncOrchestratorMaintenance,
    AsyncOrchestratorQueries,
    AsyncOrchestratorStore,
    OrchestratorMaintenance,
    OrchestratorQueries,
    OrchestratorStore,
    RetentionPolicy,
    StoreRefused,
)
from projections.session_stores.orchestrator import OrchestratorStore as Store
from tests.stores.orchestrator_cases import (
    at,
    event,
    orchestrator_of,
    queries_of,
    run_of,
    session,
    upkeep_of,
)
from tests.support.builders import on_memory


@on_memory
def test_what_only_looks_like_an_object_is_refused_by_its_name(store: Store) -> None:
    wrong: Any = range(3)
    for named, call in (
        ("data: ", lambda: store.append_event(event(data=wrong))),
        ("metadata: ", lambda: store.append_event(event(metadata=wrong))),
        ("metadata: ", lambda: store.save_session(session(metadata=wrong))),
        ("token_usage: ", lambda: store.save_run(run_of(token_usage=wrong))),
        ("pricing_table: ", lambda: queries_of(store).get_cost_summary(pricing_table=wrong)),
    ):
        with pytest.raises(StoreRefused, match=f"] {named}.*range") as caught:
            call()
        assert caught.value.code == "validation_error"
    assert store.ledger.list_session_ids().session_ids == []


@on_memory
def test_who_waits_longer_than_a_day_is_refused_by_the_name_that_the_call_has(store: Store) -> None:
    store.save_session(session())
    for given, there in ((86_400_001, True), (10**12, False)):
        with pytest.raises(StoreRefused, match="] wait_timeout_ms: expected 86400000 or less"):
            store.get_events("s" if there else "none", wait_timeout_ms=given)
    store.append_event(event("e"))
    assert [one.id for one in store.get_events("s", wait_timeout_ms=86_400_000)] == ["e"]


@on_memory
def test_a_refusal_is_short_whatever_was_asked_for(store: Store) -> None:
    store.save_session(session())
    store.save_run(run_of())
    long, name = "x" * 60_000, "é" * 256
    for call in (
        lambda: store.get_run(long),
        lambda: store.update_run(long, lambda run: run),
        lambda: store.get_session(long),
        lambda: store.get_events("s", type=long),
        lambda: store.update_session("s", lambda one: replace(one, id=long)),
        lambda: store.update_run("r", lambda one: replace(one, id=long)),
    ):
        with pytest.raises(StoreRefused) as caught:
            call()
        assert len(str(caught.value)) < 1_500
    with pytest.raises(StoreRefused, match=f"Run not found: {name}\\."):
        store.get_run(name)


@on_memory
def test_a_refusal_is_one_line_that_a_terminal_does_not_obey(store: Store) -> None:
    hostile = "r\x1b[31m\n\u202e"
    for call, what in ((store.get_run, "Run"), (store.get_session, "Session")):
        with pytest.raises(StoreRefused) as caught:
            call(hostile)
        assert f"{what} not found: r\\x1b[31m\\x0a\\u202e." in str(caught.value)


@on_memory
def test_a_change_that_cannot_be_called_is_refused_whatever_is_stored(store: Store) -> None:
    store.save_session(session())
    store.save_run(run_of())
    wrong: list[Any] = [None, session(), "change"]
    for change in wrong:
        for call, names in (
            (store.update_session, ("s", "unknown")),
            (store.update_run, ("r", "unknown")),
        ):
            for id in names:
                with pytest.raises(StoreRefused, match="change: ") as caught:
                    call(id, change)
                assert caught.value.code == "validation_error"


def test_an_async_change_is_refused_and_nothing_is_stored(store: Store) -> None:
    store.save_session(session())
    store.save_run(run_of())
    head = store.ledger.head("s")

    async def change(record: Any) -> Any:
        return record

    for call, id in ((store.update_session, "s"), (store.update_run, "r")):
        with pytest.raises(StoreRefused, match="change: it is async; give a plain") as caught:
            call(id, change)
        assert caught.value.code == "validation_error"
    gc.collect()  # which would warn of a coroutine that nobody awaited
    assert store.ledger.head("s") == head


def test_a_clock_that_tells_no_moment_is_refused_by_its_name_and_nothing_is_changed(
    store: Store,
) -> None:
    store.save_session(session(created_at=at(0), updated_at=at(0)))
    head = store.ledger.head("s")
    early = datetime(1969, 12, 31, tzinfo=UTC)
    wrong: list[Any] = [None, 5, "now", datetime(2026, 1, 1), at(0).date(), early]
    for told in wrong:
        upkeep = upkeep_of(store, lambda: told)  # noqa: B023 # at once
        for name in (
            "execute",
            "soft_delete_expired_sessions",
            "hard_delete_expired_sessions",
        ):
            with pytest.raises(StoreRefused, match="] now: ") as caught:
                getattr(upkeep, name)(RetentionPolicy())
            assert caught.value.code == "validation_error"
    assert store.ledger.head("s") == head


def test_a_store_is_made_for_a_tenant_that_there_can_be(ledger: Any) -> None:
    wrong: list[Any] = [5, None, b"t", "\ud800", "t" * 1_025, "\0"]
    for tenant in wrong:
        with pytest.raises(LedgerError, match="tenant: "):
            orchestrator_of(ledger, tenant=tenant)
    for tenant in ("", "t" * 1_024):
        store = orchestrator_of(ledger, tenant=tenant)
        store.save_session(session())
        assert [one.id for one in store.list_sessions()] == ["s"]


def test_asm_97_what_is_no_store_of_its_face_gets_no_companion() -> None:
    async def use() -> None:
        async with await AsyncLedger.open("memory:") as other:
            with Ledger.open("memory:") as ledger:
                one, twin = OrchestratorStore(ledger), AsyncOrchestratorStore(other)
                cases: list[tuple[Any, Any, Any]] = [
                    (OrchestratorQueries, one, twin),
                    (AsyncOrchestratorQueries, twin, one),
                    (OrchestratorMaintenance, one, twin),
                    (AsyncOrchestratorMaintenance, twin, one),
                ]
                for make, right, foreign in cases:
                    for wrong in (foreign, ledger, other, None, right.plans, ("module", "context")):
                        with pytest.raises(InvalidArgument) as caught:
                            make(wrong)
                        assert caught.value.argument == "store"
                    make(right)
                    if make in (OrchestratorMaintenance, AsyncOrchestratorMaintenance):
                        with pytest.raises(InvalidArgument, match="now: "):
                            make(right, now=at(0))

    asyncio.run(use())
