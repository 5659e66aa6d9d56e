"""What stays of a session's past; names carry the ids of agent-base's lines."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ledger import InvalidArgument, NewEvent, Upcasts
from projections.session_stores.snapshot import (
    AgentSession,
    ChatMessage,
    RunState,
    SessionId,
    SnapshotUnreadable,
    ToolCall,
    session_of_json,
)
from tests.support.agent_sessions import SYSTEM, contents, session_of, store_of, turn
from tests.support.cognee import each_backend_crossed
from tests.support.views import views_of

GOLDEN = Path(__file__).parent / "golden"


def transcript(ledger: Any) -> list[Any]:
    return [message.content for message in views_of(ledger).messages("s")]


@each_backend_crossed
def test_c_03_every_earlier_save_can_be_loaded(ledger: Any) -> None:
    store = store_of(ledger)
    saves = [store.save(session_of(turns=1))]
    for number in range(3):
        saves.append(store.save(saves[-1].with_message(*turn(f"more {number}")).allowing("x")))
    assert [one.version for one in store.versions("s")] == [one.version for one in saves]
    assert [store.load("s", version=one.version) for one in saves] == saves
    assert store.versions("s")[0].saved_at.tzinfo is not None


@each_backend_crossed
def test_c_02_a_version_that_is_not_there_is_none(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of(external_id="ext"))
    for key in ("unknown", SessionId("unknown", "neither")):
        assert [store.load(key, version=version) for version in (0, 1, 3)] == [None, None, None]
    for key in ("s", "ext"):
        assert store.load(key, version=0) is None
        assert store.load(key, version=saved.version) == saved
        assert store.load(key, version=saved.version + 1) is None
    wrong: list[Any] = [-1, "1", 1.0, True, 2**63, saved.id]
    for version in wrong:
        for key in ("s", "unknown"):
            with pytest.raises(InvalidArgument) as caught:
                store.load(key, version=version)
            assert caught.value.argument == "version"


@each_backend_crossed
def test_c_03_an_earlier_save_can_be_made_the_current_one(ledger: Any) -> None:
    store = store_of(ledger)
    first = store.save(session_of(turns=1))
    second = store.save(first.with_message(*turn("wrong")))
    back = store.save(msgspec.structs.replace(first, version=second.version))
    assert contents(store.load("s")) == contents(first) == contents(back)
    assert store.load("s", version=second.version) == second


@each_backend_crossed
def test_c_w3_trimming_destroys_no_stored_history(ledger: Any) -> None:
    store = store_of(ledger)
    full = store.save(session_of(turns=5))
    trimmed = store.save(full.trimmed(2))
    assert store.load("s") == trimmed
    assert contents(trimmed) == contents(full)[:1] + contents(full)[-8:]
    assert transcript(ledger) == contents(full)
    # And the next saves go on behind it, trimmed again or not.
    more = store.save(trimmed.with_message(*turn("new")))
    assert store.load("s") == more
    last = store.save(more.trimmed(1))
    assert contents(store.load("s")) == ["Be kind.", *contents(last)[1:]]
    assert transcript(ledger) == [*contents(full), *(one.content for one in turn("new"))]
    assert store.load("s", version=full.version) == full
    deleted = ledger.read("s", types=["message.deleted"])
    assert deleted == []


@each_backend_crossed
def test_c_w3_what_is_popped_or_replaced_stays_in_the_log(ledger: Any) -> None:
    store = store_of(ledger)
    full = store.save(session_of(turns=2))
    popped = store.save(full.without_last_message().with_message(ChatMessage.assistant("better")))
    assert transcript(ledger) == contents(popped) == contents(store.load("s"))
    assert store.load("s", version=full.version) == full


@each_backend_crossed
def test_c_w3_a_new_system_message_changes_no_other(ledger: Any) -> None:
    store = store_of(ledger)
    full = store.save(session_of(turns=3))
    changed = full.with_messages(ChatMessage.system("Be brief."), *full.chat_messages[1:])
    store.save(changed.trimmed(1))
    assert contents(store.load("s"))[:2] == ["Be brief.", "question 2"]
    assert transcript(ledger) == ["Be brief.", *contents(full)[1:]]


@each_backend_crossed
def test_c_w3_whatever_is_saved_is_what_is_loaded(ledger: Any) -> None:
    store = store_of(ledger)
    said = [ChatMessage.user(letter) for letter in "abcd"]
    a, b, c, d = said
    session = store.save(AgentSession(id=SessionId("s")))
    for messages in (
        [SYSTEM, a, b, c],
        [SYSTEM, b, c, d],  # trimmed and gone on
        [SYSTEM, SYSTEM, c, d],
        [c, d, a, a, a],
        [a, a],  # alike
        [a],
        [],
        [b, SYSTEM, c, d],
        [SYSTEM, c, d],
        [SYSTEM, d, a],
        [a, SYSTEM],
    ):
        session = store.save(msgspec.structs.replace(session, chat_messages=tuple(messages)))
        assert store.load("s") == session
        assert session.chat_messages == tuple(messages)


@each_backend_crossed
def test_u_06_messages_come_in_their_order_whatever_the_clocks_say(ledger: Any) -> None:
    store = store_of(ledger)
    store.save(session_of(turns=0))
    for number in range(20):
        store.update("s", lambda one, n=number: one.with_message(ChatMessage.user(f"{n}")))
    assert contents(store.load("s")) == ["Be kind.", *(f"{number}" for number in range(20))]
    told = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (5, 5, 3, 9, 1)]
    for number, moment in enumerate(told, 20):  # equal moments, and of before the session began
        said = {"role": "user", "content": f"{number}"}
        ledger.append("s", NewEvent(said, "message.appended", occurred_at=moment))
    loaded = store.load("s")
    assert contents(loaded) == ["Be kind.", *(f"{number}" for number in range(25))]
    assert store.save(loaded.trimmed(3)) == store.load("s")
    assert contents(store.load("s")) == ["Be kind.", "22", "23", "24"]


@each_backend_crossed
def test_c_12_a_snapshot_that_is_none_of_ours_is_an_error_of_its_own(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of())
    states: list[Any] = [None, "{", {"format": 2}]
    states += [{"format": 1, "rest_from": "far"}, {"format": 1, "more": 1}]
    for state in states:
        damaged = NewEvent({"name": "agent_session", "state": state}, "snapshot.saved")
        at = ledger.append("s", damaged).sequence
        with pytest.raises(SnapshotUnreadable) as unreadable:
            store.load("s")
        assert (unreadable.value.session_id, unreadable.value.sequence) == ("s", at)
        assert store.load("s", version=saved.version) == saved


@each_backend_crossed
def test_c_11_an_unreadable_session_is_listed_and_reported(ledger: Any) -> None:
    store = store_of(ledger)
    ledger.append("s", NewEvent({"name": "agent_session", "state": 1}, "snapshot.saved"))
    assert store.list() == [SessionId("s")]
    with pytest.raises(SnapshotUnreadable):
        store.load("s")


@each_backend_crossed
def test_c_15_sessions_of_the_first_agent_base_are_understood(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of_json((GOLDEN / "agent_base_0_1.json").read_bytes()))
    assert store.load(42) == saved
    assert contents(saved) == ["Be kind.", "Where is my parcel?", None, "Lyon"]
    assert (saved.total_tool_calls, saved.always_allowed_actions) == (1, {"track"})
    assert saved.run_state == RunState(
        turn_tool_calls=1, nudge_count=2, reasoning_only_strikes=3, empty_response_strikes=4
    )


@each_backend_crossed
def test_c_15_sessions_of_the_last_agent_base_are_understood(ledger: Any) -> None:
    store = store_of(ledger)
    saved = store.save(session_of_json((GOLDEN / "agent_base_0_9.json").read_text()))
    assert store.load("0190f6f5-7b2e-7c3a-9d7e-0a1b2c3d4e5f") == saved
    assert saved.chat_messages[2].thinking_signature == "sig"
    assert saved.chat_messages[1].images == ({"url": "data:image/png;base64,AA=="},)
    assert saved.run_state.original_thinking_enabled is True
    assert saved.run_state.truncation_strikes == 1


@pytest.mark.parametrize("text", ["[]", "{", "{}", "7", '"text"', "null"])
def test_c_15_what_is_no_session_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        session_of_json(text)


EMPTY = {"chat_messages": [], "always_allowed_actions": [], "total_tool_calls": 0}


@pytest.mark.parametrize("name", EMPTY)
def test_c_15_an_object_without_what_is_always_written_is_no_session(name: str) -> None:
    assert session_of_json(EMPTY) == AgentSession()
    with pytest.raises(InvalidArgument, match=rf"it has no {name}\."):
        session_of_json({key: value for key, value in EMPTY.items() if key != name})
    with pytest.raises(InvalidArgument, match=rf"it has no {', '.join(EMPTY)}\."):
        session_of_json('{"hello": 1}')


@pytest.mark.parametrize(
    "said",
    [
        {"id": 7},
        {"chat_messages": [{"Nobody": {}}]},
        {"chat_messages": [{"User": {"content": "x"}, "more": 1}]},
        {"chat_messages": None},
        {"run_state": 1},
    ],
    ids=str,
)
def test_c_15_what_is_always_written_must_be_understood(said: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        session_of_json(EMPTY | said)


WRONG: list[tuple[Any, str]] = [
    (7, "expected an object, got 7"),
    ("[]", "expected an object"),
    (EMPTY | {"id": 7}, "$.id"),
    (EMPTY | {"id": {}}, "$.id"),
    (EMPTY | {"id": {"id": []}}, "$.id.id"),
    (EMPTY | {"id": {"id": 7, "external_id": 7}}, "$.id.external_id"),
    (EMPTY | {"chat_messages": 5}, "$.chat_messages"),
    (EMPTY | {"chat_messages": "Hi"}, "$.chat_messages"),
    (EMPTY | {"chat_messages": {"role": "user"}}, "$.chat_messages"),
    (EMPTY | {"chat_messages": [{"role": "user"}, "Hi"]}, "$.chat_messages[1]"),
    (EMPTY | {"chat_messages": [{"type": "user", "content": "Hi"}]}, "$.chat_messages[0]"),
    (EMPTY | {"chat_messages": [{"User": 5}]}, "$.chat_messages[0]"),
    (EMPTY | {"chat_messages": [{"role": "user"}, {"role": "x"}]}, "$.chat_messages[1].role"),
    (EMPTY | {"chat_messages": [{"User": {"content": 1}}]}, "$.chat_messages[0].content"),
    (
        EMPTY | {"chat_messages": [{"role": "assistant", "tool_calls": [["1", "f"]]}]},
        "$.chat_messages[0].tool_calls[0]",
    ),
    (EMPTY | {"always_allowed_actions": "mail"}, "$.always_allowed_actions"),
    (EMPTY | {"always_allowed_actions": ["mail", 5]}, "$.always_allowed_actions[1]"),
    (EMPTY | {"total_tool_calls": "many"}, "$.total_tool_calls"),
    (EMPTY | {"run_state": 1}, "$.run_state"),
    (EMPTY | {"nudge_count": "often"}, "$.run_state.nudge_count"),
    (EMPTY | {"chat_messages": [{"role": "x" * 5_000}]}, "Invalid enum value"),
]


@pytest.mark.parametrize(("data", "place"), WRONG, ids=range(len(WRONG)))
def test_c_15_what_is_no_session_is_refused_by_its_place(data: Any, place: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        session_of_json(data)
    assert caught.value.argument == "data"
    assert place in caught.value.reason
    assert len(caught.value.reason) < 2_000
    inner = ("subscriptable", "iterable", "unpack", "attribute", "sequence element", "convert")
    assert [word for word in inner if word in caught.value.reason] == []


def test_c_15_calls_come_as_objects_and_as_id_name_and_arguments() -> None:
    called = {"id": "1", "name": "f", "arguments": '{"q": 1}'}
    for call in (called, [*called.values()], (*called.values(),)):
        for message in (
            {"role": "assistant", "tool_calls": [call]},
            {"Assistant": {"tool_calls": [call]}},
        ):
            [said] = session_of_json(EMPTY | {"chat_messages": [message]}).chat_messages
            assert said.tool_calls == (ToolCall(**called),)


@each_backend_crossed
def test_c_15_our_first_snapshots_load_for_ever(open_ledger: Any) -> None:
    ledger = open_ledger()
    said = [{"role": "system", "content": "Be kind."}]
    said += [{"role": "user", "content": letter} for letter in "abc"]
    ledger.append("s", [NewEvent(one, "message.appended") for one in said])
    golden = json.loads((GOLDEN / "snapshot_saved_1.json").read_text())
    ledger.append("s", NewEvent(golden, "snapshot.saved"))
    loaded = store_of(ledger).load("s")
    assert contents(loaded) == ["Be kind.", "c"]
    assert (loaded.total_tool_calls, loaded.version) == (7, 5)
    assert loaded.run_state == RunState(nudge_count=2, run_has_tool_calls=True, turn_tool_calls=1)


@each_backend_crossed
def test_c_15_the_stored_form_is_the_golden_one(ledger: Any) -> None:
    store = store_of(ledger)
    said = [ChatMessage.user(letter) for letter in "abc"]
    session = AgentSession(id=SessionId("s")).with_message(SYSTEM, *said)
    session = msgspec.structs.replace(
        session,
        total_tool_calls=7,
        run_state=RunState(nudge_count=2, run_has_tool_calls=True, turn_tool_calls=1),
    )
    store.save(store.save(session).trimmed(1))
    golden = json.loads((GOLDEN / "snapshot_saved_1.json").read_text())
    stored = ledger.read("s", types=["snapshot.saved"])[-1].data
    # session.created came first, and the first save's snapshot last.
    golden["state"] = {"format": 1, "prefix_through": 2, "rest_from": 5}
    assert stored == golden | {"through_sequence": 6}


@each_backend_crossed
@pytest.mark.usefixtures("new_database")  # its upcasts are others
def test_c_15_old_events_are_upcast_before_they_are_understood(open_ledger: Any) -> None:
    upcasts = Upcasts()
    upcasts.register(
        "agent_base.message",
        from_version=1,
        upcaster=lambda old: {"text": old["body"]},
    )
    ledger = open_ledger(upcasts=upcasts)
    store = store_of(ledger)
    store.append_event("s", NewEvent({"body": "hi"}, "agent_base.message", schema_version=1))
    assert [event.data for event in store.events("s")] == [{"text": "hi"}]
