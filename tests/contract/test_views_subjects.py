"""Reading turns, transcripts, usage, guidance, approvals and artifacts, on every backend."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from ledger import InvalidArgument, Ledger, NewEvent
from tests.support.views import views_of

pytestmark = pytest.mark.usefixtures("all_views")

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(hours: int, payload: dict[str, Any], type: str) -> NewEvent:
    return NewEvent(payload, type, occurred_at=START + timedelta(hours=hours))


@pytest.fixture
def views(ledger: Any) -> Any:
    return views_of(ledger)


def test_turns_are_read_from_either_end_and_across_sessions(ledger: Any, views: Any) -> None:
    for hours in range(4):
        turn = {"turn_id": f"t{hours}", "turn_number": hours}
        ledger.append("s", at(hours, turn, "turn.started"))
    ledger.append("other", at(2, {"turn_id": "o"}, "turn.started"))
    ledger.append("s", at(9, {"turn_id": "t1", "agent_response": "yes"}, "turn.finished"))

    def ids(turns: list[Any]) -> list[str]:
        return [turn.turn_id for turn in turns]

    assert ids(views.turns("s")) == ["t0", "t1", "t2", "t3"]
    newest = views.turns("s", limit=2, newest_first=True)
    assert ids(newest) == ["t3", "t2"]
    assert ids(views.turns("s", newest_first=True, after=newest[-1])) == ["t1", "t0"]
    assert views.turn("s", "t1").agent_response == "yes"
    assert views.turn("s", "nobody") is None
    first = views.recent_turns(limit=2)
    assert ids(first) == ["t3", "t2"]
    assert ids(views.recent_turns(after=first[-1])) == ["o", "t1", "t0"]
    hour = timedelta(hours=1)
    assert ids(views.recent_turns(since=START + hour, until=START + 2 * hour)) == ["t1"]
    assert views.recent_turns(tenant="elsewhere") == views.turns("nobody") == []


def test_a_transcript_has_each_call_with_what_became_of_it(ledger: Any, views: Any) -> None:
    call = {"id": "1", "name": "look", "call_id": "c"}
    for type, payload in (
        ("message.appended", {"role": "user", "content": "Where?"}),
        ("message.appended", {"role": "assistant", "tool_calls": [call]}),
        ("tool.started", {"call_id": "c", "tool_name": "look"}),
        ("tool.finished", {"call_id": "c", "tool_output": "There."}),
        ("message.appended", {"role": "tool", "tool_call_id": "1", "content": "There."}),
    ):
        ledger.append("s", NewEvent(payload, type, run_id="r"))
    lines = views.transcript("s")
    assert [line.message.role for line in lines] == ["user", "assistant", "tool"]
    [paired] = lines[1].calls
    assert (paired.call["name"], paired.result, paired.span.output) == (
        *("look", lines[2].message),
        "There.",
    )
    assert views.transcript("s", limit=2, run_id="r") == lines[:2]
    assert views.transcript("s", limit=1, newest_first=True) == lines[2:]
    assert views.transcript("s", run_id="other") == views.transcript("nobody") == []


def test_usage_is_added_up_by_session_model_and_day(open_ledger: Any) -> None:
    ledger = open_ledger(buckets=3)
    views = views_of(ledger)
    for session_id, hours, model, tokens in (
        ("a", 1, "m", 5),
        ("a", 25, "m", 7),
        ("b", 2, "n", 11),
        ("c", 2, "m", 13),
    ):
        used = {"model": model, "input_tokens": tokens, "cost_usd": tokens / 10}
        ledger.append(session_id, at(hours, used, "usage.recorded"))
    ledger.append("a", NewEvent({}, "session.closed"))
    ledger.append("a", at(30, {"model": "m", "input_tokens": 100}, "usage.recorded"))

    def sums(by: Any, **options: Any) -> list[tuple[Any, ...]]:
        totals = views.usage_totals(by, **options)
        return [
            (*(v for v in (t.session_id, t.model, t.day) if v is not None), t.input_tokens)
            for t in totals
        ]

    assert sums(["model"]) == [("m", 125), ("n", 11)]
    assert sums(["session"]) == [("c", 13), ("a", 112), ("b", 11)]
    assert sums(["day"]) == [("2026-01-01", 29), ("2026-01-02", 107)]
    assert sums([]) == [(136,)]
    assert sums(["session", "model"], session_id="a") == [("a", "m", 112)]
    second = date(2026, 1, 2)
    assert sums(["model"], since=second) == [("m", 107)]
    assert sums([], session_id="a", since=second) == [(107,)]
    assert sums([], until=second) == [(29,)]
    assert [total.session_count for total in views.usage_totals(("model",))] == [2, 1]
    assert [(row.day, row.input_tokens) for row in views.usage("a")] == [
        ("2026-01-01", 5),
        ("2026-01-02", 107),
    ]
    assert views.session("a").input_tokens == sums([], session_id="a")[0][0]


def test_guidance_and_marks_are_read_by_session(ledger: Any, views: Any) -> None:
    for context_id, section in (("c2", "rules"), ("c1", "goals")):
        put = {"context_id": context_id, "section": section}
        ledger.append("s", NewEvent(put, "context.put"))
    ledger.append("s", NewEvent({"context_ids": ["c2", "c1"]}, "context.served"))
    ledger.append("s", NewEvent({"content": "graph"}, "graph_context.set"))
    ledger.append("s", NewEvent({"consumer": "memify", "sequence": 2}, "consumer.offset_advanced"))
    assert [entry.context_id for entry in views.context("s")] == ["c2", "c1"]
    assert [entry.context_id for entry in views.context("s", section="goals")] == ["c1"]
    assert views.context_entry("s", "c1").served_count == 1
    assert views.graph_context("s").content == "graph"
    assert views.consumer("s", "memify").sequence == 2
    assert [consumer.consumer for consumer in views.consumers("s")] == ["memify"]
    ledger.delete("s")
    assert (views.context("s"), views.graph_context("s"), views.consumers("s")) == ([], None, [])


def test_approvals_and_what_they_allow_are_read_by_session(ledger: Any, views: Any) -> None:
    for hours, session_id in enumerate(("b", "a", "a")):
        asked = {"approval_id": f"p{hours}", "action_key": "rm"}
        ledger.append(session_id, at(hours, asked, "approval.requested"))
    decided = {"approval_id": "p1", "decision": "allow_always", "action_key": "rm"}
    ledger.append("a", NewEvent(decided, "approval.decided"))
    ledger.append("a", NewEvent({"policy": "p", "kind": "k"}, "policy.violated"))

    waiting = views.pending_approvals()
    assert [approval.approval_id for approval in waiting] == ["p0", "p2"]
    assert views.pending_approvals(after=waiting[0]) == waiting[1:]
    assert [one.approval_id for one in views.approvals("a", status="allow_always")] == ["p1"]
    assert views.approval("a", "p1").decided_at is not None
    assert [action.action_key for action in views.allowed_actions("a")] == ["rm"]
    assert [one.policy for one in views.violations("a", policy="p")] == ["p"]
    ledger.append("a", NewEvent({"action_key": "rm"}, "approval.revoked"))
    assert views.allowed_actions("a") == []
    assert len(views.allowed_actions("a", revoked=True)) == 1


def test_an_artifact_is_found_by_its_key_until_it_is_deleted(ledger: Any, views: Any) -> None:
    long = "k" * 5_000
    for hours, session_id in enumerate(("a", "b")):
        registered = {"artifact_id": f"f{hours}", "key": long}
        ledger.append(session_id, at(hours, registered, "artifact.registered"))
    assert views.artifact_by_key(long).artifact_id == "f1"
    ledger.append("b", NewEvent({"artifact_id": "f1"}, "artifact.deleted"))
    assert views.artifact_by_key(long).artifact_id == "f0"
    assert views.artifact_by_key("nothing") is None
    assert views.artifacts("b") == []
    assert views.artifacts("b", deleted=True) == [views.artifact("b", "f1")]


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda views: views.usage_totals("model"), "by"),
        (lambda views: views.usage_totals(("colour",)), "by"),
        (lambda views: views.usage_totals(since=START), "since"),
        (lambda views: views.recent_turns(since=START.replace(tzinfo=None)), "since"),
        (lambda views: views.recent_turns(limit=10_001), "limit"),
        (lambda views: views.transcript("s", limit=-1), "limit"),
        (lambda views: views.artifact_by_key(1), "key"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_by_name(call: Any, argument: str) -> None:
    with Ledger.open("memory:") as ledger, pytest.raises(InvalidArgument) as caught:
        call(views_of(ledger))
    assert caught.value.argument == argument
