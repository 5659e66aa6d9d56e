"""Whole sessions in and out of the snapshot store; names carry the ids of agent-base's lines."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from ledger import (
    InvalidArgument,
    InvalidEvent,
    Ledger,
    NewEvent,
    SequenceConflict,
)
from projections.session_stores.snapshot import (
    AgentSession,
    ChatMessage,
    ExternalIdTaken,
    RunState,
    SessionId,
    reading,
)
from tests.support.agent_sessions import SYSTEM, contents, session_of, store_of, turn
from tests.support.cognee import each_backend
from tests.support.interrupting import calls_of
from tests.support.views import views_of


@each_backend
def test_c_01_what_was_saved_is_loaded(ledger: Any) -> None:
    store = store_of(ledger)
    session = session_of(turns=2).allowing("search").allowing("mail")
    session = msgspec.structs.replace(
        session, total_tool_calls=9, run_state=RunState(nudge_count=3)
    )
    saved = store.save(session)
    assert store.load("s") == saved
    assert msgspec.structs.replace(saved, version=0) == session


@each_backend
def test_c_01_every_field_of_a_message_comes_back(ledger: Any) -> None:
    store = store_of(ledger)
    answer = ChatMessage.assistant("A dot.", turn(1)[1].tool_calls or ())
    session = AgentSession(id=SessionId("s")).with_message(
        ChatMessage.user("Look.", [{"url": "data:,", "size": [1, {"deep": None}]}]),
        msgspec.structs.replace(answer, reasoning_content="Small.", thinking_signature="sig"),
        ChatMessage.tool("call 1", ""),
        ChatMessage(role="user", content=({"type": "text", "text": "in parts"},)),
    )
    assert store.save(session) == store.load("s")
    assert store.load("s").chat_messages[:2] == session.chat_messages[:2]


@each_backend
def test_c_02_an_unknown_session_is_none(ledger: Any) -> None:
    store = store_of(ledger)
    assert store.load("nobody") is None
    assert store.load(SessionId("nobody", "no alias")) is None
    assert store.update("nobody", lambda session: session) is None


@each_backend
def test_c_03_the_second_save_wins_and_the_list_has_it_once(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of(turns=0).with_message(ChatMessage.user("one")))
    store.save(saved.with_message(ChatMessage.user("two")))
    assert contents(store.load("s")) == ["Be kind.", "one", "two"]
    assert store.list() == [SessionId("s")]


@each_backend
def test_c_04_the_list_has_every_session(ledger: Any) -> None:
    store = store_of(ledger)
    assert store.list() == []
    for key in ("a", "b", "c"):
        store.save(session_of(key=key))
    assert sorted(one.id for one in store.list()) == ["a", "b", "c"]


@each_backend
def test_c_05_a_deleted_session_is_gone(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of())
    assert store.delete("s") is True
    assert store.load("s") is None
    assert store.list() == []
    assert store.delete("s") is False


@each_backend
def test_c_06_an_external_id_is_saved_loaded_and_listed(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(AgentSession(id=SessionId(42, "my-ext-id")))  # type: ignore[arg-type] # agent-base's are numbers
    assert str(saved.id) == "42(my-ext-id)"
    assert str(store.load(SessionId("42", "my-ext-id")).id) == "42(my-ext-id)"
    assert [str(one) for one in store.list()] == ["42(my-ext-id)"]


@each_backend
def test_c_07_either_id_finds_the_session(ledger: Any) -> None:
    store = store_of(ledger)
    keys: list[Any] = ["42", 42, "ext", SessionId("42"), SessionId("no", "ext")]
    for key in keys:
        saved = store.save(session_of(key="42", external_id="ext"))
        assert store.load(key) == saved
        assert store.append_event(key, NewEvent({"text": "hi"}, "note")) == saved.version + 1
        assert store.delete(key) is True
        assert store.load("42") is None


@each_backend
def test_c_07_an_external_id_belongs_to_one_session(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of(key="a", external_id="ext"))
    with pytest.raises(ExternalIdTaken) as refused:
        store.save(session_of(key="b", external_id="ext"))
    assert (refused.value.external_id, refused.value.session_id) == ("ext", "a")
    assert store.load("b") is None


@each_backend
def test_c_07_an_external_id_is_free_again_after_a_deletion_or_a_change(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of(key="a", external_id="ext"))
    store.delete("a")
    renamed = store.save(session_of(key="b", external_id="ext"))
    store.save(msgspec.structs.replace(renamed, id=SessionId("b", "other")))
    store.save(session_of(key="c", external_id="ext"))
    assert [store.load(key).id.id for key in ("ext", "other")] == ["c", "b"]


@each_backend
def test_c_07_saving_without_the_external_id_keeps_it(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of(external_id="ext"))
    again = store.save(msgspec.structs.replace(saved, id=SessionId("s"), total_tool_calls=5))
    assert again.id == SessionId("s", "ext")
    assert store.load("ext") == again


@each_backend
def test_c_08_a_session_without_an_id_is_refused(ledger: Any) -> None:
    store = store_of(ledger)
    with pytest.raises(InvalidArgument, match="no id"):
        store.save(AgentSession())
    assert store.list() == []


@each_backend
def test_c_11_the_newest_activity_comes_first_and_numbers_do_not_sort(ledger: Any) -> None:
    store = store_of(ledger)
    saved = {key: store.save(session_of(key=key)) for key in ("10", "2", "1")}
    store.save(saved["2"].with_message(ChatMessage.user("more")))
    assert [one.id for one in store.list()] == ["2", "1", "10"]


@each_backend
def test_c_13_a_save_that_has_not_seen_the_last_one_is_refused(ledger: Any) -> None:
    store = store_of(ledger)
    loaded = store.save(session_of())
    first = store.save(loaded.with_message(ChatMessage.user("first")))
    with pytest.raises(SequenceConflict) as conflict:
        store.save(loaded.with_message(ChatMessage.user("second")))
    assert (conflict.value.expected, conflict.value.actual) == (loaded.version, first.version)
    assert store.load("s") == first


@each_backend
def test_c_13_a_message_of_another_writer_is_not_overwritten(ledger: Any) -> None:
    store = store_of(ledger)
    loaded = store.save(session_of())
    ledger.append("s", NewEvent({"role": "user", "content": "Wait!"}, "message.appended"))
    with pytest.raises(SequenceConflict):
        store.save(loaded.with_message(ChatMessage.user("second")))
    assert contents(store.load("s"))[-1] == "Wait!"


@each_backend
def test_an_update_that_returns_another_session_is_refused(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of())
    for other in (session_of(), msgspec.structs.replace(saved, id=SessionId("other"))):
        with pytest.raises(InvalidArgument):
            store.update("s", lambda _, other=other: other)
    assert store.list() == [SessionId("s")]


@each_backend
def test_c_14_a_new_session_never_replaces_a_stored_one(ledger: Any) -> None:
    store_of(ledger).save(session_of(key="1"))
    with pytest.raises(SequenceConflict):  # a counter that began at 1 again
        store_of(ledger).save(session_of(key="1"))
    assert len({SessionId.new().id for _ in range(1_000)}) == 1_000
    assert UUID(SessionId.new().id).version == 7


@each_backend
def test_u_02_a_stale_version_writes_nothing(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of())
    store.save(saved.with_message(ChatMessage.user("first")))
    head = ledger.head("s")
    with pytest.raises(SequenceConflict):
        store.save(saved.allowing("x"), events=[NewEvent({}, "note")])
    assert ledger.head("s") == head


@each_backend
def test_u_07_lists_of_an_unknown_session_are_empty(ledger: Any) -> None:
    store = store_of(ledger)
    assert store.events("nobody") == store.versions("nobody") == store.checkpoints("nobody") == []
    assert store.checkpoint("nobody") is None


@each_backend
def test_u_10_saving_what_is_stored_appends_nothing(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of().allowing("x"))
    assert store.save(saved) == saved
    assert ledger.head("s") == saved.version


@each_backend
def test_u_12_a_session_under_a_deleted_id_begins_empty(ledger: Any) -> None:
    store = store_of(ledger)
    old = store.save(session_of(turns=3, external_id="ext").allowing("x"))
    store.append_event("s", NewEvent({"step": "after_user_input"}, "checkpoint.saved"))
    store.delete("s")
    assert store.load("ext") is None
    for key in ("s", "ext"):
        assert store.events(key) == store.versions(key) == store.checkpoints(key) == []
    with pytest.raises(SequenceConflict):
        store.save(old)
    new = store.save(AgentSession(id=SessionId("s")))
    assert store.load("s") == new
    assert (new.chat_messages, new.always_allowed_actions) == ((), frozenset())
    assert [one.version for one in store.versions("s")] == [new.version]
    assert store.load("s", version=old.version) is None
    assert (store.checkpoints("s"), store.checkpoint("s")) == ([], None)
    assert all(one.sequence > old.version for one in store.events("s"))


@each_backend
def test_u_12_a_session_of_before_a_deletion_is_never_saved_over_what_came_after(
    ledger: Any,
) -> None:
    store = store_of(ledger)
    old = store.save(session_of())
    store.delete("s")
    store.append_event("s", NewEvent({}, "note"))
    with pytest.raises(SequenceConflict):
        store.save(old)
    with pytest.raises(SequenceConflict):  # of another ledger, or invented
        store.save(msgspec.structs.replace(old, version=1_000))
    store.save(msgspec.structs.replace(old, version=0))
    assert contents(store.load("s")) == contents(old)


@each_backend
def test_u_14_tenants_do_not_see_each_other(ledger: Any) -> None:
    ours, theirs = store_of(ledger, tenant="a"), store_of(ledger, tenant="b")
    ours.save(session_of(external_id="ext"))
    ours.append_event("s", NewEvent({"step": "after_user_input"}, "checkpoint.saved"))
    mine = ours.load("s")
    for key in ("s", "ext"):
        assert theirs.load(key) is None
        assert theirs.update(key, lambda one: one.allowing("x")) is None
        assert theirs.events(key) == theirs.versions(key) == theirs.checkpoints(key) == []
        assert theirs.checkpoint(key) is None
        assert theirs.delete(key) is False
    assert theirs.list() == theirs.list_page().items == []
    theirs.save(session_of(external_id="ext"))
    theirs.append_event("s", NewEvent({}, "note"))
    theirs.delete("s")
    assert ours.load("ext") == mine


@each_backend
def test_u_17_an_id_is_any_text(ledger: Any) -> None:
    store = store_of(ledger)
    keys = ["../a:b", "ünïcode ☃", "k" * 1_024, "42(ext)", "42"]
    saved = [store.save(session_of(key=key)) for key in keys]
    assert [store.load(key) for key in keys] == saved
    assert store.list() == [SessionId(key) for key in reversed(keys)]


@each_backend
def test_u_17_a_uuid_and_its_text_are_one_id(ledger: Any) -> None:
    store = store_of(ledger)
    key = UUID("0190f6f5-7b2e-7c3a-9d7e-0a1b2c3d4e5f")
    saved = store.save(AgentSession(id=SessionId(key)))  # type: ignore[arg-type] # UUIDs are taken too
    assert store.load(key) == store.load(str(key)) == saved


@each_backend
def test_u_20_pages_of_the_list_hold_while_sessions_come(ledger: Any) -> None:
    store = store_of(ledger)
    for number in range(5):
        store.save(session_of(key=f"s{number}", external_id=f"e{number}"))
    page = store.list_page(limit=2)
    store.save(session_of(key="new"))
    rest = store.list_page(limit=10, cursor=page.cursor)
    found = [str(one) for one in page.items + rest.items]
    assert found == [f"s{number}(e{number})" for number in (4, 3, 2, 1, 0)]
    assert rest.cursor is None


@each_backend
def test_a_saved_session_is_in_the_views(ledger: Any) -> None:
    store_of(ledger).save(session_of(turns=2, external_id="ext").allowing("search"))
    views = views_of(ledger)
    row = views.session("s")
    assert (row.status, row.external_id, row.message_count) == ("active", "ext", 9)
    assert row.always_allowed_actions == ["search"]
    assert [one.content for one in views.messages("s")][:2] == ["Be kind.", "question 0"]
    assert [call.call["name"] for line in views.transcript("s") for call in line.calls] == [
        "search",
        "search",
    ]
    assert [one.session_id for one in views.sessions()] == ["s"]


@each_backend
def test_a_session_that_others_wrote_is_loaded_and_saved(ledger: Any) -> None:
    ledger.append(
        "s",
        [
            NewEvent({"external_id": "ext", "agent_id": "support"}, "session.created"),
            NewEvent({"role": "user", "content": "Hi"}, "message.appended"),
            NewEvent({"role": "assistant", "delta": "Hel", "message_id": "m"}, "message.streamed"),
        ],
    )
    store = store_of(ledger)
    loaded = store.load("ext")
    assert (contents(loaded), loaded.version, str(loaded.id)) == (["Hi"], 3, "s(ext)")
    saved = store.save(loaded.with_message(ChatMessage.assistant("Hello.")))
    assert store.load("s") == saved
    assert views_of(ledger).session("s").agent_id == "support"


@each_backend
def test_a_session_of_the_wrong_shape_is_refused(ledger: Any) -> None:
    store = store_of(ledger)
    good = session_of()
    for bad in (
        {"id": "s"},
        msgspec.structs.replace(good, total_tool_calls="many"),
        msgspec.structs.replace(good, chat_messages=("Hi",)),
        msgspec.structs.replace(good, always_allowed_actions=[f"a{n}" for n in range(1_001)]),
    ):
        with pytest.raises(InvalidArgument):
            store.save(bad)
    with pytest.raises(InvalidEvent):
        store.save(good.with_message(ChatMessage.user("x", [float("nan")])))
    assert store.list() == []


@each_backend
@pytest.mark.parametrize("prefix", [True, False])
def test_u_02_of_a_long_transcript_only_the_session_is_read(
    ledger: Any, prefix: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LIMITS", (8, 12, None))
    store = store_of(ledger)
    session = AgentSession(id=SessionId("s"))
    session = store.save(session.with_message(SYSTEM) if prefix else session)
    for number in range(9):  # of which at last 36 are in the transcript
        session = store.save(session.with_message(*turn(number)).trimmed(1 + number % 3))
        assert store.load("s") == session
    session = store.save(session.with_message(*turn("x"), *turn("y")))  # longer than what is read
    assert store.load("s") == session
    assert contents(session)[0] == ("Be kind." if prefix else "question 6")
    session = store.save(session.trimmed(1))
    if isinstance(ledger, Ledger):
        found, calls = calls_of(store._plans.load("s", None))
        assert (found, calls) == (session, 2 if prefix else 1)
    for limit in range(1, 50):
        monkeypatch.setattr(reading, "LIMITS", (limit, None))
        assert store.load("s") == session
    # Of one that others wrote everything is read.
    ledger.append("theirs", [NewEvent({"role": "user"}, "message.appended") for _ in range(20)])
    assert store.load("theirs").turn_count == 20
    monkeypatch.setattr(reading, "LIMITS", (8, 12, None))
    assert store.load("theirs").turn_count == 20
