"""Events and checkpoints in the snapshot store; names carry the ids of agent-base's lines."""

from typing import Any

import pytest

from ledger import InvalidArgument, InvalidEvent, NewEvent, SequenceConflict
from ledger.catalogue import ApprovalDecided, ApprovalRequested, RunStarted
from projections.session_stores.snapshot import ChatMessage
from tests.support.agent_sessions import contents, runtime_event, session_of, store_of
from tests.support.builders import DEADLINE_S, FOREVER_S, background, take
from tests.support.views import views_of

ASKED = {"title": "Mail?", "message": "To Ann", "action_key": "mail", "risk_level": "Sensitive"}
STEPS = [("look", "completed"), ("answer", "in_progress")]
PLAN = {"objective": "help", "plan": [{"step": step, "status": status} for step, status in STEPS]}
# Every runtime event of every version of agent-base, and the fact that it becomes.
EVENTS = [
    (runtime_event("textDelta", text="Hel"), "message.streamed", {"delta": "Hel"}),
    (
        runtime_event("thoughtDelta", text="Hm"),
        "message.streamed",
        {"delta": "Hm", "kind": "thought"},
    ),
    (
        runtime_event("toolCallDraft", index=0, name="search", args_len=7, count=2),
        "message.streamed",
        {"kind": "tool_call_draft", "index": 0, "tool_name": "search", "args_len": 7, "count": 2},
    ),
    (
        runtime_event("toolCallStarted", tool_name="search", args_json="{}"),
        "tool.started",
        {"call_id": "e", "tool_name": "search", "args_json": "{}"},
    ),
    (
        runtime_event("toolCallFinished", tool_name="search", summary="3 hits", details={"n": 3}),
        "tool.finished",
        {"call_id": "e", "tool_name": "search", "summary": "3 hits", "details": {"n": 3}},
    ),
    (
        runtime_event("toolCallFinished", tool_name="mail", summary="no", denied=True),
        "tool.failed",
        {"call_id": "e", "tool_name": "mail", "summary": "no", "denied": True},
    ),
    (
        runtime_event("awaitingApproval", request=ASKED),
        "approval.requested",
        ASKED | {"approval_id": "e", "risk_level": "sensitive"},
    ),
    (runtime_event("runFinished"), "run.finished", {}),
    (runtime_event("runCompleted"), "run.finished", {}),
    (runtime_event("runFailed", error="boom"), "run.failed", {"error_message": "boom"}),
    (runtime_event("runCancelled"), "run.cancelled", {}),
    (runtime_event("planUpdated", explanation=None, **PLAN), "plan.updated", PLAN),
    (
        runtime_event("userEvent", event={"userEventType": "progress", "text": "half"}),
        "progress.reported",
        {"text": "half"},
    ),
    (
        runtime_event(
            "userEvent",
            event={"userEventType": "structured", "event_type": "seen", "data": {"n": 1}},
        ),
        "progress.reported",
        {"kind": "structured", "name": "seen", "data": {"n": 1}},
    ),
    (
        runtime_event(
            "userEvent",
            event={
                "userEventType": "toolPartialResult",
                "tool_call_id": "c1",
                "content": "line 1",
                "is_partial": True,
            },
        ),
        "tool.progressed",
        {"call_id": "c1", "tool_call_id": "c1", "content": "line 1", "is_partial": True},
    ),
    (
        runtime_event(
            "userEvent",
            event={
                "userEventType": "subAgentEvent",
                "subagent": "scout",
                "event": runtime_event("runFinished"),
            },
        ),
        "progress.reported",
        {"kind": "subagent", "subagent": "scout", "data": runtime_event("runFinished")},
    ),
]


def checkpoint(step: Any, turn_count: int = 1) -> dict[str, Any]:
    data = {"session_id": {"id": 42}, "user_input": "hi", "step": step, "turn_count": turn_count}
    return runtime_event("checkpoint", checkpoint=data)


def test_c_09_every_runtime_event_is_stored_as_a_fact(ledger: Any) -> None:
    store = store_of(ledger)
    for number, (event, type_, payload) in enumerate(EVENTS):
        told = event | {"agent_id": "root/scout", "trace_id": f"4bf92f35-{number}"}
        assert store.append_event(f"s{number}", told, event_id="e", run_id="r") == 1
        [stored] = store.events(f"s{number}")
        assert (stored.type, stored.data) == (type_, payload)
        assert (stored.actor, stored.run_id, stored.event_id) == ("root/scout", "r", "e")
        assert stored.trace_id == told["trace_id"]


