"""What cannot be stored or asked for is refused at the door, whatever it is, and harms nothing."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest
from msgspec.structs import asdict

from projections.session_stores.orchestrator import (
    EventRecord,
    ExecutionResult,
    RetentionPolicy,
    RunRecord,
    SessionRecord,
    StoreRefused,
)
from projections.session_stores.orchestrator import OrchestratorStore as Store
from tests.stores.orchestrator_cases import (
    at,
    event,
    ids,
    queries_of,
    refused,
    run_of,
    session,
    upkeep_of,
)
from tests.support.awkward import endless, nested
from tests.support.builders import on_memory

SURROGATE = "\ud800"
FIRST = datetime.min.replace(tzinfo=timezone(timedelta(hours=9)))
LAST = datetime.max.replace(tzinfo=timezone(timedelta(hours=-9)))


def ways_in(store: Store) -> Iterator[tuple[type[Any], Callable[[Any], Any]]]:
    """Yield each kind of record with each call that stores one."""
    yield SessionRecord, store.save_session
    yield SessionRecord, lambda one: store.flush(ExecutionResult(session=one, run=run_of()))
    yield RunRecord, store.save_run
    yield RunRecord, lambda one: store.flush(ExecutionResult(session=session(), run=one))
    yield EventRecord, store.append_event
    yield EventRecord, lambda one: store.append_events([event(), one])
    yield (
        EventRecord,
        lambda one: store.flush(ExecutionResult(session=session(), run=run_of(), events=[one])),
    )


GOOD: dict[type[Any], Any] = {
    SessionRecord: session(),
    RunRecord: run_of(),
    EventRecord: event(),
}
JSON = frozenset(
    {"metadata", "context", "input", "output", "error", "provider_metadata", "data", "token_usage"}
)


def test_json_without_a_bottom_is_refused_and_nothing_is_stored(store: Store) -> None:
    for model, call in ways_in(store):
        for name in JSON & {*model.__struct_fields__}:
            for wrong in (nested(3_000), endless(), {"list": [endless()]}):
                with pytest.raises(StoreRefused, match=name) as caught:
                    call(model(**asdict(GOOD[model]) | {name: wrong}))
                assert caught.value.code == "validation_error"
    flushed = ExecutionResult(session=session(), run=run_of(), provider_metadata=nested(3_000))
    with refused("validation_error"):
        store.flush(flushed)
    assert store.ledger.list_session_ids().session_ids == []


def test_half_a_character_is_refused_wherever_it_is_and_nothing_is_stored(store: Store) -> None:
    unknown = {"status": "invalid_status", "type": "invalid_event_type"}  # as any other text
    for model, call in ways_in(store):
        for name in model.__struct_fields__:
            for wrong in (SURROGATE, [SURROGATE], {"a": SURROGATE}, {SURROGATE: 1}):
                expected = unknown.get(name, "validation_error")
                if name in ("id", "session_id"):  # of a flush, which compares them first
                    expected += "|session_mismatch"
                with pytest.raises(StoreRefused) as caught:
                    call(model(**asdict(GOOD[model]) | {name: wrong}))
                if isinstance(wrong, str):
                    assert caught.value.code in expected
                else:
                    assert caught.value.code == "validation_error"
    assert store.ledger.list_session_ids().session_ids == []
    with pytest.raises(StoreRefused, match="turn_count: lone surrogate in text"):
        store.save_run(RunRecord(**asdict(run_of()) | {"turn_count": SURROGATE}))


@on_memory
def test_a_status_or_type_that_there_is_not_is_refused_with_those_that_there_are(
    store: Store,
) -> None:
    wrong: list[tuple[str, Callable[[], object]]] = [
        (
            "status: .*pending, active, .*'actve'",
            lambda: store.save_session(session(status="actve")),
        ),
        ("status: .*pending, running, .*'ended'", lambda: store.save_run(run_of(status="ended"))),
        ("type: .*message_sent, .*'sent'", lambda: store.append_event(event(type="sent"))),
    ]
    for said, call in wrong:
        with pytest.raises(StoreRefused, match=said):
            call()


@on_memory
def test_what_is_no_record_is_refused_however_it_looks(store: Store) -> None:
    wrong: list[Any] = [nested(3_000), endless(), SURROGATE, 10**5_000, object()]
    for _, call in ways_in(store):
        for one in wrong:
            with refused("validation_error"):
                call(one)
    for one in wrong:
        for call in (store.append_events, store.flush):
            with refused("validation_error"):
                call(one)
        for name in ("status", "limit", "offset"):
            with refused("validation_error"):
                store.list_sessions(**{name: one})
        for name in ("run_id", "type", "since", "after", "limit"):
            with refused("validation_error"):
                store.get_events("s", **{name: one})


BIG = {"text": "x" * 1_048_577}


def test_what_is_too_large_is_refused_by_the_record_or_the_event_that_it_is_in(
    store: Store,
) -> None:
    small = run_of(), event("small")
    cases: dict[str, Callable[[], Any]] = {
        "session: 10": lambda: store.save_session(session(metadata=BIG)),
        "session.agent_id: ": lambda: store.save_session(session(agent_id=" ")),
        "run: 10": lambda: store.save_run(run_of(output=BIG)),
        "data: of event 'e': 10": lambda: store.append_event(event("e", data=BIG)),
        "data: of event 'f': 10": lambda: store.append_events(
            [event("e"), event("f", session_id="t", data=BIG)]
        ),
        "metadata: of event 'e': ": lambda: store.append_event(event("e", metadata=BIG)),
        "provider: of event 'e': NUL": lambda: store.append_event(event("e", provider="\0")),
        "timestamp: of event 'e': ": lambda: store.append_event(event("e", timestamp=FIRST)),
        "data: of event 'g': 10": lambda: store.flush(
            ExecutionResult(
                session=session(), run=small[0], events=[small[1], event("g", data=BIG)]
            )
        ),
        "run: 1": lambda: store.flush(
            ExecutionResult(session=session(), run=run_of(input=BIG), events=[small[1]])
        ),
        "session: 1": lambda: store.flush(
            ExecutionResult(session=session(context=BIG), run=small[0], events=[small[1]])
        ),
    }
    for told, call in cases.items():
        with pytest.raises(StoreRefused) as caught:
            call()
        assert caught.value.code == "validation_error"
        assert str(caught.value).startswith(f"[validation_error] {told}")
    assert store.ledger.list_session_ids().session_ids == []


EARLY = datetime(1969, 12, 31, 23, 59, tzinfo=UTC)
# Where a record says when something was; of session "s" and run "r" there are some already.
MOMENTS: dict[str, list[SessionRecord | RunRecord]] = {
    "session.created_at": [session("t", created_at=EARLY)],
    "session.updated_at": [
        session(updated_at=EARLY, tags=["b"]),
        session(updated_at=EARLY, status="active"),
        session("t", updated_at=EARLY),
        session("t", updated_at=EARLY, status="completed"),
    ],
    "session.deleted_at": [session(deleted_at=EARLY), session("t", deleted_at=EARLY)],
    "run.started_at": [
        run_of("t", started_at=EARLY),
        run_of("t", started_at=EARLY, status="running"),
    ],
    "run.ended_at": [
        *(run_of(status=end, ended_at=EARLY) for end in ("completed", "failed", "timeout")),
        run_of("t", status="cancelled", ended_at=EARLY),
        run_of(status="failed", ended_at=EARLY, token_usage={"input_tokens": 1}),
        run_of("t", status="completed", ended_at=EARLY, turn_count=2),
    ],
}


@pytest.mark.parametrize("field", MOMENTS)
def test_a_moment_before_1970_is_refused_by_the_field_that_it_is_in(
    store: Store, field: str
) -> None:
    store.save_session(session(tags=["a"]))
    store.save_run(run_of(status="running"))
    head = store.ledger.head("s")
    for one in MOMENTS[field]:
        whole: dict[str, Any] = (
            {"session": one, "run": run_of(one.id, "other")}
            if isinstance(one, SessionRecord)
            else {"session": session(one.session_id, tags=["a"]), "run": one}
        )
        save: Any = store.save_session if isinstance(one, SessionRecord) else store.save_run
        for call in (partial(save, one), partial(store.flush, ExecutionResult(**whole))):
            with pytest.raises(StoreRefused, match=f"] {field}: before 1970"):
                call()
    assert (store.ledger.head("s"), store.ledger.head("t")) == (head, 0)


@on_memory
def test_a_policy_is_refused_whatever_is_in_it(store: Store) -> None:
    upkeep = upkeep_of(store, lambda: at(0))
    policies: list[Any] = [endless()]
    for name in RetentionPolicy.__struct_fields__:
        for wrong in (SURROGATE, [SURROGATE, 5], nested(3_000), [endless()], object()):
            given: dict[str, Any] = {name: wrong}
            policies.append(RetentionPolicy(**given))
    calls = (
        *(upkeep.execute, upkeep.soft_delete_expired_sessions, upkeep.hard_delete_expired_sessions),
        partial(upkeep.prune_session_events, "s"),
    )
    for policy in policies:
        for call in calls:
            with refused("validation_error"):
                call(policy)


TEXTS = ("agent_id", "session_id", "correlation_id")
SEVERAL = ("provider", "tags", "session_ids", "run_ids", "providers")
CHOICES = ("status", "types")
TIMES = ("created_after", "created_before", "started_after", "started_before", "since", "until")
FILTERS: dict[str, tuple[str, ...]] = {
    "search_sessions": (
        *("agent_id", "status", "provider", "tags", "include_deleted"),
        *("created_after", "created_before"),
    ),
    "search_runs": (
        *("session_id", "provider", "status", "min_tokens"),
        *("started_after", "started_before"),
    ),
    "search_events": (
        *("session_ids", "run_ids", "types", "providers", "correlation_id"),
        *("since", "until"),
    ),
}
ODD: list[Any] = [
    *(
        SURROGATE,
        "\0",
        "x" * 70_000,
        5,
        2**70,
        10**5_000,
        1.5,
        b"x",
        object(),
        at(0),
        nested(3_000),
    ),
    *([SURROGATE], [object()], [2**70], [endless()], {"a": 1}, datetime(2020, 1, 1)),
]


def _fits(name: str, value: Any) -> bool:
    if isinstance(value, datetime):
        return name in TIMES and value.tzinfo is not None
    return name == "min_tokens" and value == 5


def test_a_question_is_refused_by_the_name_of_what_is_wrong_with_it(store: Store) -> None:
    found = queries_of(store)
    for search, names in FILTERS.items():
        for name in (*names, "limit", "order_by", "cursor"):
            for wrong in (one for one in ODD if not _fits(name, one)):
                if name == "limit" and wrong == 5:
                    continue
                with pytest.raises(StoreRefused) as caught:
                    getattr(found, search)(**{name: wrong})
                if name != "cursor":
                    assert caught.value.code == "validation_error", (search, name)
                    assert name in str(caught.value), (search, name)
    for name in FILTERS["search_events"]:
        for wrong in (one for one in ODD if not _fits(name, one)):
            with refused("validation_error"):
                found.count_events(**{name: wrong})
    for name in ("session_id", "agent_id", "provider", "since", "until", "pricing_table"):
        for wrong in (one for one in ODD if not _fits(name, one)):
            with refused("validation_error"):
                found.get_cost_summary(**{name: wrong})


def test_times_at_the_ends_of_the_calendar_are_times(store: Store) -> None:
    store.save_session(session(created_at=at(0)))
    store.save_run(run_of(started_at=at(0)))
    store.append_events([event("e1", timestamp=at(1)), event("e2", timestamp=at(1))])
    found = queries_of(store)
    for since, until, all_of in ((FIRST, LAST, True), (LAST, None, False), (None, FIRST, False)):
        sessions = found.search_sessions(created_after=since, created_before=until)
        runs = found.search_runs(started_after=since, started_before=until)
        events = found.search_events(since=since, until=until)
        expected = (["s"], ["r"], ["e1", "e2"]) if all_of else ([], [], [])
        assert (ids(sessions.sessions), ids(runs.items), ids(events.items)) == expected
        assert found.get_usage_summary(since=since, until=until).total.run_count == all_of


@on_memory
def test_a_page_goes_on_however_its_filters_are_spelled(store: Store) -> None:
    store.append_events([event("e1", timestamp=at(1)), event("e2", timestamp=at(1))])
    found = queries_of(store)
    local = at(0).astimezone(timezone(timedelta(hours=2)))
    first = found.search_events(limit=1, since=at(0), types=["message_received"])
    rest = found.search_events(
        limit=1, since=local, types=["message_received"], cursor=first.cursor
    )
    assert (ids(first.items), ids(rest.items), rest.cursor) == (["e1"], ["e2"], None)
    assert at(0).tzinfo is UTC
