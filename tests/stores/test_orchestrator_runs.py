"""Saved runs: what comes back, which one is active, and what may follow what."""

import sys
from typing import Any

from msgspec.structs import replace

from ledger import NewEvent
from projections import Views
from projections.session_stores.orchestrator import OrchestratorStore as Store
from tests.stores.orchestrator_cases import (
    another,
    at,
    event,
    ids,
    refused,
    run_of,
    session,
)
from tests.support.builders import on_memory, only_sync
from tests.support.views import views_of

FULL = run_of(
    status="running",
    input={"messages": [{"role": "user", "content": "hi"}]},
    output={"partial": True},
    metadata={"m": {"n": [1]}},
    turn_count=3,
    token_usage={"input_tokens": 5, "output_tokens": 0, "of its own": 2},
    cost_usd=0.25,
    started_at=at(0),
    provider="p",
    provider_metadata={"model": "m"},
)
DONE = replace(
    FULL,
    status="completed",
    input=None,
    output={"text": "x"},
    metadata={},
    turn_count=4,
    token_usage={"input_tokens": 9, "output_tokens": 1, "of its own": 2},
    cost_usd=0.5,
    ended_at=at(9),
)


def test_asm_20_to_23_28_a_run_is_what_was_saved_last(store: Store) -> None:
    store.append_event(event(run_id="r"))
    with refused("run_not_found"):
        store.get_run("r")
    assert store.list_runs("s") == []
    begun = replace(FULL, id="full")
    for _ in range(2):
        store.save_run(begun)
    assert store.list_runs("s") == [begun]
    assert store.ledger.head("s") == 4  # that it started, what it used, what it is
    done = replace(DONE, id="full")
    store.save_run(done)
    assert store.get_run("full") == done
    assert store.views.session("s").cost_usd == 0.5  # type: ignore[union-attr]  # it is there
    assert store.views.anomalies("s")[1:] == []  # the first: nobody saved the session
    less = replace(done, token_usage={"input_tokens": 1}, cost_usd=None)
    store.save_run(less)
    assert store.get_run("full") == less
    pending = run_of(id="pending", input={"a": [1]}, started_at=at(0))
    store.save_run(pending)
    assert store.get_run("pending") == pending
    other = run_of("t", "full", started_at=at(2))
    store.save_run(other)
    store.append_event(event(session_id="u", run_id="full", timestamp=at(3)))
    assert store.get_run("full") == other  # the newest that was saved
    assert ids(store.list_runs("s")) == ["full", "pending"]


def test_what_a_run_used_happened_when_it_ended_or_began(store: Store) -> None:
    views, used = views_of(store.ledger), {"token_usage": {"input_tokens": 5}}
    changed = {"output": {"text": "x"}, "turn_count": 2}
    ended = {"status": "completed", "started_at": at(0), "ended_at": at(9)}
    store.save_run(run_of(id="at once", **ended, **used, **changed))
    store.save_run(run_of(id="later", status="running", started_at=at(1)))
    store.save_run(run_of(id="later", **(ended | {"started_at": at(1)}), **used, **changed))
    store.save_run(run_of(id="goes on", status="running", started_at=at(3), **used, **changed))
    store.save_run(run_of(id="no end", status="failed", started_at=at(4), **used))
    read = [one for one in store.ledger.read("s") if one.type in ("usage.recorded", "run.amended")]
    told = {(one.run_id, one.type): one.occurred_at for one in read}
    assert told.pop(("no end", "usage.recorded")) == at(4)
    assert told == {
        ("at once", "usage.recorded"): at(9),
        ("at once", "run.amended"): at(9),
        ("later", "usage.recorded"): at(9),
        ("later", "run.amended"): at(9),
        ("goes on", "usage.recorded"): at(3),
        ("goes on", "run.amended"): at(3),
    }
    assert {one.day for one in views.usage_totals(by=["day"])} == {"2020-01-01"}
    store.save_run(run_of(id="goes on", status="running", started_at=at(3), turn_count=3))
    assert store.ledger.read("s")[-1].occurred_at > at(9)  # told when it is saved


def test_a_run_that_was_never_saved_as_running_took_time_all_the_same(store: Store) -> None:
    free = another(store, enforce_transitions=False)
    free.save_run(run_of(started_at=at(0)))
    free.save_run(run_of(status="completed", started_at=at(0), ended_at=at(9)))
    [run] = views_of(store.ledger).runs("s")
    assert (run.started_at, run.ended_at, run.duration_us) == (at(0), at(9), 9_000_000)


