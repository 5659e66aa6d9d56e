"""What the callers of the store rest on: durability, errors, and a session from start to end."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from ledger import InvalidArgument, Ledger, NotALedger, RetryableError
from projections.session_stores.orchestrator import (
    EventRecord,
    ExecutionResult,
    StoreBroken,
    StoreUnavailable,
)
from projections.session_stores.orchestrator import OrchestratorStore as Store
from projections.session_stores.orchestrator.errors import CATEGORIES, coded
from tests.stores.orchestrator_cases import (
    at,
    event,
    events,
    filled,
    numbers,
    orchestrator_of,
    refused,
    run_of,
    session,
)
from tests.support.builders import on_durable, on_memory


@on_durable
def test_asm_91_numbers_go_on_after_reopening(open_orchestrator: Callable[..., Store]) -> None:
    before = open_orchestrator()
    filled(before, 2)
    before.save_session(session("t", status="active"))
    before.ledger.close()
    again = open_orchestrator()
    assert again.get_session("t").status == "active"
    assert again.get_latest_sequence("s") == 2
    assert again.append_event_with_sequence(event()).sequence_number == 3


@on_memory
def test_asm_92_opening_prepares_the_store_and_refuses_what_is_none(
    store: Store, tmp_path: Path
) -> None:
    assert store.list_sessions() == []
    with pytest.raises(InvalidArgument, match="`ledger init` makes one"):
        Ledger.open(f"sqlite:///{tmp_path}/ledger.db", create=False)
    for create in (True, False):
        with Ledger.open(f"sqlite:///{tmp_path}/ledger.db", create=create) as made:
            assert orchestrator_of(made).list_sessions() == []
    (tmp_path / "other.db").write_bytes(b"no ledger at all" * 512)
    with pytest.raises(NotALedger):
        Ledger.open(f"sqlite:///{tmp_path}/other.db")


def test_asm_94_a_store_that_is_gone_says_so(store: Store) -> None:
    store.ledger.close()
    for call in (
        lambda: store.save_session(session()),
        lambda: store.get_run("r"),
        lambda: store.append_event(event()),
        lambda: store.flush(ExecutionResult(session=session(), run=run_of())),
    ):
        with refused("storage_error"):
            call()
    with pytest.raises(StoreBroken) as caught:
        store.list_sessions()
    says = "[storage_error] The ledger is closed. Open a ledger again; this one was closed."
    assert str(caught.value) == says


@on_memory
def test_asm_94_what_may_be_repeated_is_told_apart(store: Store) -> None:
    with pytest.raises(StoreUnavailable) as caught, coded():
        raise RetryableError("gone for a moment.")
    assert isinstance(caught.value, RetryableError)
    assert (caught.value.code, caught.value.category) == ("storage_error", "storage")
    assert set(CATEGORIES.values()) >= {"validation", "state", "resource", "storage"}


def test_asm_98_103_a_session_is_saved_and_announced(store: Store) -> None:
    store.save_session(session(metadata={"correlation_id": "c"}))
    announced = event(
        type="session_created",
        data={"provider": "p"},
        provider="p",
        correlation_id="c",
        timestamp=at(5),
        metadata={"k": 1},
    )
    stored = store.append_event_with_sequence(announced)
    assert store.get_session("s").status == "pending"
    assert store.get_events("s", type="session_created") == [stored]
    assert stored == replace(announced, sequence_number=stored.sequence_number)


def test_asm_99_a_session_moves_on_and_its_events_say_so(store: Store) -> None:
    failure = {"error_code": "c", "error_message": "m", "provider_error": {"kind": "k"}}
    for end, told in (("completed", {}), ("failed", failure)):
        store.save_session(session(end))
        store.save_session(session(end, status="active"))
        store.append_event(event(type="session_started", session_id=end))
        store.save_session(session(end, status=end))
        store.append_event(event(type=f"session_{end}", session_id=end, data=told))
        assert store.get_session(end).status == end
        said = [(one.type, one.data) for one in store.get_events(end)]
        assert said == [("session_started", {}), (f"session_{end}", told)]


def lived(store: Store, *runs: str) -> list[EventRecord]:
    """Let a session live through runs and return its events."""
    step = iter(range(1_000))

    def tell(type: str, run_id: str | None = None, **data: object) -> None:
        store.append_event(event(None, type, run_id=run_id, data=data, timestamp=at(next(step))))

    store.save_session(session(created_at=at(0)))
    tell("session_created")
    for id in runs:
        run = run_of(id=id, status="running")
        store.save_run(run)
        tell("message_sent", id, role="user", content="hi")
        tell("run_started", id)
        tell("message_received", id, role="assistant", content="ho")
        tell("run_completed", id, stop_reason="end_turn")
        active = session(status="active", created_at=at(0))
        result = ExecutionResult(session=active, run=replace(run, status="completed"))
        store.flush(result)
    store.save_session(session(status="completed"))
    tell("session_completed")
    return store.get_events("s")


def test_asm_100_101_102_106_events_keep_the_order_of_a_life(store: Store) -> None:
    found = lived(store, "r1", "r2")
    of_run = ["message_sent", "run_started", "message_received", "run_completed"]
    told = ["session_created", *of_run, *of_run, "session_completed"]
    assert [one.type for one in found] == told
    times = [one.timestamp for one in found]
    assert times == sorted(times)
    assert (store.get_run("r1").status, store.get_session("s").status) == ("completed",) * 2
    counted = numbers(found)
    assert counted == sorted(set(counted), key=lambda number: number or 0)
    assert counted[-1] == store.ledger.head("s") == store.get_latest_sequence("s")
    seen: list[EventRecord] = []
    while page := store.get_events(
        "s", after=(seen[-1].sequence_number or 0) if seen else 0, limit=2
    ):
        seen += page
    assert seen == found


def test_asm_104_a_cancelled_run_stays_cancelled(store: Store) -> None:
    store.save_run(run_of(status="running"))
    store.save_run(run_of(status="cancelled"))
    store.append_event(event(type="run_cancelled", run_id="r"))
    finished = ExecutionResult(
        session=session(), run=run_of(status="completed"), events=events("late")
    )
    with refused("invalid_transition"):
        store.flush(finished)
    assert store.get_run("r").status == "cancelled"
    assert [one.type for one in store.get_events("s")] == ["run_cancelled"]
