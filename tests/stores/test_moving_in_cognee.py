"""What cognee's caches and its tables of sessions hold, moved into a question-and-answer store."""

from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from ledger import NewEvent
from ledger.catalogue import UsageRecorded
from projections.session_stores.qa import (
    SessionContextEntry,
    SessionFeedbackEntry,
    SessionTraceStep,
    ledger_session_id,
)
from tests.support.cognee import DATASET, START, Clock, cache_of, lifecycle_of, store_of
from tests.support.views import views_of

ANN = "0190f6f5-7b2e-7c3a-9d7e-000000000001"
#: How many of a session's answers were written to the graph, as cognee's watermark counts them.
PERSISTED = 2


#: What a store says of a step by itself.
_BY_STORE = ("sequence", "created_at")


def at(seconds: float) -> datetime:
    """Return a moment so many seconds after the start."""
    return START + timedelta(seconds=seconds)


class Row(Struct, frozen=True, kw_only=True):
    """A row of session_records; what was used stands by model, the last one last."""

    session_id: str
    user_id: str | None
    started_at: float
    last_activity_at: float
    status: str = "running"
    dataset_id: str | None = None
    usage: dict[str, tuple[int, int, float]] = {}
    error_count: int = 0


ROWS = [
    Row(
        session_id="chat",
        user_id=ANN,
        started_at=0,
        last_activity_at=100,
        status="completed",
        dataset_id=DATASET,
        usage={"large": (10, 5, 0.5), "small": (1, 2, 0.25)},
        error_count=2,
    ),
    Row(session_id="chat", user_id="bob", started_at=1, last_activity_at=90, status="failed"),
    Row(session_id="chat", user_id=None, started_at=2, last_activity_at=110),
    Row(session_id="../ü:", user_id=ANN, started_at=3, last_activity_at=80, usage={"m": (1, 0, 0)}),
]
#: Two at one moment, and one without feedback, ids, flags or context.
ENTRIES: list[tuple[float, dict[str, Any]]] = [
    (
        10,
        {
            "qa_id": "0190f6f5-7b2e-7c3a-9d7e-0000000000a1",
            "question": "Where is Lyon?",
            "answer": "In France.",
            "context": "maps",
            "feedback_text": "good",
            "feedback_score": 5,
            "used_graph_element_ids": {"node_ids": ["n"], "edge_ids": ["e"]},
            "used_session_context_ids": ["rule"],
            "memify_metadata": {"feedback_weights_applied": True, "preference_turn_counted": False},
        },
    ),
    (20, {"qa_id": "q3", "question": "And Rome?", "answer": "In Italy.", "context": ""}),
    (20, {"qa_id": "q2", "question": "And Oslo?", "answer": "In Norway.", "context": None}),
]
STEPS = [
    SessionTraceStep(
        trace_id=f"t{number}",
        origin_function="search",
        status=status,
        memory_query="Lyon",
        memory_context="maps",
        method_params={"k": 3},
        method_return_value=["x"],
        error_message="" if status == "success" else "timeout",
        session_feedback=f"step {number}",
    )
    for number, status in ((2, "success"), (1, "error"))
]
GUIDANCE = [
    SessionContextEntry(
        id="rule",
        section="rules",
        context_profile="qa",
        content="Be brief.",
        confidence=0.9,
        helpful_count=3,
        harmful_count=1,
        created_at=at(15),
        last_served_at=at(20),
    ),
    SessionFeedbackEntry(id="said", raw_text="good", rating=5, referenced_qa_ids=["q3"]),
]


def move(store: Any, ledger: Any, clock: Clock, steps: int | None = None) -> None:
    """Move all, or stop behind so many steps, as who is killed does."""
    done = (step for row in ROWS for step in _steps(store, ledger, clock, row))
    for _ in islice(done, steps):
        pass


def _steps(store: Any, ledger: Any, clock: Clock, row: Row) -> Any:
    life, key, who = lifecycle_of(store), row.session_id, {"user_id": row.user_id}
    record = life.session_record(key, **who)
    is_over = record is not None and record.status == row.status
    if is_over and record.last_activity_at == at(row.last_activity_at):
        return  # its last step was done
    clock.now = at(row.started_at)
    yield life.ensure_and_touch(key, **who, dataset_id=row.dataset_id)
    for seconds, entry in ENTRIES:
        clock.now = at(seconds)
        yield store.create_qa_entry(key, **entry, **who)
    for one in STEPS:
        yield store.save_trace_step(key, one, **who)
    there = {one.id for one in store.get_session_context(key, **who)}
    for guidance in GUIDANCE:
        if guidance.id not in there:
            yield store.create_session_context(key, guidance, **who)
    yield store.set_graph_context(key, "Lyon -> France", **who)
    for number, used in enumerate(_used(row)):
        fact = NewEvent(used, event_id=f"moved usage {number}", occurred_at=clock.now)
        yield ledger.append(ledger_session_id(key, row.user_id), fact)
    seen = store.get_all_qa_entries(key, **who)[PERSISTED - 1].sequence
    yield life.advance_watermark(key, "persist", seen, **who)
    clock.now = at(row.last_activity_at)
    if row.status == "running":
        yield life.ensure_and_touch(key, **who)
    else:
        yield life.mark_ended(key, row.status, **who)