def test_c_09_events_come_back_in_order_with_their_sequences(ledger: Any) -> None:
    store = store_of(ledger)
    numbers = [store.append_event("s", runtime_event("textDelta", text=f"{n}")) for n in range(20)]
    assert numbers == list(range(1, 21))
    assert [event.data["delta"] for event in store.events("s")] == [f"{n}" for n in range(20)]
    assert [event.sequence for event in store.events("s", after=15, limit=3)] == [16, 17, 18]


def test_c_09_repeating_an_event_id_stores_nothing(ledger: Any) -> None:
    store = store_of(ledger)
    started = runtime_event("toolCallStarted", tool_name="t", args_json="{}")
    ended = runtime_event("toolCallFinished", tool_name="t", summary="ok")
    first = [store.append_event("s", started) for _ in range(2)]
    assert first == [1, 2]
    assert [store.append_event("s", ended, event_id="e") for _ in range(2)] == [3, 3]
    assert store.append_event("s", ended) == 4
    assert [span.status for span in views_of(ledger).traces("s")] == ["ok", "ok"]


def test_c_09_what_is_no_runtime_event_is_refused(ledger: Any) -> None:
    store = store_of(ledger)
    refused: list[Any] = [
        {},
        {"runtimeEventType": "somethingElse"},
        runtime_event("textDelta"),
        runtime_event("userEvent", event={"userEventType": "other"}),
        runtime_event("checkpoint", checkpoint={"step": "Nowhere"}),
        runtime_event("toolCallStarted", tool_name=7, args_json="{}"),
        runtime_event("planUpdated", objective="o", plan=[{"step": "s", "status": "lost"}]),
        runtime_event("awaitingApproval", request=[]),
        runtime_event("checkpoint", checkpoint={"step": {}}),
        runtime_event("textDelta", text="x", agent_id=7),
        None,
        "textDelta",
    ]
    for event in refused:
        with pytest.raises((InvalidArgument, InvalidEvent)):
            store.append_event("s", event)
    assert store.events("s") == []


def told_by_user(event: Any) -> dict[str, Any]:
    return runtime_event("userEvent", event=event)


WRONG: list[tuple[Any, str, str]] = [
    ({}, "event", "runtimeEventType"),
    ({"runtimeEventType": "x" * 2_000}, "event.runtimeEventType", "'xxx"),
    (runtime_event("textDelta"), "event.text", "textDelta"),
    (runtime_event("thoughtDelta"), "event.text", "thoughtDelta"),
    (runtime_event("planUpdated"), "event.objective", "planUpdated"),
    (runtime_event("awaitingApproval"), "event.request", "awaitingApproval"),
    (runtime_event("awaitingApproval", request="x"), "event.request", "an object, got 'x'"),
    (
        runtime_event("awaitingApproval", request={"risk_level": 5}),
        "event.request.risk_level",
        "text, got 5",
    ),
    (runtime_event("checkpoint"), "event.checkpoint", "checkpoint"),
    (runtime_event("checkpoint", checkpoint=[]), "event.checkpoint", "an object"),
    (runtime_event("checkpoint", checkpoint={}), "event.checkpoint.step", "checkpoint"),
    (checkpoint("Nowhere"), "event.checkpoint.step", "one of AfterUserInput"),
    (checkpoint({}), "event.checkpoint.step", "one of AfterUserInput"),
    (checkpoint({"BeforeLlm": {}, "AfterToolCalls": {}}), "event.checkpoint.step", "one of"),
    (checkpoint({"Nowhere": {}}), "event.checkpoint.step", "one of AfterUserInput"),
    (checkpoint(7), "event.checkpoint.step", "one of AfterUserInput"),
    (checkpoint({"BeforeLlm": 5}), "event.checkpoint.step.BeforeLlm", "an object, got 5"),
    (
        checkpoint({"BeforeToolCalls": {"tool_calls": 5}}),
        "event.checkpoint.step.BeforeToolCalls.tool_calls",
        "several calls, got 5",
    ),
    (
        checkpoint({"BeforeToolCalls": {"tool_calls": [["1", "f", "{}"], ["2", "f"]]}}),
        "event.checkpoint.step.BeforeToolCalls.tool_calls[1]",
        "id, name and arguments",
    ),
    (told_by_user(5), "event.event", "an object, got 5"),
    (runtime_event("userEvent"), "event.event", "userEvent"),
    (told_by_user({}), "event.event.userEventType", "userEvent"),
    (told_by_user({"userEventType": "x" * 2_000}), "event.event.userEventType", "one of progress"),
    (told_by_user({"userEventType": []}), "event.event.userEventType", "one of progress"),
    (
        told_by_user({"userEventType": "toolPartialResult"}),
        "event.event.tool_call_id",
        "toolPartialResult",
    ),
]


