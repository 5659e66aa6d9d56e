"""What cannot be stored is refused by the documented errors, whatever it is; names carry the ids."""

import gc
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from ledger import InvalidArgument, InvalidEvent, Limits, NewEvent
from ledger.catalogue import ToolStarted
from projections.session_stores.snapshot import (
    AgentSession,
    ChatMessage,
    RunState,
    SessionId,
    ToolCall,
)
from tests.support.agent_sessions import SYSTEM, runtime_event, session_of, store_of
from tests.support.awkward import Awkward, Lying, endless, nested
from tests.support.cognee import each_backend, each_backend_crossed

REFUSED = (InvalidArgument, InvalidEvent)
ENDED = runtime_event("toolCallFinished", tool_name="t", summary="ok")


UNFIT: dict[str, Callable[[], Any]] = {
    "endless": endless,
    "nested": lambda: nested(64),
    "nested deep": lambda: nested(900),
    "nested deeper": lambda: nested(3_000),
    "surrogate": lambda: "\ud800",
    "key": lambda: {"\ud800": 1},
    "big": lambda: 2**64,
    "object": object,
    "bytes": lambda: b"hello",
    "set": lambda: {"a", "b"},
    "struct of a set": lambda: ToolCall("c", "t", {"a"}),  # type: ignore[arg-type] # so it is
    "decimal": lambda: Decimal("1.5"),
    "moment": lambda: datetime(2026, 1, 1, tzinfo=UTC),
    "awkward": Awkward,
    "lying": lambda: datetime(2026, 1, 1, tzinfo=Lying()),
}
# Where a session may hold it, alone and beside so many others that they are compared otherwise.
PUT: dict[str, Callable[[AgentSession, Any], AgentSession]] = {
    "content": lambda one, value: one.with_message(ChatMessage(role="user", content=(value,))),
    "many": lambda one, value: one.with_message(
        *(ChatMessage(role="user", content=(number, value)) for number in range(20))
    ),
    "images": lambda one, value: one.with_message(ChatMessage.user("Look.", [{"url": value}])),
    "system": lambda one, value: replace(
        one, chat_messages=(replace(SYSTEM, content=(value,)), *one.chat_messages[1:])
    ),
    "repeated": lambda one, value: one.with_message(
        one.chat_messages[-1], ChatMessage(role="user", content=(value,))
    ),
    "role": lambda one, value: one.with_message(ChatMessage(role=value)),
    "messages": lambda one, value: replace(one, chat_messages=value),
    "allowed": lambda one, value: replace(one, always_allowed_actions=[value]),  # type: ignore[arg-type] # that is the point
    "calls": lambda one, value: replace(one, total_tool_calls=value),
    "strikes": lambda one, value: replace(one, run_state=RunState(nudge_count=value)),
    "external id": lambda one, value: replace(one, id=SessionId(str(one.id), value)),
}


@pytest.mark.parametrize("where", PUT)
def test_u_18_what_cannot_be_stored_is_refused_wherever_it_was_put(ledger: Any, where: str) -> None:
    store = store_of(ledger)
    saved = store.save(session_of())
    for what, make in UNFIT.items():
        new = replace(session_of(), id=SessionId("new"))
        for one in (new, saved, store.load("s")):
            with pytest.raises(REFUSED):
                store.save(PUT[where](one, make()))
        if (where, what) == ("external id", "awkward"):
            continue  # which is compared, and refuses that itself
        with pytest.raises(REFUSED):
            store.update("s", lambda one: PUT[where](one, make()))  # noqa: B023 # at once
    assert store.load("s") == saved
    assert [ledger.head(key) for key in ("s", "new")] == [saved.version, 0]


def test_u_18_what_is_no_message_call_state_or_list_is_refused(ledger: Any) -> None:
    store, wrong = store_of(ledger), {"nudge_cuont": 3}
    cases: dict[str, Callable[[Any], Any]] = {
        "messages": lambda value: AgentSession().with_message(value),
        "tool_calls": lambda value: ChatMessage.assistant(tool_calls=[ToolCall("c", "t", value)]),
        "session.run_state": lambda value: store.save(replace(session_of(), run_state=value)),
        "events": lambda value: store.save(session_of(), events=value),
    }
    for name, call in cases.items():
        for value in (5, wrong):
            with pytest.raises(InvalidArgument) as caught:
                call(value)
            assert caught.value.argument.startswith(name)
    assert ledger.head("s") == 0