def test_the_facts_of_a_run_tell_what_it_used_and_why_it_failed(store: Store) -> None:
    error = {"code": "c", "message": "m", "more": 1}
    store.save_run(replace(FULL, status="failed", error=error, ended_at=at(9)))
    told = {event.type: event.data for event in store.ledger.read("s")}
    assert told["run.failed"] == {"error": error, "error_code": "c", "error_message": "m"}
    assert told["usage.recorded"] == {
        "input_tokens": 5,
        "output_tokens": 0,
        "other_tokens": {"of its own": 2},
        "model": "m",
        "provider": "p",
        "cost_usd": 0.25,
    }


def test_the_end_of_a_run_that_has_ended_can_be_changed_and_not_be_taken_away(
    store: Store,
) -> None:
    store.save_run(DONE)
    for ended_at, end in ((at(12), at(12)), (None, at(12)), (at(8), at(8))):
        store.save_run(replace(DONE, ended_at=ended_at))
        assert store.get_run("r").ended_at == end


def test_asm_28_values_that_are_equal_and_yet_not_the_same_are_told_apart(store: Store) -> None:
    for flag in (1, True, 1.0, [0], [False], (False,)):
        said = {"flag": flag}
        run = run_of(input=said, output=said, error=said, metadata=said, provider_metadata=said)
        store.save_run(run)
        head = store.ledger.head("s")
        store.save_run(run)
        assert store.ledger.head("s") == head
        found = store.get_run("r")
        read = {"flag": list(flag) if isinstance(flag, tuple) else flag}
        saved = (found.input, found.output, found.error, found.metadata, found.provider_metadata)
        assert repr(saved) == repr((read,) * 5)


def test_a_save_makes_a_run_of_what_others_said_before(store: Store) -> None:
    for type, said in (
        ("usage.recorded", {"provider": "other", "model": "m", "total_tokens": 9, "cost_usd": 9}),
        ("run.amended", {"input": 1, "output": 1, "metadata": {"k": 1}, "turn_count": 9}),
        ("run.amended", {"provider_metadata": {"of": "others"}, "error": {"of": "others"}}),
    ):
        store.ledger.append("s", NewEvent(said, type, run_id="r", occurred_at=at(0)))
        store.ledger.append("s", NewEvent(said, type, run_id="bare", occurred_at=at(0)))
    for wanted in (FULL, run_of(id="bare", started_at=at(0))):
        store.save_run(wanted)
        assert store.get_run(wanted.id) == wanted
    head = store.ledger.head("s")
    store.save_run(FULL)
    assert store.ledger.head("s") == head
    store.ledger.append("s", NewEvent({}, "run.failed", run_id="ended", occurred_at=at(0)))
    again = run_of(id="ended", started_at=at(0))
    another(store, enforce_transitions=False).save_run(again)
    assert store.get_run("ended") == again


@only_sync  # what is asked is the same
@on_memory
def test_a_limited_list_reads_no_more_rows_than_it_needs(store: Store) -> None:
    for n in range(4):
        store.append_event(event(run_id=f"told of {n}"))
    for n in range(40):
        store.save_run(run_of(id=f"r{n:02}", status="running" if n % 2 else "failed"))
    asked: list[int | None] = []

    class Watched(Views):
        def runs(self, *names: Any, limit: int | None = None, **options: Any) -> Any:
            asked.append(limit)
            return super().runs(*names, limit=limit, **options)

    watched = Store(store.ledger, views=Watched(store.ledger))
    assert ids(watched.list_runs("s", status=["running", "failed"], limit=3)) == [
        *("r00", "r01", "r02"),
    ]
    assert ids(watched.list_runs("s", limit=2)) == ["r00", "r01"]
    assert None not in asked
    assert ids(watched.list_runs("s", limit=40))[-1:] == ["r39"]


def test_asm_24_to_27_runs_are_listed_by_session_and_status(store: Store) -> None:
    store.save_session(session())
    assert store.list_runs("s") == store.list_runs("unknown") == []
    store.append_event(event(run_id="r0"))
    for session_id, id, status in (
        ("s", "r2", "pending"),
        ("s", "r1", "running"),
        ("s", "r3", "failed"),
        ("t", "r4", "running"),
    ):
        store.save_run(run_of(session_id, id, status=status))
    for filters, expected in (
        ({}, ["r2", "r1", "r3"]),
        ({"status": "running"}, ["r1"]),
        ({"status": "pending"}, ["r2"]),
        ({"status": ["failed", "pending"]}, ["r2", "r3"]),
        ({"status": []}, []),
        ({"limit": 1}, ["r2"]),
        ({"limit": 1, "status": "running"}, ["r1"]),
        ({"limit": 0}, []),
        ({"limit": sys.maxsize}, ["r2", "r1", "r3"]),
    ):
        assert ids(store.list_runs("s", **filters)) == expected, filters
    assert ids(store.list_runs("t")) == ["r4"]