def _used(row: Row) -> list[UsageRecorded]:
    used = [
        UsageRecorded(model=model, input_tokens=tokens[0], output_tokens=tokens[1], cost_usd=cost)
        for model, (*tokens, cost) in row.usage.items()
    ]
    last = next(reversed(row.usage), None)
    return [UsageRecorded(model=last, errored=True)] * row.error_count + used


def moved(ledger: Any, **options: Any) -> Any:
    """Return a store into which all was moved, by somebody who was killed several times."""
    clock = Clock()
    store = store_of(ledger, clock=clock)
    for steps in (1, 3, 7, 9, 16, 30, None):
        move(store, ledger, clock, steps)
    heads = [ledger.head(ledger_session_id(one.session_id, one.user_id)) for one in ROWS]
    move(store, ledger, clock)
    again = [ledger.head(ledger_session_id(one.session_id, one.user_id)) for one in ROWS]
    assert again == heads
    return store_of(ledger, **options)


def test_answers_are_found_whole_in_their_order_at_their_times(ledger: Any) -> None:
    store, views = moved(ledger), views_of(ledger)
    for row in ROWS:
        found = store.get_all_qa_entries(row.session_id, user_id=row.user_id)
        assert [one.created_at for one in found] == [at(seconds) for seconds, _ in ENTRIES]
        for one, (_, entry) in zip(found, ENTRIES, strict=True):
            said = asdict(one)
            assert (one.session_id, one.user_id) == (row.session_id, row.user_id)
            assert {name: said[name] for name in entry} == entry
        kept = views.qa(ledger_session_id(row.session_id, row.user_id))
        assert [one.created_at for one in kept] == [at(seconds) for seconds, _ in ENTRIES]
        assert store.latest_qa_id(row.session_id, user_id=row.user_id) == "q2"
    assert [one.user_id for one in store.search("france", everyone=True).items].count(ANN) == 2
    assert views.anomalies() == []


def test_steps_guidance_and_graph_are_found(ledger: Any) -> None:
    store = moved(ledger)
    for row in ROWS:
        key, who = row.session_id, {"user_id": row.user_id}
        steps = store.read_trace_steps(key, **who)
        names = [name for name in STEPS[0].__struct_fields__ if name not in _BY_STORE]
        for name in names:
            assert [getattr(one, name) for one in steps] == [getattr(one, name) for one in STEPS]
        assert store.get_session_context(key, **who) == GUIDANCE
        assert store.get_graph_context(key, **who) == "Lyon -> France"
        new = lifecycle_of(store).new_entries(key, "persist", **who)
        assert [one.qa_id for one in new] == ["q2"]


def test_rows_of_sessions_tell_the_same(ledger: Any) -> None:
    lists = lifecycle_of(moved(ledger))
    for row in ROWS:
        found = lists.session_record(row.session_id, user_id=row.user_id)
        ended_at = None if row.status == "running" else at(row.last_activity_at)
        times = (found.started_at, found.last_activity_at, found.ended_at)
        assert times == (at(row.started_at), at(row.last_activity_at), ended_at)
        assert (found.status, found.dataset_id) == (row.status, row.dataset_id)
        assert found.tokens_in == sum(tokens for tokens, _, _ in row.usage.values())
        assert found.cost_usd == sum(cost for _, _, cost in row.usage.values())
        assert found.last_model == next(reversed(row.usage), None)
        assert (found.error_count, found.label) == (row.error_count, "Where is Lyon?")
    newest = sorted(ROWS, key=lambda one: one.last_activity_at, reverse=True)
    page = lists.session_records(everyone=True).items
    assert [(one.session_id, one.user_id) for one in page] == [
        (one.session_id, one.user_id) for one in newest
    ]
    assert [one.session_id for one in lists.session_records(user_id=ANN).items] == ["chat", "../ü:"]
    costs = [(one.model, one.tokens_in) for one in lists.cost_by_model(everyone=True)]
    assert costs == [("large", 10), ("small", 1), ("m", 1)]


def test_an_expiry_begins_with_the_move_or_for_a_clock_when_all_that_was(ledger: Any) -> None:
    clock = Clock()
    clock.now = at(150)
    assert len(moved(ledger, session_ttl_s=600).get_all_qa_entries("chat", user_id=ANN)) == 3
    by_clock = store_of(ledger, session_ttl_s=45, clock=clock)
    assert by_clock.get_all_qa_entries("chat", user_id=ANN) == []
    assert len(by_clock.get_all_qa_entries("chat")) == 3


def test_values_and_logs_are_found(ledger: Any) -> None:
    clock = Clock()
    cache = cache_of(store_of(ledger, clock=clock))
    cache.set_value("mark", {"done": [1]})
    for seconds in (10, 20):
        clock.now = at(seconds)
        cache.log_usage(ANN, {"called": seconds}, ttl=None)
    found = cache_of(store_of(ledger))
    assert found.get_value("mark") == {"done": [1]}
    assert found.get_usage_logs(ANN) == [{"called": 20}, {"called": 10}]