WRONG_CALLS: dict[str, list[Callable[[], Any]]] = {
    "messages": [
        lambda: session_of().with_messages([SYSTEM, ChatMessage.user("Hi")]),  # type: ignore[arg-type] # a list
        lambda: session_of().with_messages(SYSTEM, "Hi"),  # type: ignore[arg-type] # no message
        lambda: session_of().with_messages(None),  # type: ignore[arg-type] # no message
    ],
    "tool_calls": [
        lambda: ChatMessage.assistant("x", [{"id": "1", "name": "f"}]),  # type: ignore[list-item] # no call
        lambda: ChatMessage.assistant("x", 5),  # type: ignore[arg-type] # not several
        lambda: ChatMessage.assistant("x", [None]),  # type: ignore[list-item] # no call
    ],
    "images": [
        lambda: ChatMessage.user("x", 5),  # type: ignore[arg-type] # not several
        lambda: ChatMessage.user("x", "image"),
        lambda: ChatMessage.user("x", {"url": "data:,"}),  # type: ignore[arg-type] # one
    ],
    "action_key": [
        lambda: AgentSession().allowing([]),  # type: ignore[arg-type] # no text
        lambda: AgentSession().allowing(None),  # type: ignore[arg-type] # no text
    ],
}


@pytest.mark.parametrize("argument", WRONG_CALLS)
def test_u_18_a_wrong_argument_is_refused_by_its_name(argument: str) -> None:
    for call in WRONG_CALLS[argument]:
        with pytest.raises(InvalidArgument) as caught:
            call()
        assert caught.value.argument == argument
    assert ChatMessage.assistant("x", None) == ChatMessage.assistant("x")


@each_backend
def test_u_18_a_change_that_cannot_be_called_is_refused_whatever_is_stored(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of())
    for key in ("s", "unknown"):
        for change in (None, session_of(), "change"):
            with pytest.raises(InvalidArgument) as caught:
                store.update(key, change)
            assert caught.value.argument == "change"


def test_u_18_an_async_change_is_refused_and_nothing_is_stored(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of())

    async def change(session: AgentSession) -> AgentSession:
        return session

    with pytest.raises(InvalidArgument) as caught:
        store.update("s", change)
    assert str(caught.value) == "change: it is async; give a plain function."
    gc.collect()  # which would warn of a coroutine that nobody awaited
    assert ledger.head("s") == saved.version


BIG, LONG = "x" * 1_048_577, "x" * 600


@each_backend_crossed
def test_u_18_what_is_too_large_is_refused_by_the_place_that_its_caller_knows(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of())
    count, told = len(saved.chat_messages), runtime_event("textDelta", text="x")
    amended = (ChatMessage.system(BIG), *saved.chat_messages[1:])
    cases: dict[str, Callable[[], Any]] = {
        f"session.chat_messages[{count + 1}]": lambda: store.save(
            saved.with_message(ChatMessage.user("small"), ChatMessage.user(BIG))
        ),
        "session.chat_messages[0]": lambda: store.save(replace(saved, chat_messages=amended)),
        "session.id.external_id": lambda: store.save(replace(saved, id=SessionId("s", LONG))),
        "session.always_allowed_actions.action_key": lambda: store.save(saved.allowing(LONG)),
        "events[1]": lambda: store.save(saved, events=[told, runtime_event("textDelta", text=BIG)]),
        "events[1].payload": lambda: store.save(
            saved, events=[told, NewEvent({"text": BIG}, "note")]
        ),
        "event": lambda: store.append_event("s", runtime_event("textDelta", text=BIG)),
        "event.tool_name": lambda: store.append_event(
            "s", runtime_event("toolCallStarted", tool_name=7)
        ),
        "payload": lambda: store.append_event("s", NewEvent({"text": BIG}, "note")),
    }
    for place, call in cases.items():
        with pytest.raises(InvalidEvent) as caught:
            call()
        assert caught.value.field == place
    assert ledger.head("s") == saved.version


#: Values that are none of their field's, each by the place in the event.
NOT_ITS_VALUE: dict[str, Any] = {
    "text": runtime_event("textDelta", text=5),
    "name": runtime_event("toolCallDraft", name=5),
    "error": runtime_event("runFailed", error=5),
    "args_json": runtime_event("toolCallStarted", tool_name="t", args_json=5),
    "request.title": runtime_event("awaitingApproval", request={"title": 5}),
    "request.risk_level": runtime_event("awaitingApproval", request={"risk_level": "none"}),
    "checkpoint.turn_count": runtime_event(
        "checkpoint", checkpoint={"step": "AfterUserInput", "turn_count": "1"}
    ),
    "checkpoint.step.BeforeLlm.messages.0": runtime_event(
        "checkpoint", checkpoint={"step": {"BeforeLlm": {"messages": [5]}}}
    ),
    "event.text": runtime_event("userEvent", event={"userEventType": "progress", "text": 5}),
    "event.event_type": runtime_event(
        "userEvent", event={"userEventType": "structured", "event_type": 5}
    ),
    "event.tool_call_id": runtime_event(
        "userEvent", event={"userEventType": "toolPartialResult", "tool_call_id": 5}
    ),
    "plan.0.step": runtime_event("planUpdated", objective="o", plan=[{"step": 5}]),
    "agent_id": runtime_event("runFinished", agent_id=5),
    "trace_id": runtime_event("runFinished", trace_id="t" * 513),
}