@on_memory
def test_asm_22_27_a_list_of_runs_goes_on_behind_those_that_nobody_saved(store: Store) -> None:
    store.append_events([event(run_id=f"told of {n}") for n in range(60)])
    for id in ("r1", "r2"):
        store.save_run(run_of(id=id, status="running"))
    assert ids(store.list_runs("s", limit=1)) == ["r1"]
    assert ids(store.list_runs("s", limit=3)) == ["r1", "r2"]


def test_asm_29_to_32_u20_the_running_run_is_active_as_soon_as_it_is_saved(store: Store) -> None:
    assert store.get_active_run("s") is None
    store.save_run(run_of(id="r1"))
    store.save_run(run_of(id="r2", status="completed"))
    assert store.get_active_run("s") is None
    store.save_run(FULL)
    assert store.get_active_run("s") == FULL
    store.save_run(replace(FULL, status="completed"))
    assert store.get_active_run("s") is None
    store.save_run(run_of(id="r1", status="running"))
    active = store.get_active_run("s")
    assert active is not None
    assert (active.id, active.status) == ("r1", "running")
    for id in ("z", "a"):
        store.save_run(run_of(id=id, status="running"))
    active = store.get_active_run("s")
    assert active is not None
    assert active.id == "a"  # of several the one first heard of last


@on_memory
def test_a_run_ends_with_its_time_and_its_account(store: Store) -> None:
    error = {"code": "provider_timeout", "message": "late", "more": [1]}
    for status in ("completed", "failed", "cancelled", "timeout"):
        begun = replace(FULL, id=status)
        ended = replace(begun, status=status, error=error, ended_at=at(7))
        store.save_run(begun)
        store.save_run(ended)
        assert store.get_run(status) == ended
        at_once = replace(ended, id=f"{status} at once")
        store.save_run(at_once)
        assert store.get_run(at_once.id) == at_once


@on_memory
def test_a_status_that_does_not_follow_is_refused_unless_told_otherwise(store: Store) -> None:
    free = another(store, enforce_transitions=False)
    terminal = ("completed", "failed", "cancelled", "timeout")
    statuses = ("pending", "running", *terminal)
    follows = {"pending": {"running", *terminal[1:]}, "running": {*terminal}}
    for before in statuses:
        for after in statuses:
            id = f"{before} {after}"
            store.save_run(run_of(id=id, status=before))
            if after == before or after in follows.get(before, ()):
                store.save_run(run_of(id=id, status=after))
            else:
                with refused("invalid_transition"):
                    store.save_run(run_of(id=id, status=after, turn_count=9))
                found = store.get_run(id)
                assert (found.status, found.turn_count) == (before, 0)
                free.save_run(run_of(id=id, status=after))
            assert store.get_run(id).status == after
    reopened = store.get_run("completed running")
    assert reopened.ended_at is None


def test_a_run_is_changed_as_it_is_by_then(store: Store) -> None:
    with refused("run_not_found"):
        store.update_run("r", lambda one: one)
    store.save_run(FULL)
    assert store.update_run("r", lambda one: replace(one, turn_count=9)) == store.get_run("r")
    assert store.get_run("r") == replace(FULL, turn_count=9)
    for wrong in ({"id": "other"}, {"session_id": "t"}):
        with refused("validation_error"):
            store.update_run("r", lambda one, wrong=wrong: replace(one, **wrong))


def test_what_is_changed_inside_the_record_is_saved(store: Store) -> None:
    store.save_run(
        run_of(metadata={"n": [1]}, input={"i": {"x": 1}}, token_usage={"input_tokens": 1})
    )

    def change(one: Any) -> Any:
        one.metadata["n"].append(2)
        one.input["i"]["x"] = 2
        one.token_usage["input_tokens"] += 4
        return one

    changed = store.update_run("r", change)
    assert changed == store.get_run("r")
    assert (changed.metadata, changed.input) == ({"n": [1, 2]}, {"i": {"x": 2}})
    assert changed.token_usage == {"input_tokens": 5}


@on_memory
def test_what_is_no_run_is_refused(store: Store) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"status": "odd"}, "invalid_status"),
        ({"session_id": ""}, "validation_error"),
        ({"turn_count": -1}, "validation_error"),
        ({"turn_count": 2**63}, "validation_error"),
        ({"token_usage": {"input_tokens": -1}}, "validation_error"),
        ({"token_usage": {"input_tokens": "1"}}, "validation_error"),
        ({"token_usage": {"input_tokens": 2**63}}, "validation_error"),
        ({"cost_usd": -0.5}, "validation_error"),
        ({"cost_usd": float("nan")}, "validation_error"),
        ({"cost_usd": float("inf")}, "validation_error"),
        ({"error": "text"}, "validation_error"),
        ({"input": {1, 2}}, "validation_error"),
    ]
    for fields, code in cases:
        with refused(code):
            store.save_run(replace(run_of(), **fields))
    assert store.ledger.list_session_ids().session_ids == []
