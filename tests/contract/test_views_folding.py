"""Views are what folding the log gives, whatever the batches, deletions and failures."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger import NewEvent
from projections import ProjectionFailed
from projections.builtin import BUILTIN
from tests.support.builders import sessions_in_buckets, whole_feed
from tests.support.views import (
    TALLY,
    counted,
    dropped,
    folded,
    stored,
    tally,
    tally_apply,
    views_of,
)

SESSIONS = ("a", "b")
_tenants = itertools.count()


def happened(kind: str, number: int) -> NewEvent:
    run = {"run_id": f"r{number % 2}"}
    return {
        "count": lambda: counted("xyz"[number % 3]),
        "count_all": lambda: counted("xyz"),
        "drop": lambda: dropped("xyz"[number % 3]),
        "created": lambda: NewEvent({"agent_id": "a"}, "session.created"),
        "status": lambda: NewEvent({"status": "paused"}, "session.status_changed"),
        "started": lambda: NewEvent({"input": {"n": number}}, "run.started", **run),
        "finished": lambda: NewEvent({"output": [number]}, "run.finished", **run),
        "message": lambda: NewEvent(
            {"role": "user", "content": f"m{number}", "message_id": f"m{number % 4}"},
            "message.appended",
            **run,
        ),
        "qa": lambda: NewEvent(
            {"qa_id": f"q{number % 3}", "question": "?", "answer": str(number)}, "qa.recorded"
        ),
        "span": lambda: NewEvent({"span_id": f"s{number % 3}", "name": "n"}, "span.started", **run),
        "turn": lambda: NewEvent({"turn_id": f"t{number % 2}"}, "turn.started"),
        "answered": lambda: NewEvent(
            {"turn_id": f"t{number % 2}", "agent_response": str(number), "latency_ms": 1.5},
            "turn.finished",
        ),
        "usage": lambda: NewEvent(
            {"model": "ab"[number % 2], "input_tokens": number, "cost_usd": 0.1}, "usage.recorded"
        ),
        "context": lambda: NewEvent({"context_id": f"c{number % 2}"}, "context.put"),
        "rated": lambda: NewEvent(
            {"context_id": f"c{number % 2}", "helpful_delta": number - 5}, "context.rated"
        ),
        "served": lambda: NewEvent({"context_ids": ["c0", "c1", "c2"]}, "context.served"),
        "graph": lambda: NewEvent(
            {"content": None if number % 4 == 0 else str(number)}, "graph_context.set"
        ),
        "asked": lambda: NewEvent(
            {"approval_id": f"a{number % 2}", "raw": [number]}, "approval.requested"
        ),
        "decided": lambda: NewEvent(
            {"approval_id": f"a{number % 2}", "decision": "allow_always", "action_key": "k"},
            "approval.decided",
        ),
        "revoked": lambda: NewEvent({"action_key": "k"}, "approval.revoked"),
        "violated": lambda: NewEvent({"policy": "p", "kind": "k"}, "policy.violated"),
        "scenario": lambda: NewEvent(
            {"scenario_id": "x", "scenario_version": number, "variables": {"v": number}},
            "scenario.started",
        ),
        "step": lambda: NewEvent(
            {
                "scenario_id": "xy"[number % 2],
                "scenario_version": 1,
                "step_id": f"s{number % 3}",
                "step_name": None,
                "step_content_hash": str(number),
            },
            "scenario.step_entered",
        ),
        "left": lambda: NewEvent(
            {"scenario_id": "xy"[number % 2]},
            f"scenario.{('exited', 'completed', 'paused')[number % 3]}",
        ),
        "variable": lambda: NewEvent(
            {"name": "v", "value": number, "scenario_id": ("x", None)[number % 2]}, "variable.set"
        ),
        "rule": lambda: NewEvent({"rule_id": f"r{number % 2}"}, "rule.fired"),
        "marked": lambda: NewEvent(
            {"target_version": number, "anchor_content_hash": "h", "migration_plan_id": "p"},
            "migration.marked",
        ),
        "artifact": lambda: NewEvent(
            {"artifact_id": f"f{number % 2}", "key": str(number)}, "artifact.registered"
        ),
        "thrown": lambda: NewEvent({"artifact_id": f"f{number % 2}"}, "artifact.deleted"),
        "offset": lambda: NewEvent({"consumer": "c", "count": number}, "consumer.offset_advanced"),
        "unknown": lambda: NewEvent({"n": number}, "thing.unknown"),
    }[kind]()


KINDS = (
    "count count_all drop created status started finished message qa span unknown delete catch_up "
    "turn answered usage context rated served graph asked decided revoked violated scenario step "
    "left variable rule marked artifact thrown offset catch_up delete"
)
steps = st.lists(
    st.tuples(st.sampled_from(SESSIONS), st.sampled_from(KINDS.split()), st.integers(0, 11)),
    max_size=40,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=steps, batch=st.integers(1, 12), other_batch=st.integers(1, 500))
def test_incremental_views_equal_a_fold_from_the_start(
    ledger: Any, history: list[tuple[str, str, int]], batch: int, other_batch: int
) -> None:
    tenant = f"t{next(_tenants)}"
    views = [views_of(ledger, *BUILTIN, TALLY, batch_events_max=n) for n in (batch, other_batch)]
    for number, (session_id, kind, variant) in enumerate(history):
        if kind == "delete":
            ledger.delete(session_id, tenant=tenant)
        elif kind == "catch_up":
            views[number % 2].catch_up()
        else:
            ledger.append(session_id, happened(kind, variant), tenant=tenant)
    events = whole_feed(ledger, tenant=tenant)
    for projection in (*BUILTIN, TALLY):
        rows: dict[Any, Any] = {}
        for session_id in SESSIONS:
            rows |= stored(views[0], projection, session_id, tenant=tenant)
        assert rows == folded(projection, events)


@pytest.mark.parametrize("batch", [1, 2, 3, 500])
def test_a_deleted_session_has_no_rows_and_comes_back_as_a_new_one(ledger: Any, batch: int) -> None:
    views = views_of(ledger, TALLY, batch_events_max=batch)
    ledger.append("s", [counted("x"), counted("y"), counted("x")])
    ledger.append("other", counted("x"))
    ledger.delete("s")
    ledger.append("s", [counted("y"), counted("z")])
    rows = views.rows("tally", "s")
    assert [(row.name, row.sequences) for row in rows] == [("y", [5]), ("z", [6])]
    assert len(views.rows("tally", "other")) == 1


def test_rows_from_before_a_deletion_go_even_if_its_page_does_not_touch_them(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    ledger.append("s", [counted("x"), counted("y")])
    views.catch_up()
    ledger.delete("s")
    assert views.rows("tally", "s") == []
    assert views.row("tally", ("", "s", "x")) is None


def test_a_row_that_the_fold_takes_away_is_gone(ledger: Any) -> None:
    views = views_of(ledger, TALLY)
    ledger.append("s", [counted("x"), counted("y")])
    views.catch_up()
    ledger.append("s", [dropped("x"), dropped("n")])
    assert [row.name for row in views.rows("tally", "s")] == ["y"]


class Fold:
    """The tally's fold, which refuses one sequence as long as it is `broken`."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        self.broken = True

    def __call__(self, view: Any, event: Any) -> Any:
        if self.broken and event.sequence == self.sequence:
            raise ZeroDivisionError("poison")
        return tally_apply(view, event)