@pytest.mark.parametrize(("event", "place", "said"), WRONG, ids=range(len(WRONG)))
def test_c_09_an_event_is_refused_by_the_place_that_is_wrong(
    ledger: Any, event: Any, place: str, said: str
) -> None:
    store = store_of(ledger)
    for call in (
        lambda: store.append_event("s", event),
        lambda: store.save(session_of(), events=[event]),
    ):
        with pytest.raises(InvalidArgument) as caught:
            call()
        assert caught.value.argument == place
        assert said in caught.value.reason
        assert len(caught.value.reason) < 500
        assert "Error(" not in caught.value.reason
    assert ledger.head("s") == 0


def test_c_w1_a_save_and_its_events_are_stored_together_or_not_at_all(ledger: Any) -> None:
    store = store_of(ledger)
    calls = [
        runtime_event("toolCallStarted", tool_name="t", args_json="{}"),
        runtime_event("toolCallFinished", tool_name="t", summary="1"),
        runtime_event("toolCallStarted", tool_name="t", args_json="{}"),
        runtime_event("toolCallFinished", tool_name="t", summary="2"),
    ]
    saved = store.save(session_of(), events=calls)
    assert store.load("s") == saved
    spans = views_of(ledger).traces("s")
    assert [span.attributes["summary"] for span in spans] == ["1", "2"]
    stale = session_of().with_message(ChatMessage.user("late"))
    with pytest.raises(SequenceConflict):
        store.save(stale, events=calls)
    assert ledger.head("s") == saved.version
    with pytest.raises(InvalidArgument, match="messages"):
        store.save(saved, events=[NewEvent({"role": "user"}, "message.appended")])


def test_c_09_all_that_is_told_of_a_call_meets_under_its_call_id(ledger: Any) -> None:
    store = store_of(ledger)
    partial = {"userEventType": "toolPartialResult", "tool_call_id": "c1", "content": "half"}
    for told in (
        runtime_event("toolCallStarted", tool_name="t", args_json="{}"),
        runtime_event("userEvent", event=partial),
    ):
        store.append_event("s", told, call_id="mine")
    [span] = views_of(ledger).traces("s")
    assert (span.own_id, span.output, span.anomalies) == ("mine", "half", [])
    assert store.events("s")[-1].data["tool_call_id"] == "c1"


def test_c_09_an_end_finds_its_call_whatever_was_said_since(ledger: Any) -> None:
    store = store_of(ledger)
    started = runtime_event("toolCallStarted", tool_name="t", args_json="{}")
    ended = runtime_event("toolCallFinished", tool_name="t", summary="ok")
    for call_id in ("first", "second", "third"):
        store.append_event("s", started, call_id=call_id)
    for number in range(0, 600, 200):
        others = [f"{number + n}" for n in range(200)]
        calls = [
            NewEvent({"call_id": one, "tool_name": "u"}, f"tool.{fact}")
            for one in others
            for fact in ("started", "finished")
        ]
        ledger.append("s", calls)
    # What was taken away is no call to be ended.
    ledger.append("s", NewEvent({"span_ids": ["second"]}, "content.redacted"))
    for _ in range(3):
        store.append_event("s", ended)
    ends = [event.data["call_id"] for event in store.events("s")[-3:]]
    last = store.events("s")[-1].event_id
    assert ends == ["first", "third", last]  # and the one that none was open for is of its own


def test_c_w1_an_event_of_a_save_ends_a_call_that_runs(ledger: Any) -> None:
    store = store_of(ledger)
    started = runtime_event("toolCallStarted", tool_name="t", args_json="{}")
    ended = runtime_event("toolCallFinished", tool_name="t", summary="ok")
    for call_id in ("first", "second"):
        store.append_event("s", started, call_id=call_id)
    named = NewEvent({"call_id": "first"}, "tool.failed")
    session = store.load("s").with_message(ChatMessage.user("go on"))
    store.save(session, events=[named, ended, started, ended])
    spans = views_of(ledger).traces("s", source="call")
    assert [(one.own_id, one.status) for one in spans[:2]] == [("first", "error"), ("second", "ok")]
    assert [one.status for one in spans[2:]] == ["ok"]


def test_c_w6_a_slow_reader_loses_nothing(ledger: Any) -> None:
    store = store_of(ledger)
    ledger.append(
        "s", [NewEvent({"delta": f"{number}"}, "message.streamed") for number in range(3_000)]
    )
    assert len(store.events("s")) == 3_000  # the original held 2,048 for a subscriber
    last = store.events("s")[-1].sequence
    waiting = background(lambda: store.events("s", after=last, wait=FOREVER_S))
    store.append_event("s", runtime_event("runFinished"))
    assert [event.type for event in waiting.result(DEADLINE_S)] == ["run.finished"]