@pytest.mark.parametrize("place", NOT_ITS_VALUE)
def test_c_09_a_value_is_refused_by_its_place_in_the_event(ledger: Any, place: str) -> None:
    store, event = store_of(ledger), NOT_ITS_VALUE[place]
    for name, call in (
        ("event", lambda: store.append_event("s", event)),
        ("events[0]", lambda: store.save(session_of(), events=[event])),
    ):
        with pytest.raises(InvalidEvent) as caught:
            call()
        assert caught.value.field == f"{name}.{place}"
    assert ledger.head("s") == 0


@pytest.mark.parametrize("call_id", ["", "c" * 513, "a\0", 5])
def test_c_09_the_id_of_a_call_is_refused_by_its_own_name(ledger: Any, call_id: Any) -> None:
    store = store_of(ledger)
    partial = {"userEventType": "toolPartialResult", "tool_call_id": "c1"}
    for event in (
        runtime_event("toolCallStarted", tool_name="t", args_json="{}"),
        runtime_event("toolCallFinished", tool_name="t"),
        runtime_event("awaitingApproval", request={"title": "t"}),
        runtime_event("userEvent", event=partial),
    ):
        with pytest.raises(InvalidEvent) as caught:
            store.append_event("s", event, call_id=call_id)
        assert caught.value.field == "call_id"
    assert ledger.head("s") == 0


def test_u_18_more_messages_than_a_ledger_takes_at_once_are_saved_in_parts(
    open_ledger: Callable[..., Any],
) -> None:
    store = store_of(open_ledger(limits=Limits(batch_events_max=10)))
    said = [ChatMessage.user(str(number)) for number in range(12)]
    with pytest.raises(InvalidArgument, match="save them in parts") as caught:
        store.save(session_of(0).with_message(*said))
    assert caught.value.argument == "session.chat_messages"
    assert store.load("s") is None
    with pytest.raises(InvalidArgument) as caught:
        store.save(session_of(0), events=[ENDED] * 12)
    assert caught.value.argument == "events"
    saved = store.save(session_of(0).with_message(*said[:6]))
    saved = store.save(saved.with_message(*said[6:]))
    assert [one.content for one in store.load("s").chat_messages[1:]] == [str(n) for n in range(12)]


def test_events_come_as_anything_that_can_be_gone_through_once(ledger: Any) -> None:
    store = store_of(ledger)
    session = replace(session_of(), id=SessionId("s", UUID(int=7)))  # type: ignore[arg-type] # taken
    store.save(session, events=(ENDED for _ in range(1)))
    assert "tool.finished" in [one.type for one in store.events("s")]
    assert store.load(str(UUID(int=7))) == store.load("s")


def test_u_18_a_change_that_returns_no_session_is_refused(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of())
    for returned in (None, {}, "s", Awkward()):
        with pytest.raises(InvalidArgument, match="change"):
            store.update("s", lambda _: returned)  # noqa: B023 # at once
    assert ledger.head("s") == saved.version


@pytest.mark.parametrize("value", UNFIT)
def test_u_18_an_event_that_is_none_is_refused_alone_and_in_a_save(ledger: Any, value: str) -> None:
    store, make = store_of(ledger), UNFIT[value]
    started = ToolStarted(call_id="c", tool_name="t")
    started.__dict__["call_id"] = make()
    events: list[Any] = [
        NewEvent({"call_id": make(), "tool_name": "t"}, "tool.started"),
        NewEvent({"n": [make()]}, "note"),
        NewEvent({}, "note", event_id=make()),
        NewEvent({}, "note", metadata={"n": [make()]}),
        runtime_event("textDelta", text=make()),
        runtime_event("planUpdated", objective="o", plan=[make()]),
        runtime_event("toolCallStarted", tool_name=make(), args_json="{}"),
        runtime_event("checkpoint", checkpoint={"step": {"BeforeLlm": {"messages": [make()]}}}),
        runtime_event("awaitingApproval", request={"title": "t", "raw": [make()]}),
    ]
    if value != "lying":  # whose error is not the ledger's
        events.append(started)
    for event in events:
        with pytest.raises(REFUSED):
            store.append_event("s", event)
        with pytest.raises(REFUSED):
            store.save(session_of(), events=[event, ENDED])
    for name in ("event_id", "run_id", "call_id"):
        if value != "awkward" or name != "call_id":  # which is asked whether it is there
            with pytest.raises(REFUSED):
                store.append_event("s", ENDED, **{name: make()})
    assert ledger.head("s") == 0