@pytest.mark.parametrize("batch", [1, 2, 500])
def test_a_failing_fold_stops_its_projection_before_the_event(ledger: Any, batch: int) -> None:
    fold = Fold(4)
    views = views_of(ledger, tally("poisoned", fold), TALLY, batch_events_max=batch)
    answers = ledger.append("s", [counted("x") for _ in range(6)])
    with pytest.raises(ProjectionFailed) as caught:
        views.catch_up()
    failure, event = caught.value, answers[3].event
    assert (failure.projection, failure.version) == ("poisoned", 1)
    assert (failure.bucket, failure.position) == (event.bucket, event.position)
    assert failure.event_id == event.event_id
    assert isinstance(failure.__cause__, ZeroDivisionError)
    [row] = views.rows("poisoned", "s", consistency="eventual")
    assert row.sequences == [1, 2, 3]
    [row] = views.rows("tally", "s")
    assert row.sequences == [1, 2, 3, 4, 5, 6]


def test_a_strong_read_of_a_stopped_view_fails_until_the_fold_is_corrected(ledger: Any) -> None:
    fold = Fold(1)
    views = views_of(ledger, tally("poisoned", fold))
    ledger.append("s", [counted("x"), counted("x")])
    for _ in range(2):
        with pytest.raises(ProjectionFailed):
            views.rows("poisoned", "s")
    fold.broken = False
    assert [row.sequences for row in views.rows("poisoned", "s")] == [[1, 2]]