def test_c_17_what_is_allowed_always_survives(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of())
    store.append_event("s", ApprovalRequested(approval_id="a", action_key="mail"))
    store.append_event(
        "s", ApprovalDecided(approval_id="a", decision="allow_always", action_key="mail")
    )
    assert store.load("s").always_allowed_actions == {"mail"}
    # The session that was loaded before knows nothing of it, and takes nothing back.
    again = store.save(saved.with_message(ChatMessage.user("more")))
    assert again.always_allowed_actions == store.load("s").always_allowed_actions == {"mail"}


def test_c_17_what_a_session_allows_and_revokes_is_decided(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of().allowing("read"))
    store.append_event("s", runtime_event("awaitingApproval", request=ASKED), event_id="asked")
    allowed = store.save(saved.allowing("mail"))
    assert store.load("s").always_allowed_actions == {"mail", "read"}
    assert views_of(ledger).approval("s", "asked").status == "allow_always"
    store.update("s", lambda one: type(one)(**{**_fields(one), "always_allowed_actions": {"mail"}}))
    assert store.load("s").always_allowed_actions == {"mail"}
    assert views_of(ledger).anomalies("s") == []
    assert allowed.version < store.load("s").version


def test_c_17_what_was_allowed_by_an_event_can_be_taken_back(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of())
    always = {"approval_id": "a", "decision": "allow_always", "action_key": "mail"}
    store.append_event("s", NewEvent(always, "approval.decided"))
    loaded = store.load("s")
    assert loaded.always_allowed_actions == {"mail"}
    store.save(type(loaded)(**{**_fields(loaded), "always_allowed_actions": frozenset()}))
    assert store.load("s").always_allowed_actions == frozenset()


def test_c_09_events_between_a_load_and_a_save_are_no_conflict(ledger: Any) -> None:
    store = store_of(ledger)
    loaded = store.save(session_of())
    at = store.append_event("s", runtime_event("textDelta", text="Hel"))
    saved = store.save(loaded.with_message(ChatMessage.assistant("Hello.")))
    assert saved.version > at > loaded.version
    assert store.load("s") == saved


def _fields(session: Any) -> dict[str, Any]:
    return {name: getattr(session, name) for name in session.__struct_fields__}


def test_c_18_a_run_is_resumed_at_the_recorded_step(ledger: Any) -> None:
    store = store_of(ledger)
    store.append_event("s", RunStarted(), run_id="r")
    saved = store.save(session_of(turns=1))
    store.append_event("s", checkpoint("AfterUserInput"), run_id="r")
    step = {"BeforeToolCalls": {"tool_calls": [["c9", "search", "{}"]]}}
    at = store.append_event("s", checkpoint(step), run_id="r")
    store.save(saved.with_message(ChatMessage.user("lost in the crash")))

    resumed = store_of(ledger).checkpoint("s")  # another process
    assert (resumed.step, resumed.run_id, resumed.sequence) == ("before_tool_calls", "r", at)
    assert resumed.tool_calls == [{"id": "c9", "name": "search", "arguments": "{}"}]
    assert (resumed.user_input, resumed.turn_count) == ("hi", 1)
    assert contents(store.load("s", version=resumed.sequence)) == contents(saved)


def test_c_18_every_step_keeps_what_it_needs(ledger: Any) -> None:
    store = store_of(ledger)
    messages, tools = [{"role": "user", "content": "hi"}], [{"name": "search"}]
    calls = [["c", "search", "{}"]]
    results = [{"tool_call_id": "c", "tool_name": "search", "summary": "3 hits"}]
    for step in (
        "AfterUserInput",
        {"BeforeLlm": {"messages": messages, "tools": tools}},
        {"AfterToolCalls": {"tool_calls": calls, "results": results}},
    ):
        store.append_event("s", checkpoint(step))
    first, second, third = store.checkpoints("s")
    assert first.step == "after_user_input"
    assert (second.step, second.messages, second.tools) == ("before_llm", messages, tools)
    assert (third.step, third.results) == ("after_tool_calls", results)
    assert store.checkpoints("s", limit=1, newest_first=True) == [third]


def test_events_are_followed_by_the_ledger(ledger: Any) -> None:
    store = store_of(ledger)
    store.append_event("s", runtime_event("runFinished"))
    with ledger.follow("s") as stream:
        assert [event.type for event in take(stream, 1)] == ["run.finished"]
