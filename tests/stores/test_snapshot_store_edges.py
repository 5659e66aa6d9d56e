"""What is rare, and what others do, in the snapshot store; names carry the ids of agent-base's lines."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from ledger import InvalidArgument, InvalidEvent, NewEvent
from ledger.catalogue import ApprovalDecided, SessionCreated, SessionRekeyed, ToolStarted
from projections import Views
from projections.folds.sessions import ALLOWED_ACTIONS_MAX
from projections.session_stores.snapshot import (
    AgentSession,
    ChatMessage,
    ExternalIdTaken,
    SessionId,
    ToolCall,
    session_of_json,
)
from projections.session_stores.snapshot.agent_sessions import base_of
from projections.session_stores.snapshot.writing import SnapshotWriting
from tests.support.agent_sessions import SYSTEM, contents, runtime_event, session_of, store_of
from tests.support.builders import on_memory, only_sync
from tests.support.cognee import each_backend, each_backend_crossed
from tests.support.interrupting import calls_of
from tests.support.views import views_of

OPAQUE = {"content_type": "application/octet-stream"}
ENDED = runtime_event("toolCallFinished", tool_name="t", summary="ok")


@each_backend
def test_c_17_what_is_allowed_by_an_event_of_a_save_survives_the_next(ledger: Any) -> None:
    store = store_of(ledger)
    decided = ApprovalDecided(approval_id="a", decision="allow_always", action_key="mail")
    saved = store.save(session_of().allowing("read"), events=[decided])
    assert saved == store.load("s")
    assert saved.always_allowed_actions == {"mail", "read"}
    again = store.save(saved.with_message(ChatMessage.user("more")))
    assert again == store.load("s")
    assert again.always_allowed_actions == {"mail", "read"}
    revoked = NewEvent({"action_key": "mail"}, "approval.revoked")
    assert store.save(again, events=[revoked]).always_allowed_actions == {"read"}
    assert store.load("s").always_allowed_actions == {"read"}


@on_memory
@only_sync
def test_c_17_more_actions_than_may_be_are_allowed_by_no_two_together(ledger: Any) -> None:
    store = store_of(ledger)
    many = frozenset(str(number) for number in range(ALLOWED_ACTIONS_MAX - 1))
    saved = store.save(AgentSession(id=SessionId("s"), always_allowed_actions=many))
    decided = ApprovalDecided(approval_id="a", decision="allow_always", action_key="theirs")
    ledger.append("s", decided)
    with pytest.raises(InvalidArgument, match=str(ALLOWED_ACTIONS_MAX)):
        store.save(saved.allowing("mine"))
    assert store.load("s").always_allowed_actions == many | {"theirs"}


@on_memory
@only_sync
def test_c_06_a_session_that_others_named_before_it_is_made_has_the_name_it_is_saved_under(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    for given, named in (("mine", "theirs"), ("same", "same"), (None, "kept")):
        ledger.append(named, NewEvent({"external_id": named}, "session.rekeyed"))
        saved = store.save(session_of(key=named, external_id=given))
        assert saved == store.load(named)
        assert base_of(saved) == base_of(store.load(named))
        assert saved.id == SessionId(named, given or named)


@each_backend
def test_c_07_an_event_gives_no_session_the_external_id_of_another(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of(key="a", external_id="ext"))
    saved = store.save(session_of(key="b", external_id="own"))
    told: list[Any] = [
        SessionRekeyed(external_id="ext"),
        SessionCreated(external_id="ext"),
        NewEvent({"external_id": "ext"}, "session.rekeyed"),
        NewEvent(b'{"external_id": "ext"}', "session.created", content_type="application/json"),
    ]
    for one in told:
        for argument, call in (
            ("events", lambda: store.save(saved, events=[one])),  # noqa: B023 # at once
            ("event", lambda: store.append_event("b", one)),  # noqa: B023 # at once
            ("event", lambda: store.append_event("new", one)),  # noqa: B023 # at once
        ):
            with pytest.raises(InvalidArgument, match="'ext'") as refused:
                call()
            assert refused.value.argument == argument
    with pytest.raises(InvalidArgument):  # the session that is saved has it
        store.save(saved, events=[NewEvent({"external_id": None}, "session.rekeyed")])
    assert [ledger.head(key) for key in ("b", "new")] == [saved.version, 0]
    assert store.load("ext").id == SessionId("a", "ext")
    # What says no other one is a fact like any.
    facts = [SessionCreated(agent_id="x"), SessionRekeyed(external_id="own", agent_id="x")]
    again = store.save(saved, events=facts)
    assert store.load("own") == again
    store.append_event("b", SessionRekeyed(external_id=None))
    assert store.load("b").id == SessionId("b")


@each_backend_crossed
def test_c_07_an_external_id_that_is_none_is_refused_by_its_place(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of())
    wrong = NewEvent({"external_id": 7}, "session.rekeyed")
    for place, call in (
        ("payload.external_id", lambda: store.append_event("s", wrong)),
        ("events[0].payload.external_id", lambda: store.save(saved, events=[wrong])),
    ):
        with pytest.raises(InvalidEvent) as refused:
            call()
        assert refused.value.field == place


@each_backend
def test_a_session_that_others_began_stands_as_they_said_when_it_is_saved(ledger: Any) -> None:
    store = store_of(ledger)
    said = NewEvent({"role": "user", "content": "Hi"}, "message.appended")
    for status in ("paused", "processing", "completed", None):
        key = str(status)
        told = {"status": status, "reason": "waits"}
        changed = [] if status is None else [NewEvent(told, "session.status_changed")]
        ledger.append(key, [NewEvent(said.payload, said.type), *changed])
        session = store.load(key)
        saved = store.save(session.with_message(ChatMessage.assistant("Hello.")))
        assert store.load(key) == saved
        row = views_of(ledger).session(key)
        assert row.status == (status or "active")
        assert row.status_reason == (None if status is None else "waits")
        assert row.created_sequence is not None


@each_backend_crossed
def test_u_03_the_version_of_a_save_is_its_last_sequence(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of())
    known = NewEvent({"n": 1}, "note")
    store.append_event("s", known)
    again = store.save(saved, events=[NewEvent({"n": 2}, "note"), known])
    assert again == store.load("s")
    assert again.version == ledger.head("s")


@each_backend
def test_c_01_whatever_a_message_holds_is_what_is_loaded(ledger: Any) -> None:
    store = store_of(ledger)
    session = AgentSession(id=SessionId("s"))
    nested = {"type": "text", "parts": (1, (2, {"deep": ("x",)}))}
    for message in (
        ChatMessage(role="developer", content="\u2028\ufeff☃\r\n\t"),
        ChatMessage(role="user", content=("a", nested), images=((1,), nested)),
        ChatMessage(role="assistant", content=(), images=(), tool_calls=()),
        ChatMessage(role="assistant", content="", tool_calls=(ToolCall("", "", "{"),)),
        ChatMessage(role="tool", tool_call_id="", content=None),
        ChatMessage(role="user", images=(1.0, 1, True, None, 2**64 - 1, -(2**63), 1e300)),
        ChatMessage.user("big " * 100_000),
    ):
        session = store.save(session.with_message(message))
        assert store.load("s") == session
        assert store.save(session) == session  # which is nothing new
    assert session.chat_messages[1].content == (
        "a",
        {"type": "text", "parts": [1, [2, {"deep": ["x"]}]]},
    )


@each_backend_crossed
def test_c_w3_every_field_of_a_system_message_is_replaced(ledger: Any) -> None:
    store = store_of(ledger)
    session = store.save(session_of())
    for fields in (
        {"images": ({"url": "data:,"},)},
        {"images": None, "reasoning_content": "why", "thinking_signature": "sig"},
        {"content": ("in", {"parts": 1}), "reasoning_content": None},
        {"content": None, "tool_calls": (ToolCall("a", "t"),), "tool_call_id": "a"},
    ):
        system = msgspec.structs.replace(session.chat_messages[0], **fields)
        messages = (system, *session.chat_messages[1:])
        session = store.save(msgspec.structs.replace(session, chat_messages=messages))
        assert store.load("s") == session
        assert session.chat_messages == messages
    assert ledger.read("s", types=["message.deleted"]) == []


@each_backend
def test_c_w1_the_end_of_a_call_finds_its_start_however_that_was_told(ledger: Any) -> None:
    store = store_of(ledger)
    for number, start in enumerate(
        (
            ToolStarted(call_id="c", tool_name="t"),
            NewEvent(ToolStarted(call_id="c", tool_name="t")),
            NewEvent({"call_id": "c", "tool_name": "t"}, "tool.started"),
        )
    ):
        store.save(session_of(key=f"s{number}"), events=[start, ENDED])
        [ended] = store.events(f"s{number}", types=["tool.finished"])
        assert ended.data["call_id"] == "c"
    # What is not JSON says nothing, neither told nor stored.
    blob = NewEvent(b"\0", "tool.started", **OPAQUE)
    store.save(session_of(key="blob"), events=[blob, ENDED])
    assert store.append_event("blob", ENDED) == ledger.head("blob")


@each_backend_crossed
def test_c_12_what_is_not_json_is_no_save_and_no_checkpoint(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of())
    at = store.append_event("s", NewEvent({"step": "before_llm"}, "checkpoint.saved"))
    for type_ in ("snapshot.saved", "checkpoint.saved", "tool.started", "approval.decided"):
        ledger.append("s", NewEvent(b"\0\1", type_, **OPAQUE))
    assert [one.version for one in store.versions("s")] == [saved.version]
    assert [one.sequence for one in store.checkpoints("s")] == [at]
    assert store.load("s").chat_messages == saved.chat_messages


@each_backend
def test_u_17_both_texts_of_a_uuid_are_one_id(ledger: Any) -> None:
    store = store_of(ledger)
    key = UUID("0190f6f5-7b2e-7c3a-9d7e-0a1b2c3d4e5f")
    forms = (key, str(key), key.hex, key.hex.upper(), str(key).upper())
    saved = store.save(session_of(key=key.hex))
    assert saved.id == SessionId(str(key))
    for form in forms:
        assert store.load(form) == saved
        saved = store.save(msgspec.structs.replace(saved, id=SessionId(form), total_tool_calls=1))
        store.append_event(form, NewEvent({}, "note"))
        assert store.events(form)[-1].type == "note"
        saved = store.load(form)
    assert store.list() == [SessionId(str(key))]
    # One that others keep under another text is found under that.
    other = UUID(int=7).hex
    ledger.append(other, NewEvent({"role": "user", "content": "Hi"}, "message.appended"))
    loaded = store.load(other)
    assert (loaded.id, contents(loaded)) == (SessionId(other), ["Hi"])
    assert store.save(loaded.allowing("x")) == store.load(other)
    assert store.delete(other) is store.delete(key.hex.upper()) is True
    assert store.list() == []


@each_backend
def test_u_17_both_texts_of_a_uuid_are_one_external_id(ledger: Any) -> None:
    store = store_of(ledger)
    key = UUID("0190f6f5-7b2e-7c3a-9d7e-0a1b2c3d4e5f")
    forms: list[Any] = [key, str(key), key.hex, key.hex.upper(), str(key).upper()]
    for form in forms:
        saved = store.save(session_of(key="a", external_id=form))
        assert saved.id == SessionId("a", str(key))
        for other in forms:
            assert store.load(other) == store.load(SessionId("no", other)) == saved
            with pytest.raises(ExternalIdTaken) as taken:
                store.save(session_of(key="b", external_id=other))
            assert (taken.value.external_id, taken.value.session_id) == (str(key), "a")
            again = store.save(msgspec.structs.replace(saved, id=SessionId("a", other)))
            assert again == saved  # which is nothing new
        assert store.append_event(form, NewEvent({}, "note")) == saved.version + 1
        assert store.events(form)[-1].type == "note"
        assert store.delete(form) is True
    assert store.list() == []


@each_backend_crossed
def test_u_17_an_external_id_that_others_keep_otherwise_is_found_by_every_text(ledger: Any) -> None:
    store, key = store_of(ledger), UUID("0190f6f5-7b2e-7c3a-9d7e-0a1b2c3d4e5f")
    ledger.append("theirs", NewEvent({"external_id": key.hex}, "session.created"))
    for form in (key, str(key), key.hex, str(key).upper()):
        loaded = store.load(form)
        assert loaded.id == SessionId("theirs", key.hex)
        with pytest.raises(ExternalIdTaken):
            store.save(session_of(key="b", external_id=form))
        session = msgspec.structs.replace(loaded, id=SessionId("theirs", form), total_tool_calls=1)
        assert store.save(session) == store.load("theirs")
    assert ledger.read("theirs", types=["session.rekeyed"]) == []


@each_backend
def test_c_07_an_archived_session_keeps_its_external_id(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of(key="a", external_id="ext"))
    ledger.append("a", NewEvent({"reason": "expired"}, "session.archived"))
    assert store.list() == []
    assert store.load("ext") == store.load("a")
    assert store.load("ext").id == SessionId("a", "ext")
    with pytest.raises(ExternalIdTaken) as taken:
        store.save(session_of(key="b", external_id="ext"))
    assert taken.value.session_id == "a"
    assert store.delete("ext") is True


@each_backend_crossed
def test_c_07_external_ids_are_claimed_in_a_tenant_of_any_length(ledger: Any) -> None:
    for tenant in ("t" * 1_024, "t" * 1_023):
        store = store_of(ledger, tenant=tenant)
        saved = store.save(session_of(external_id="ext"))
        assert store.load("ext") == saved
        assert store.list() == [saved.id]


@on_memory
@only_sync
def test_c_15_c_16_what_is_nested_without_end_is_refused_or_emptied(ledger: Any) -> None:
    deep = "[" * 100_000
    for text in (deep, f'{{"chat_messages": {deep}', b"\xff"):
        with pytest.raises(InvalidArgument):
            session_of_json(text)
    message = ChatMessage.assistant(tool_calls=[ToolCall("c", "t", deep)])
    assert message.tool_calls == (ToolCall("c", "t", "{}"),)


@on_memory
@only_sync
def test_a_load_a_save_and_an_event_take_few_calls(ledger: Any) -> None:
    store = store_of(ledger)
    plans = SnapshotWriting(ledger, Views(ledger), "")
    saved = store.save(session_of(turns=3, external_id="ext"))
    assert calls_of(plans.load("s", None))[1] <= 3
    assert calls_of(plans.save(saved.with_message(SYSTEM), ()))[1] <= 4
    told = runtime_event("textDelta", text="x")
    one = {"run_id": None, "event_id": None, "call_id": None}
    assert calls_of(plans.append_event("s", told, **one))[1] == 2


@on_memory
@only_sync
def test_what_is_wrong_is_refused_by_its_place_also_behind_messages_that_are_stored(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    store.save(session_of(turns=2))
    loaded = store.load("s")
    count, images = len(loaded.chat_messages), [{"url": "data:,"}]
    wrong: Any = ChatMessage(role="user", content=7)  # type: ignore[arg-type] # that is the point
    for session in (
        loaded.with_message(ChatMessage.user("and"), wrong),
        store.save(loaded.with_message(ChatMessage.user("and", images))).with_message(wrong),
    ):
        with pytest.raises(InvalidArgument, match=rf"chat_messages\[{count + 1}\].content"):
            store.save(session)
    saved = store.load("s")
    saved.chat_messages[-1].images[0]["url"] = 2**70
    with pytest.raises(InvalidEvent, match="images"):
        store.save(saved)
    listed: Any = msgspec.structs.replace(saved, chat_messages=[*loaded.chat_messages])
    assert store.save(listed).chat_messages == loaded.chat_messages


@on_memory
@only_sync
@pytest.mark.parametrize("role", ["user", "system"])
def test_a_value_that_is_only_equal_is_another_one(ledger: Any, role: Any) -> None:
    store = store_of(ledger)
    said = ChatMessage(role=role, content=({"cache": 1},))
    store.save(AgentSession(id=SessionId("s")).with_message(said))
    for other in (True, 1.0, 1):
        session = store.load("s")
        session.chat_messages[0].content[0]["cache"] = other
        saved = store.save(session)
        assert saved.version > session.version
        for again in (saved, store.load("s")):
            assert repr(again.chat_messages[0].content) == repr(({"cache": other},))