def test_other_buckets_go_on(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=4)
    sessions = sessions_in_buckets(ledger, 4)
    views = views_of(ledger, tally("poisoned", Fold(2)))
    for session_id in sessions:
        ledger.append(session_id, [counted("x") for _ in range(1 + (session_id == sessions[0]))])
    with pytest.raises(ProjectionFailed):
        views.catch_up()
    for session_id in sessions:
        [row] = views.rows("poisoned", session_id, consistency="eventual")
        assert row.sequences == [1]


def test_one_bucket_can_be_brought_up_to_date_alone(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=2)
    first, second = sorted(sessions_in_buckets(ledger, 2), key=lambda s: ledger.door.bucket("", s))
    views = views_of(ledger, TALLY)
    ledger.append(first, counted())
    ledger.append(second, counted())
    views.catch_up(1)
    assert views.rows("tally", first, consistency="eventual") == []
    assert len(views.rows("tally", second, consistency="eventual")) == 1


def test_an_event_that_touches_several_rows_changes_all_or_none(ledger: Any) -> None:
    def apply(view: Any, event: Any) -> Any:
        if len(event.data["name"]) > 1 and view.name == "y":
            raise ZeroDivisionError("poison")
        return tally_apply(view, event)

    views = views_of(ledger, tally("poisoned", apply))
    ledger.append("s", [counted("x"), counted("y"), counted("xy")])
    with pytest.raises(ProjectionFailed):
        views.catch_up()
    rows = views.rows("poisoned", "s", consistency="eventual")
    assert [(row.name, row.count) for row in rows] == [("x", 1), ("y", 1)]


def test_a_fold_that_breaks_a_fields_type_is_stopped_at_its_event(ledger: Any) -> None:
    def apply(view: Any, event: Any) -> Any:
        row = tally_apply(view, event)
        return replace(row, count="many") if row is not None and row.count == 2 else row

    views = views_of(ledger, tally("poisoned", apply))
    ledger.append("s", [counted("x"), counted("x"), counted("y")])
    with pytest.raises(ProjectionFailed, match="count") as caught:
        views.catch_up()
    assert caught.value.position == 2
    assert [row.count for row in views.rows("poisoned", "s", consistency="eventual")] == [1]


def test_a_fold_that_returns_another_rows_view_is_stopped(ledger: Any) -> None:
    def apply(view: Any, event: Any) -> Any:
        return replace(tally_apply(view, event), name="other")

    views = views_of(ledger, tally("poisoned", apply))
    ledger.append("s", counted("x"))
    with pytest.raises(ProjectionFailed, match="other"):
        views.catch_up()


def test_an_upcaster_that_fails_stops_only_who_wants_the_event(ledger: Any) -> None:
    def fail(data: dict[str, Any]) -> dict[str, Any]:
        raise ZeroDivisionError("poison")

    ledger.append("s", [counted("x"), NewEvent({}, "thing.unknown")])
    ledger.upcasts.register("thing.unknown", from_version=1, upcaster=fail)
    every = replace(tally("every"), types=None)
    views = views_of(ledger, TALLY, every)
    with pytest.raises(ProjectionFailed) as caught:
        views.catch_up()
    assert (caught.value.projection, caught.value.position) == ("every", 2)
    assert len(views.rows("tally", "s")) == 1
